// SPDX-License-Identifier: MIT
#include "tools/registry/conf/short_names.h"

#include <fmt/format.h>

namespace oblea::registry {

namespace {

// Whether a name that was typed says nothing of its registry: docker's is then meant.
bool is_short_name(std::string_view typed, store::Reference const& name) {
    return name.domain == "docker.io" && !typed.starts_with("docker.io/") &&
           !typed.starts_with("index.docker.io/");
}

// The name with another repository.
Result<store::Reference> moved_to(std::string const& repository, store::Reference const& name,
                                  std::string_view why) {
    auto parsed = store::Reference::parse(repository);
    bool const whole = parsed.has_value() && !is_short_name(repository, *parsed) &&
                       !parsed->tag.has_value() && !parsed->digest.has_value();
    if (!whole) {
        return fail(Errno::einval, "",
                    fmt::format("\"{}\", which {} makes of the name, is no repository with its "
                                "registry",
                                repository, why));
    }
    parsed->tag = name.tag;
    parsed->digest = name.digest;
    return parsed->with_default_tag();
}

// As it was typed, without tag and digest.
std::string bare_name(std::string_view typed, store::Reference const& name) {
    std::size_t bytes = typed.size();
    if (name.digest.has_value()) {
        bytes = typed.find('@');
    }
    if (name.tag.has_value()) {
        bytes = typed.substr(0, bytes).rfind(':');
    }
    return std::string{typed.substr(0, bytes)};
}

}  // namespace

Result<ShortName> resolve_short_name(RegistriesConf const& conf, std::string_view typed,
                                     Terminal terminal) {
    using enum RegistriesConf::ShortNames;
    auto const name = OBLEA_TRY(store::Reference::parse(typed));
    ShortName found;
    std::string const bare = bare_name(typed, name);
    bool const is_short = is_short_name(typed, name);
    auto const alias = is_short ? conf.aliases.find(bare) : conf.aliases.end();
    if (alias != conf.aliases.end()) {
        found.candidates.push_back(OBLEA_TRY(moved_to(alias->second, name, "an alias")));
        return found;
    }
    if (!is_short || conf.search_registries.empty()) {
        found.candidates.push_back(name.with_default_tag());
        return found;
    }
    for (std::string const& registry : conf.search_registries) {
        found.candidates.push_back(
            OBLEA_TRY(moved_to(registry + '/' + bare, name, "unqualified-search-registries")));
    }
    bool const several = found.candidates.size() > 1;
    if (several && terminal == Terminal::no && conf.short_names == enforcing) {
        return fail(Errno::einval, "",
                    fmt::format("short-name resolution enforced but cannot prompt without a TTY: "
                                "write \"{}\" with its registry",
                                typed));
    }
    if (several && terminal == Terminal::yes && conf.short_names != disabled) {
        found.choice = ShortName::Choice::by_user;
    }
    return found;
}

}  // namespace oblea::registry
