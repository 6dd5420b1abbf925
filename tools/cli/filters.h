// SPDX-License-Identifier: MIT
// The values of --filter: docker's grammar and the tests that several commands share.
//
// Pure, but for the time zone of times without one. Spec: docker's "filtering" sections of image
// ls, ps and prune; the messages are docker's.
#pragma once
#include "store/base/error.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

class Filters {
public:
    // Of "KEY=VALUE" words; keys are one of `known`. Errors: EINVAL for a word without "=", and for
    // a key that is not known, with the nearest one.
    static Result<Filters> parse(std::span<std::string const> words,
                                 std::vector<std::string> const& known);

    // All values of a key, in their order.
    [[nodiscard]] std::vector<std::string> const& of(std::string const& key) const;
    [[nodiscard]] bool has(std::string const& key) const { return values_.contains(key); }

    // The truth that the last value of a key states; nothing when it is not there. Errors: EINVAL.
    [[nodiscard]] Result<std::optional<bool>> flag(std::string const& key) const;

    // The earliest time that the values of a key name, seconds since 1970: an age ("24h", "1h30m"
    // before `now`), a date, a time, or seconds. Errors: EINVAL.
    [[nodiscard]] Result<std::optional<std::int64_t>> time(std::string const& key,
                                                           std::int64_t now) const;

private:
    std::map<std::string, std::vector<std::string>> values_;
};

using Labels = std::map<std::string, std::string>;

// Whether the labels have all that is wanted ("key" or "key=value").
[[nodiscard]] bool has_labels(Labels const& labels, std::span<std::string const> wanted);

// Of the filter "name": a regular expression that is found anywhere in a name. Errors: EINVAL.
using NameMatcher = std::function<bool(std::string const&)>;
Result<NameMatcher> name_matcher(std::string const& pattern);

// Go's durations: "1h30m", "1.5h", "300ms"; nothing for what is none.
[[nodiscard]] std::optional<double> parse_duration(std::string_view text);

// Go's path.Match, where * and ? stay within a part of the path; beyond it, ** crosses parts.
// Errors: EINVAL "syntax error in pattern".
Result<bool> match_path(std::string_view pattern, std::string_view text);

}  // namespace oblea::tools
