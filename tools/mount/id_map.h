// SPDX-License-Identifier: MIT
// Which ids a user namespace of an ordinary user can have. Pure.
//
// Spec: subuid(5), user_namespaces(7) "User and group ID mappings".
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct IdRange {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    auto operator<=>(IdRange const&) const = default;
};

struct IdMapLine {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;
    auto operator<=>(IdMapLine const&) const = default;
};

// The ranges that /etc/subuid or /etc/subgid grant to a user, named or by number. Lines that are
// none are passed over, as newuidmap does.
std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user,
                                           std::uint32_t uid);

// The caller is 0 inside, the ranges follow from 1 on.
std::vector<IdMapLine> plan_id_map(std::uint32_t own_id, std::vector<IdRange> const& ranges);

// A map as /proc/self/uid_map shows it.
std::vector<IdMapLine> parse_id_map(std::string_view text);

// How many ids it maps.
std::uint64_t id_count(std::vector<IdMapLine> const& map);

}  // namespace oblea::tools
