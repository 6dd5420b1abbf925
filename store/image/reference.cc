// SPDX-License-Identifier: MIT
#include "store/image/reference.h"

#include "store/base/text.h"

#include <algorithm>

namespace oblea::store {

namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kLegacyDomain = "index.docker.io";
constexpr std::string_view kOfficialPrefix = "library/";
constexpr std::size_t kNameCharsMax = 255;
constexpr std::size_t kTagCharsMax = 128;

// The grammar is ASCII: the functions of <cctype> would ask the locale.
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool is_alphanumeric(char c) {
    return is_digit(c) || is_lower(c) || is_upper(c);
}
bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_lower_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

// Calls `valid` for each piece between separators; an empty piece is passed too.
template <typename F>
bool all_pieces(std::string_view text, char separator, F&& valid) {
    for (;;) {
        auto const end = text.find(separator);
        if (!valid(text.substr(0, end))) {
            return false;
        }
        if (end == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(end + 1);
    }
}

// Whether `text`, which stands between two alphanumeric runs, is "." or "_" or "__" or dashes.
bool is_separator(std::string_view text) {
    return text == "." || text == "_" || text == "__" ||
           std::ranges::all_of(text, [](char c) { return c == '-'; });
}

// [a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*
bool is_path_component(std::string_view text) {
    auto const word = [](char c) { return is_digit(c) || is_lower(c); };
    if (text.empty() || !word(text.front()) || !word(text.back())) {
        return false;
    }
    for (auto at = text.begin(); at != text.end();) {
        auto const separator = std::find_if_not(at, text.end(), word);
        at = std::find_if(separator, text.end(), word);
        if (!is_separator(std::string_view{separator, at})) {
            return false;
        }
    }
    return true;
}

bool is_domain_label(std::string_view text) {
    return !text.empty() && text.front() != '-' && text.back() != '-' &&
           std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_port(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_digit);
}

// host[:port]; the host is labels joined by dots, or an IPv6 address in brackets.
bool is_domain(std::string_view text) {
    if (text.starts_with('[')) {
        auto const end = text.find(']');
        if (end == std::string_view::npos || end == 1) {
            return false;
        }
        auto const address = text.substr(1, end - 1);
        auto const rest = text.substr(end + 1);
        return std::ranges::all_of(address, [](char c) { return is_hex(c) || c == ':'; }) &&
               (rest.empty() || (rest.front() == ':' && is_port(rest.substr(1))));
    }
    auto const colon = text.find(':');
    return all_pieces(text.substr(0, colon), '.', is_domain_label) &&
           (colon == std::string_view::npos || is_port(text.substr(colon + 1)));
}

bool is_tag(std::string_view text) {
    auto const word = [](char c) { return is_alphanumeric(c) || c == '_'; };
    return !text.empty() && text.size() <= kTagCharsMax && word(text.front()) &&
           std::ranges::all_of(text, [&](char c) { return word(c) || c == '.' || c == '-'; });
}

// [A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[[:xdigit:]]{32,}
bool is_digest(std::string_view text) {
    auto const colon = text.find(':');
    if (colon == std::string_view::npos) {
        return false;
    }
    bool at_start = true;
    for (char const c : text.substr(0, colon)) {
        bool const letter = is_lower(c) || is_upper(c);
        bool const separator = c == '-' || c == '_' || c == '+' || c == '.';
        if (at_start ? !letter : !letter && !is_digit(c) && !separator) {
            return false;
        }
        at_start = separator;
    }
    auto const encoded = text.substr(colon + 1);
    return !at_start && encoded.size() >= 32 && std::ranges::all_of(encoded, is_hex);
}

struct Parts {
    std::string_view domain;
    std::string_view path;
    std::string_view tag;
    std::string_view digest;
};

// Splits "domain/path[:tag][@digest]" where domain is known; false when it is none. The character
// '@' is in no name or tag, and ':' in no path, so that there is one way to cut.
bool split(std::string_view domain, std::string_view remainder, Parts& parts) {
    parts.domain = domain;
    parts.path = remainder;
    auto const at = parts.path.find('@');
    bool const has_digest = at != std::string_view::npos;
    if (has_digest) {
        parts.digest = parts.path.substr(at + 1);
        parts.path = parts.path.substr(0, at);
    }
    auto const colon = parts.path.find(':');
    bool const has_tag = colon != std::string_view::npos;
    if (has_tag) {
        parts.tag = parts.path.substr(colon + 1);
        parts.path = parts.path.substr(0, colon);
    }
    return is_domain(parts.domain) && all_pieces(parts.path, '/', is_path_component) &&
           (!has_tag || is_tag(parts.tag)) && (!has_digest || is_digest(parts.digest));
}

// What stands before the first '/' is a domain when nothing else could look like that.
bool looks_like_domain(std::string_view first) {
    return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
           std::ranges::any_of(first, is_upper);
}

std::unexpected<Error> invalid(std::string detail) {
    return fail(Errno::einval, "", std::move(detail));
}

}  // namespace

Result<Reference> Reference::parse(std::string_view text) {
    if (text.size() == 64 && std::ranges::all_of(text, is_lower_hex)) {
        return invalid("invalid repository name (" + std::string{text} +
                       "), cannot specify 64-byte hexadecimal strings");
    }
    auto const slash = text.find('/');
    std::string_view domain = kDefaultDomain;
    std::string remainder{text};
    if (slash != std::string_view::npos && looks_like_domain(text.substr(0, slash))) {
        domain = text.substr(0, slash);
        remainder = text.substr(slash + 1);
    }
    if (domain == kLegacyDomain) {
        domain = kDefaultDomain;
    }
    if (domain == kDefaultDomain && remainder.find('/') == std::string::npos) {
        remainder.insert(0, kOfficialPrefix);
    }
    std::string const remote = remainder.substr(0, remainder.find(':'));
    if (base::lowered(remote) != remote) {
        return invalid("invalid reference format: repository name (" + remote +
                       ") must be lowercase");
    }
    Parts parts;
    if (!split(domain, remainder, parts)) {
        return invalid("invalid reference format");
    }
    if (parts.domain.size() + 1 + parts.path.size() > kNameCharsMax) {
        return invalid("repository name must not be more than 255 characters");
    }
    Reference reference{std::string{parts.domain}, std::string{parts.path}, std::nullopt,
                        std::nullopt};
    if (!parts.tag.empty()) {
        reference.tag = std::string{parts.tag};
    }
    if (!parts.digest.empty()) {
        reference.digest = OBLEA_TRY(
            with_context(Digest::parse(parts.digest), [] { return "invalid reference format"; }));
    }
    return reference;
}

bool Reference::is_valid_tag(std::string_view text) {
    return is_tag(text);
}

Reference Reference::with_default_tag() const {
    Reference result = *this;
    if (!tag.has_value() && !digest.has_value()) {
        result.tag = "latest";
    }
    return result;
}

namespace {

std::string with_suffix(std::string name, Reference const& reference) {
    if (reference.tag.has_value()) {
        name += ':' + *reference.tag;
    }
    if (reference.digest.has_value()) {
        name += '@' + reference.digest->to_string();
    }
    return name;
}

}  // namespace

std::string Reference::repository() const {
    return domain + '/' + path;
}

std::string Reference::familiar_repository() const {
    if (domain != kDefaultDomain) {
        return repository();
    }
    std::string_view rest = path;
    if (rest.starts_with(kOfficialPrefix) &&
        rest.find('/', kOfficialPrefix.size()) == std::string_view::npos) {
        rest.remove_prefix(kOfficialPrefix.size());
    }
    // A short form that would be read as something else is none ("docker.io/localhost/x").
    auto const again = parse(rest);
    if (!again.has_value() || again->domain != domain || again->path != path) {
        return repository();
    }
    return std::string{rest};
}

std::string Reference::canonical() const {
    return with_suffix(repository(), *this);
}

std::string Reference::familiar() const {
    return with_suffix(familiar_repository(), *this);
}

}  // namespace oblea::store
