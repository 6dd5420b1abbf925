// SPDX-License-Identifier: MIT
#include "tools/registry/conf/registries_conf.h"

#include "store/base/absence.h"
#include "store/base/sys.h"
#include "store/image/json_fields.h"

#include <nlohmann/json.hpp>

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>

namespace oblea::registry {

namespace {

constexpr std::size_t kConfBytesMax = 4U << 20U;

std::unexpected<Error> invalid(std::string_view what, std::string_view fault) {
    return fail(Errno::einval, "", std::string{what} + ": " + std::string{fault});
}

Result<std::string> toml_text(toml::table const& table, char const* key, std::string_view what) {
    auto const* const node = table.get(key);
    if (node == nullptr) {
        return std::string{};
    }
    auto const value = node->value_exact<std::string>();
    if (!value.has_value()) {
        return invalid(what, '"' + std::string{key} + "\" is not a string");
    }
    return *value;
}

Result<bool> toml_flag(toml::table const& table, char const* key, std::string_view what) {
    auto const* const node = table.get(key);
    if (node == nullptr) {
        return false;
    }
    auto const value = node->value_exact<bool>();
    if (!value.has_value()) {
        return invalid(what, '"' + std::string{key} + "\" is neither true nor false");
    }
    return *value;
}

// The tables of an array of tables; empty when it is absent.
Result<std::vector<toml::table const*>> tables_of(toml::table const& table, char const* key,
                                                  std::string_view what) {
    std::vector<toml::table const*> tables;
    auto const* const node = table.get(key);
    if (node == nullptr) {
        return tables;
    }
    auto const* const array = node->as_array();
    if (array == nullptr) {
        return invalid(what, '"' + std::string{key} +
                                 "\" is not an array of tables; version 1 of the format is not "
                                 "supported");
    }
    for (auto const& element : *array) {
        if (!element.is_table()) {
            return invalid(what, '"' + std::string{key} + "\" is not an array of tables");
        }
        tables.push_back(element.as_table());
    }
    return tables;
}

Result<RegistryMirror> parse_mirror(toml::table const& table, std::string_view what) {
    RegistryMirror mirror;
    mirror.location = OBLEA_TRY(toml_text(table, "location", what));
    mirror.insecure = OBLEA_TRY(toml_flag(table, "insecure", what));
    std::string const from = OBLEA_TRY(toml_text(table, "pull-from-mirror", what));
    if (mirror.location.empty()) {
        return invalid(what, R"(a mirror without "location")");
    }
    if (from == "digest-only") {
        mirror.pull_from = RegistryMirror::PullFrom::digest_only;
    } else if (from == "tag-only") {
        mirror.pull_from = RegistryMirror::PullFrom::tag_only;
    } else if (!from.empty() && from != "all") {
        return invalid(what, R"("pull-from-mirror" may be all, digest-only or tag-only)");
    }
    return mirror;
}

Result<RegistryRule> parse_rule(toml::table const& table, std::string_view what) {
    RegistryRule rule;
    rule.prefix = OBLEA_TRY(toml_text(table, "prefix", what));
    rule.location = OBLEA_TRY(toml_text(table, "location", what));
    rule.insecure = OBLEA_TRY(toml_flag(table, "insecure", what));
    rule.blocked = OBLEA_TRY(toml_flag(table, "blocked", what));
    bool const by_digest = OBLEA_TRY(toml_flag(table, "mirror-by-digest-only", what));
    if (rule.prefix.empty()) {
        rule.prefix = rule.location;
    }
    if (rule.prefix.empty()) {
        return invalid(what, R"(a [[registry]] with neither "prefix" nor "location")");
    }
    auto const mirrors = OBLEA_TRY(tables_of(table, "mirror", what));
    for (auto const* const entry : mirrors) {
        RegistryMirror mirror = OBLEA_TRY(parse_mirror(*entry, what));
        if (by_digest) {
            mirror.pull_from = RegistryMirror::PullFrom::digest_only;
        }
        rule.mirrors.push_back(std::move(mirror));
    }
    return rule;
}

// An alias without a value takes that of an earlier file away.
Status merge_aliases(std::map<std::string, std::string>& aliases, toml::table const& table,
                     std::string_view what) {
    auto const* const node = table.get("aliases");
    if (node == nullptr) {
        return {};
    }
    if (!node->is_table()) {
        return invalid(what, R"("aliases" is not a table)");
    }
    for (auto const& [key, value] : *node->as_table()) {
        auto const target = value.value_exact<std::string>();
        if (!target.has_value()) {
            return invalid(what, "the alias \"" + std::string{key.str()} + "\" is not a string");
        }
        if (target->empty()) {
            aliases.erase(std::string{key.str()});
        } else {
            aliases[std::string{key.str()}] = *target;
        }
    }
    return {};
}

Status merge_search_registries(std::vector<std::string>& registries, toml::table const& table,
                               std::string_view what) {
    constexpr char kKey[] = "unqualified-search-registries";
    auto const* const node = table.get(kKey);
    if (node == nullptr) {
        return {};
    }
    auto const* const list = node->as_array();
    registries.clear();
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        registries.push_back(list->get(i)->value_or(std::string{}));
    }
    bool const strings = list != nullptr && std::ranges::none_of(registries, &std::string::empty);
    return strings ? Status{}
                   : Status{invalid(what, '"' + std::string{kKey} + "\" is no list of strings")};
}

Status merge_short_names(RegistriesConf& conf, toml::table const& table, std::string_view what) {
    using enum RegistriesConf::ShortNames;
    OBLEA_TRY(merge_aliases(conf.aliases, table, what));
    OBLEA_TRY(merge_search_registries(conf.search_registries, table, what));
    std::string const mode = OBLEA_TRY(toml_text(table, "short-name-mode", what));
    if (mode == "permissive") {
        conf.short_names = permissive;
    } else if (mode == "enforcing") {
        conf.short_names = enforcing;
    } else if (mode == "disabled") {
        conf.short_names = disabled;
    } else if (!mode.empty()) {
        return invalid(what, R"("short-name-mode" may be enforcing, permissive or disabled)");
    }
    return {};
}

// Nothing when the file is absent.
Result<std::optional<std::string>> read_if_there(std::string const& path) {
    auto text = base::sys::read_file(AT_FDCWD, path.c_str(), kConfBytesMax);
    if (text.has_value()) {
        return std::optional{*std::move(text)};
    }
    if (base::is_absent(text.error().code)) {
        return std::optional<std::string>{};
    }
    return std::unexpected<Error>(with_context(std::move(text).error(), path));
}

Status merge_folder(RegistriesConf& conf, std::string const& folder) {
    auto const dir = base::sys::open(folder, O_RDONLY | O_DIRECTORY);
    if (!dir.has_value()) {
        return {};
    }
    auto entries = OBLEA_TRY(base::sys::list_dir(dir->get()));
    std::ranges::sort(entries, {}, &base::sys::DirEntry::name);
    for (auto const& entry : entries) {
        if (entry.name.ends_with(".conf")) {
            std::string const path = folder + '/' + entry.name;
            auto const text = OBLEA_TRY(read_if_there(path));
            OBLEA_TRY(conf.merge_toml(text.value_or(""), path));
        }
    }
    return {};
}

}  // namespace

Status RegistriesConf::merge_toml(std::string_view text, std::string_view what) {
    toml::parse_result const parsed = toml::parse(text);
    if (!parsed) {
        return invalid(what, "line " + std::to_string(parsed.error().source().begin.line) + ": " +
                                 std::string{parsed.error().description()});
    }
    auto const tables = OBLEA_TRY(tables_of(parsed.table(), "registry", what));
    for (auto const* const table : tables) {
        RegistryRule rule = OBLEA_TRY(parse_rule(*table, what));
        std::erase_if(rules, [&](auto const& old) { return old.prefix == rule.prefix; });
        rules.push_back(std::move(rule));
    }
    return merge_short_names(*this, parsed.table(), what);
}

Status RegistriesConf::merge_daemon_json(std::string_view text, std::string_view what) {
    namespace fields = store::json_fields;
    auto const document = OBLEA_TRY(fields::parse_object(text, what, kConfBytesMax));
    for (auto const& [key, target] : {std::pair{"registry-mirrors", &docker_mirrors},
                                      std::pair{"insecure-registries", &docker_insecure}}) {
        auto const* const list = OBLEA_TRY(fields::array_if(document, key, what));
        if (list == nullptr) {
            continue;
        }
        for (auto const& element : *list) {
            if (!element.is_string()) {
                return invalid(what, '"' + std::string{key} + "\" is not a list of strings");
            }
            target->push_back(element.get<std::string>());
        }
    }
    return {};
}

ConfPlaces ConfPlaces::of_process(std::string const& home) {
    ConfPlaces places;
    char const* const chosen = std::getenv("CONTAINERS_REGISTRIES_CONF");
    if (chosen != nullptr && *chosen != '\0') {
        places.files = {chosen};
    } else {
        places.files = {home + "/.config/containers/registries.conf",
                        "/etc/containers/registries.conf"};
        places.folders = {"/etc/containers/registries.conf.d",
                          home + "/.config/containers/registries.conf.d"};
    }
    places.daemon_json = "/etc/docker/daemon.json";
    return places;
}

Result<RegistriesConf> read_registries_conf(ConfPlaces const& places) {
    RegistriesConf conf;
    for (auto const& file : places.files) {
        auto const text = OBLEA_TRY(read_if_there(file));
        if (text.has_value()) {
            OBLEA_TRY(conf.merge_toml(*text, file));
            break;
        }
    }
    for (auto const& folder : places.folders) {
        OBLEA_TRY(merge_folder(conf, folder));
    }
    auto const daemon = OBLEA_TRY(read_if_there(places.daemon_json));
    if (daemon.has_value()) {
        OBLEA_TRY(conf.merge_daemon_json(*daemon, places.daemon_json));
    }
    return conf;
}

}  // namespace oblea::registry
