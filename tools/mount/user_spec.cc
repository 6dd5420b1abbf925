// SPDX-License-Identifier: MIT
#include "tools/mount/user_spec.h"

#include "store/base/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <ranges>

namespace oblea::tools {
namespace {

std::optional<std::uint32_t> parse_id(std::string_view text) {
    std::uint32_t id = 0;
    auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), id);
    // The highest number is chown's "no change".
    bool const sound = code == std::errc{} && end == text.data() + text.size() && id != UINT32_MAX;
    return sound ? std::optional{id} : std::nullopt;
}

struct User {
    std::string_view name;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string_view home;
};

std::optional<User> parse_user(std::string_view line) {
    auto const fields = base::split(line, ':');
    if (fields.size() < 6) {
        return std::nullopt;
    }
    auto const uid = parse_id(fields[2]);
    auto const gid = parse_id(fields[3]);
    if (!uid || !gid) {
        return std::nullopt;
    }
    return User{.name = fields[0], .uid = *uid, .gid = *gid, .home = fields[5]};
}

// By name first: a user may be called like a number.
std::optional<User> find_user(std::string_view passwd, std::string_view wanted) {
    std::optional<User> by_number;
    auto const number = parse_id(wanted);
    for (std::string_view const line : base::split(passwd, '\n')) {
        auto const user = parse_user(line);
        if (user && user->name == wanted) {
            return user;
        }
        if (user && number && user->uid == *number && !by_number) {
            by_number = user;
        }
    }
    return by_number;
}

struct Group {
    std::string_view name;
    std::uint32_t gid = 0;
    std::string_view members;
};

std::vector<Group> parse_groups(std::string_view text) {
    std::vector<Group> groups;
    for (std::string_view const line : base::split(text, '\n')) {
        auto const fields = base::split(line, ':');
        auto const gid = fields.size() == 4 ? parse_id(fields[2]) : std::nullopt;
        if (gid) {
            groups.push_back({.name = fields[0], .gid = *gid, .members = fields[3]});
        }
    }
    return groups;
}

Result<std::uint32_t> find_group(std::vector<Group> const& groups, std::string_view wanted) {
    auto const named = std::ranges::find(groups, wanted, &Group::name);
    if (named != groups.end()) {
        return named->gid;
    }
    if (auto const number = parse_id(wanted)) {
        return *number;
    }
    return fail(Errno::einval, "", fmt::format("the image has no group \"{}\"", wanted));
}

std::vector<std::uint32_t> groups_of(std::vector<Group> const& groups, std::string_view user) {
    std::vector<std::uint32_t> ids;
    for (Group const& group : groups) {
        auto const members = base::split(group.members, ',');
        // An empty list has no member; not even a user without a name.
        if (!group.members.empty() && std::ranges::find(members, user) != members.end()) {
            ids.push_back(group.gid);
        }
    }
    return ids;
}

}  // namespace

Result<Identity> resolve_user(std::string_view spec, std::string_view passwd,
                              std::string_view group) {
    auto const colon = spec.find(':');
    std::string_view wanted = spec.substr(0, colon);
    if (wanted.empty()) {
        wanted = "0";
    }
    auto const groups = parse_groups(group);
    Identity identity;
    if (auto const user = find_user(passwd, wanted)) {
        identity.uid = user->uid;
        identity.gid = user->gid;
        identity.home = user->home.empty() ? "/" : user->home;
        identity.groups = groups_of(groups, user->name);
    } else if (auto const number = parse_id(wanted)) {
        identity.uid = *number;
        identity.home = *number == 0 ? "/root" : "/";
    } else {
        return fail(Errno::einval, "", fmt::format("the image has no user \"{}\"", wanted));
    }
    if (colon != std::string_view::npos && colon + 1 < spec.size()) {
        identity.gid = OBLEA_TRY(find_group(groups, spec.substr(colon + 1)));
        identity.groups.clear();  // who names a group gets that one
    }
    return identity;
}

Status add_groups(Identity& identity, std::vector<std::string> const& wanted,
                  std::string_view group) {
    auto const groups = parse_groups(group);
    for (std::string const& one : wanted) {
        std::uint32_t const id = OBLEA_TRY(find_group(groups, one));
        if (std::ranges::find(identity.groups, id) == identity.groups.end()) {
            identity.groups.push_back(id);
        }
    }
    return {};
}

}  // namespace oblea::tools
