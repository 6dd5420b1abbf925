// SPDX-License-Identifier: MIT
// An http or https URL, taken apart.
#pragma once
#include "store/base/error.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oblea::registry {

class Url {
public:
    enum class Scheme { http, https };

    // Errors: EINVAL for what is no absolute http or https URL, or has a user name in it.
    static Result<Url> parse(std::string const& text);
    // What `reference` (absolute or relative: a Location or a Link) means in this one. Errors as
    // parse().
    [[nodiscard]] Result<Url> resolve(std::string const& reference) const;
    // With these appended to its query, encoded.
    using Parameters = std::vector<std::pair<std::string, std::string>>;
    [[nodiscard]] Url with_query(Parameters const& parameters) const;

    [[nodiscard]] std::string const& string() const { return text_; }
    // Without the query, which may hold a signature that is as good as a password.
    [[nodiscard]] std::string for_people() const;
    [[nodiscard]] Scheme scheme() const { return scheme_; }
    [[nodiscard]] std::string const& host() const { return host_; }  // IPv6 in brackets
    // "host:port", the port left out where it is the scheme's own.
    [[nodiscard]] std::string authority() const;
    [[nodiscard]] bool same_origin(Url const& other) const;

private:
    Url() = default;
    std::string text_;
    Scheme scheme_ = Scheme::https;
    std::string host_;
    std::string port_;
};

// Percent-encodes everything that is not unreserved in RFC 3986.
[[nodiscard]] std::string encode_form_value(std::string_view text);
[[nodiscard]] std::string encode_form(Url::Parameters const& parameters);

// Whether the host names this machine: localhost, 127.0.0.0/8, [::1].
[[nodiscard]] bool is_loopback(std::string_view host);

}  // namespace oblea::registry
