// SPDX-License-Identifier: MIT
#include "tools/build/scope.h"

#include <algorithm>
#include <array>

namespace oblea::tools::build {

Variables platform_variables(store::Platform const& target, store::Platform const& machine) {
    Variables variables;
    auto const add = [&](std::string const& prefix, store::Platform const& platform) {
        variables[prefix + "PLATFORM"] = platform.to_string();
        variables[prefix + "OS"] = platform.os;
        variables[prefix + "ARCH"] = platform.architecture;
        variables[prefix + "VARIANT"] = platform.variant;
    };
    add("TARGET", target);
    add("BUILD", machine);
    return variables;
}

Scope::Scope(Variables given, Variables automatic)
    : given_(std::move(given)), declared_(std::move(automatic)) {
    // Whoever gives TARGETARCH means it.
    for (auto& [name, value] : declared_) {
        if (auto const asked = given_.find(name); asked != given_.end()) {
            value = asked->second;
        }
    }
}

Scope Scope::of_stage() const {
    Scope stage{given_, {}};
    stage.global_ = declared_;
    return stage;
}

void Scope::declare(std::string const& name, std::optional<std::string> const& standard) {
    if (auto const asked = given_.find(name); asked != given_.end()) {
        declared_[name] = asked->second;
        consumed_.insert(name);
    } else if (standard.has_value()) {
        declared_[name] = *standard;
    } else if (auto const outside = global_.find(name); outside != global_.end()) {
        declared_[name] = outside->second;
    }
}

std::optional<std::string> Scope::find(std::string_view name,
                                       std::vector<std::string> const& env) const {
    std::optional<std::string> value;
    for (std::string const& one : env) {
        if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=') {
            value = one.substr(name.size() + 1);
        }
    }
    if (value.has_value()) {
        return value;
    }
    if (auto const own = declared_.find(name); own != declared_.end()) {
        return own->second;
    }
    if (auto const asked = given_.find(name); asked != given_.end() && is_predefined(name)) {
        return asked->second;
    }
    return std::nullopt;
}

std::vector<std::string> Scope::for_run(std::vector<std::string> const& env) const {
    std::vector<std::string> list = for_key(env);
    for (auto const& [name, value] : given_) {
        if (is_predefined(name) && !declared_.contains(name) && !is_in(env, name)) {
            list.push_back(name + '=' + value);
        }
    }
    std::ranges::sort(list);
    return list;
}

std::vector<std::string> Scope::for_key(std::vector<std::string> const& env) const {
    std::vector<std::string> list;
    for (auto const& [name, value] : declared_) {
        if (!is_in(env, name)) {
            list.push_back(name + '=' + value);
        }
    }
    return list;
}

bool Scope::is_known_without_arg(std::string_view name) {
    return is_predefined(name) || name == "SOURCE_DATE_EPOCH" || name.starts_with("TARGET") ||
           name.starts_with("BUILDKIT_");
}

bool Scope::is_predefined(std::string_view name) {
    static constexpr std::array<std::string_view, 10> kNames{
        "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
        "ftp_proxy",  "NO_PROXY",   "no_proxy",    "ALL_PROXY",   "all_proxy"};
    return std::ranges::find(kNames, name) != kNames.end();
}

bool Scope::is_in(std::vector<std::string> const& env, std::string_view name) {
    return std::ranges::any_of(env, [&](std::string const& one) {
        return one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=';
    });
}

}  // namespace oblea::tools::build
