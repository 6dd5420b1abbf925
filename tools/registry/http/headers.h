// SPDX-License-Identifier: MIT
// The header fields of an answer, and the forms in which registries use them.
//
// Everything comes from outside: parsers take what they understand and ignore the rest.
// Spec: RFC 9110 "Authentication", "Retry-After", "Content-Range"; RFC 8288 "Link"; RFC 7234
// "Warning".
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

class Headers {
public:
    void add(std::string_view name, std::string_view value);
    // The first of that name, which is given in lower case; empty when there is none.
    [[nodiscard]] std::string first(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

struct Challenge {
    std::string scheme;                             // lower case: "bearer", "basic"
    std::map<std::string, std::string> parameters;  // names in lower case
};

// All challenges of all WWW-Authenticate fields.
[[nodiscard]] std::vector<Challenge> parse_challenges(std::vector<std::string> const& fields);

// The target of the link with rel="next".
[[nodiscard]] std::optional<std::string> parse_next_link(std::string_view field);

// The text of a warning of code 299, as registries send them: 299 - "text".
[[nodiscard]] std::optional<std::string> parse_warning(std::string_view field);

// Seconds; dates are not understood, since the machine's clock may differ.
[[nodiscard]] std::optional<std::uint64_t> parse_retry_after(std::string_view field);

// Of "bytes 5-9/10" or "bytes 5-9/*".
struct ContentRange {
    std::uint64_t begin = 0;
    std::optional<std::uint64_t> total_bytes;
    bool operator==(ContentRange const&) const = default;
};
[[nodiscard]] std::optional<ContentRange> parse_content_range(std::string_view field);

// Of Docker Hub's "76;w=21600": how many, in how many seconds (0: not said).
struct RateLimit {
    std::uint64_t count = 0;
    std::uint64_t window_seconds = 0;
    bool operator==(RateLimit const&) const = default;
};
[[nodiscard]] std::optional<RateLimit> parse_rate_limit(std::string_view field);

[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text);

// "text/html" of "Text/HTML; charset=utf-8".
[[nodiscard]] std::string media_type_of(std::string_view content_type);

}  // namespace oblea::registry
