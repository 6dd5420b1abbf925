// SPDX-License-Identifier: MIT
#include "tools/mount/id_map.h"

#include "store/base/parse_number.h"
#include "store/base/text.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <ranges>

namespace oblea::tools {
namespace {

// What fits below the highest id, which stands for "no id".
std::uint32_t clip(std::uint32_t first, std::uint32_t count) {
    return std::min(count, std::numeric_limits<std::uint32_t>::max() - first);
}

}  // namespace

std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user,
                                           std::uint32_t uid) {
    std::vector<IdRange> ranges;
    for (std::string_view const line : base::split(text, '\n')) {
        auto const fields = base::split(line, ':');
        if (fields.size() != 3 || (fields[0] != user && fields[0] != std::to_string(uid))) {
            continue;
        }
        auto const first = base::parse_number<std::uint32_t>(fields[1]);
        auto const count = base::parse_number<std::uint32_t>(fields[2]);
        if (first && count && *count > 0) {
            ranges.push_back({.first = *first, .count = *count});
        }
    }
    return ranges;
}

std::vector<IdMapLine> plan_id_map(std::uint32_t own_id, std::vector<IdRange> const& ranges) {
    std::vector<IdMapLine> map{{.inside = 0, .outside = own_id, .count = 1}};
    std::uint32_t next = 1;
    for (IdRange const& range : ranges) {
        std::uint32_t const count =
            std::min(clip(next, range.count), clip(range.first, range.count));
        if (count > 0) {
            map.push_back({.inside = next, .outside = range.first, .count = count});
            next += count;
        }
    }
    return map;
}

std::vector<IdMapLine> parse_id_map(std::string_view text) {
    std::vector<IdMapLine> map;
    for (std::string_view const line : base::split(text, '\n')) {
        std::vector<std::uint32_t> numbers;
        for (std::string_view const word : base::split(line, ' ')) {
            if (auto const number = base::parse_number<std::uint32_t>(word)) {
                numbers.push_back(*number);
            }
        }
        if (numbers.size() == 3) {
            map.push_back({.inside = numbers[0], .outside = numbers[1], .count = numbers[2]});
        }
    }
    return map;
}

std::uint64_t id_count(std::vector<IdMapLine> const& map) {
    std::uint64_t count = 0;
    for (IdMapLine const& line : map) {
        count += line.count;
    }
    return count;
}

}  // namespace oblea::tools
