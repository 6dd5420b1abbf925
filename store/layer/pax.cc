// SPDX-License-Identifier: MIT
#include "store/layer/pax.h"

#include "store/base/limits.h"

#include <array>
#include <charconv>
#include <limits>

namespace oblea::store {

namespace {

using base::printable;

template <typename T>
std::optional<T> number(std::string_view text) {
    T value{};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

Result<std::int64_t> parse_signed(std::string_view text) {
    auto const value = number<std::int64_t>(text);
    if (!value.has_value()) {
        return fail(Errno::einval, "", "not a number: " + printable(text));
    }
    return *value;
}

Result<std::string> parse_path(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        return fail(Errno::einval, "", "a path with a NUL byte: " + printable(text));
    }
    return std::string{text};
}

std::optional<std::string> url_decode(std::string_view text) {
    std::string decoded;
    while (!text.empty()) {
        if (text.front() != '%') {
            decoded += text.front();
            text.remove_prefix(1);
            continue;
        }
        unsigned byte = 0;
        auto const digits = text.substr(1, 2);
        auto const [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) {
            return std::nullopt;
        }
        decoded += static_cast<char>(byte);
        text.remove_prefix(3);
    }
    return decoded;
}

int base64_value(char c) {
    static constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    auto const at = kAlphabet.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::optional<std::string> base64_decode(std::string_view text) {
    while (!text.empty() && text.back() == '=') {
        text.remove_suffix(1);
    }
    std::string decoded;
    unsigned bits = 0;
    unsigned count = 0;
    for (char const c : text) {
        int const value = base64_value(c);
        if (value < 0) {
            return std::nullopt;
        }
        bits = (bits << 6U | static_cast<unsigned>(value)) & 0xffffU;
        count += 6;
        if (count >= 8) {
            count -= 8;
            decoded += static_cast<char>(bits >> count & 0xffU);
        }
    }
    return decoded;
}

Status add_libarchive_xattr(std::string_view name, std::string_view value, PaxValues& into) {
    auto const plain_name = url_decode(name);
    auto plain_value = base64_decode(value);
    if (!plain_name.has_value() || !plain_value.has_value()) {
        return fail(Errno::einval, "", "not decodable");
    }
    into.libarchive_xattrs[*plain_name] = std::move(*plain_value);
    return {};
}

Status add_piece(std::uint64_t offset, std::uint64_t bytes, PaxSparse& sparse) {
    if (sparse.pieces.size() >= limits::kSparseExtentsMax) {
        return fail(Errno::e2big, "",
                    "more than " + std::to_string(limits::kSparseExtentsMax) +
                        " pieces of a sparse file");
    }
    sparse.pieces.push_back({.offset = offset, .bytes = bytes});
    return {};
}

// Takes the first number off a list that is separated by commas.
Result<std::uint64_t> take_number(std::string_view& list) {
    auto const comma = list.find(',');
    std::string_view const digits = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    return parse_decimal(digits);
}

// Version 0.1: offset and size of all pieces in one record.
Status parse_sparse_map(std::string_view map, PaxSparse& sparse) {
    while (!map.empty()) {
        std::uint64_t const offset = OBLEA_TRY(take_number(map));
        if (map.empty()) {
            return fail(Errno::einval, "", "an odd count of numbers");
        }
        std::uint64_t const bytes = OBLEA_TRY(take_number(map));
        OBLEA_TRY(add_piece(offset, bytes, sparse));
    }
    return {};
}

Status parse_sparse_record(std::string_view key, std::string_view value, PaxSparse& sparse) {
    sparse.present = true;
    if (key == "major") {
        sparse.major = OBLEA_TRY(parse_decimal(value));
    } else if (key == "minor") {
        sparse.minor = OBLEA_TRY(parse_decimal(value));
    } else if (key == "name") {
        sparse.name = OBLEA_TRY(parse_path(value));
    } else if (key == "size" || key == "realsize") {
        sparse.real_size = OBLEA_TRY(parse_decimal(value));
    } else if (key == "numblocks") {
        // The pieces are counted as they come.
        static_cast<void>(OBLEA_TRY(parse_decimal(value)));
    } else if (key == "map") {
        sparse.pieces.clear();
        OBLEA_TRY(parse_sparse_map(value, sparse));
    } else if (key == "offset") {
        if (sparse.pending_offset.has_value()) {
            return fail(Errno::einval, "", "an offset without its numbytes");
        }
        sparse.pending_offset = OBLEA_TRY(parse_decimal(value));
    } else if (key == "numbytes") {
        if (!sparse.pending_offset.has_value()) {
            return fail(Errno::einval, "", "numbytes without an offset");
        }
        std::uint64_t const bytes = OBLEA_TRY(parse_decimal(value));
        OBLEA_TRY(add_piece(*sparse.pending_offset, bytes, sparse));
        sparse.pending_offset.reset();
    }
    return {};
}

Status apply(std::string_view key, std::string_view value, PaxValues& into) {
    constexpr std::string_view kSchilyXattr = "SCHILY.xattr.";
    constexpr std::string_view kLibarchiveXattr = "LIBARCHIVE.xattr.";
    constexpr std::string_view kSparse = "GNU.sparse.";
    if (key.starts_with(kSchilyXattr)) {
        into.schily_xattrs[std::string{key.substr(kSchilyXattr.size())}] = std::string{value};
        return {};
    }
    if (key.starts_with(kLibarchiveXattr)) {
        return add_libarchive_xattr(key.substr(kLibarchiveXattr.size()), value, into);
    }
    if (value.empty()) {
        return {};  // POSIX: the record takes back an earlier one, and the header's field counts
    }
    if (key.starts_with(kSparse)) {
        return parse_sparse_record(key.substr(kSparse.size()), value, into.sparse);
    }
    if (key == "path") {
        into.path = OBLEA_TRY(parse_path(value));
    } else if (key == "linkpath") {
        into.link_path = OBLEA_TRY(parse_path(value));
    } else if (key == "size") {
        into.size = OBLEA_TRY(parse_decimal(value));
    } else if (key == "uid") {
        into.uid = OBLEA_TRY(parse_signed(value));
    } else if (key == "gid") {
        into.gid = OBLEA_TRY(parse_signed(value));
    } else if (key == "mtime") {
        into.mtime = OBLEA_TRY(parse_pax_time(value));
    } else if (key == "SCHILY.devmajor") {
        into.device_major = OBLEA_TRY(parse_signed(value));
    } else if (key == "SCHILY.devminor") {
        into.device_minor = OBLEA_TRY(parse_signed(value));
    }
    return {};
}

struct Record {
    std::string_view key;
    std::string_view value;
};

// Takes the first record off `rest`: "LENGTH KEY=VALUE\n", where the length counts all of it.
std::optional<Record> take_record(std::string_view& rest) {
    auto const blank = rest.find(' ');
    auto const length = number<std::size_t>(rest.substr(0, blank));
    if (blank == std::string_view::npos || !length.has_value() || *length > rest.size() ||
        *length < blank + 3 || rest[*length - 1] != '\n') {
        return std::nullopt;
    }
    std::string_view const body = rest.substr(blank + 1, *length - blank - 2);
    auto const equals = body.find('=');
    if (equals == std::string_view::npos || equals == 0) {
        return std::nullopt;
    }
    rest.remove_prefix(*length);
    return Record{body.substr(0, equals), body.substr(equals + 1)};
}

}  // namespace

Result<std::uint64_t> parse_decimal(std::string_view text) {
    auto const value = number<std::uint64_t>(text);
    if (!value.has_value()) {
        return fail(Errno::einval, "", "not a number: " + printable(text));
    }
    return *value;
}

Result<Timestamp> parse_pax_time(std::string_view text) {
    auto const wrong = [&] { return fail(Errno::einval, "", "not a time: " + printable(text)); };
    auto const dot = text.find('.');
    std::string_view const whole = text.substr(0, dot);
    bool const negative = whole.starts_with('-');
    auto const seconds = number<std::int64_t>(whole);
    if (!seconds.has_value()) {
        return wrong();
    }
    Timestamp time{.seconds = *seconds, .nanoseconds = 0};
    std::uint32_t weight = 100'000'000;
    for (char const c : dot == std::string_view::npos ? "" : text.substr(dot + 1)) {
        if (c < '0' || c > '9') {
            return wrong();
        }
        time.nanoseconds += static_cast<std::uint32_t>(c - '0') * weight;
        weight /= 10;
    }
    // The fraction counts away from zero in the text, and always forward in a Timestamp.
    if (negative && time.nanoseconds > 0) {
        if (time.seconds == std::numeric_limits<std::int64_t>::min()) {
            return wrong();
        }
        time.seconds -= 1;
        time.nanoseconds = 1'000'000'000 - time.nanoseconds;
    }
    return time;
}

Status parse_pax_records(std::string_view records, PaxValues& into) {
    std::string_view rest = records;
    while (!rest.empty()) {
        auto const record = take_record(rest);
        if (!record.has_value()) {
            // Some writers fill the rest of the header with NUL bytes.
            if (rest.find_first_not_of('\0') == std::string_view::npos) {
                break;
            }
            return fail(Errno::einval, "",
                        "malformed pax record " + printable(rest.substr(0, 40)) + " at byte " +
                            std::to_string(records.size() - rest.size()) + " of its header");
        }
        OBLEA_TRY(with_context(apply(record->key, record->value, into),
                               [&] { return "pax record " + printable(record->key); }));
    }
    if (into.sparse.pending_offset.has_value()) {
        return fail(Errno::einval, "", "pax record \"GNU.sparse.offset\" without its numbytes");
    }
    return {};
}

Result<Xattrs> PaxValues::xattrs() const {
    auto joined = schily_xattrs;
    joined.insert(libarchive_xattrs.begin(), libarchive_xattrs.end());
    Xattrs list;
    std::size_t names_bytes = 0;
    for (auto& [name, value] : joined) {
        names_bytes += name.size() + 1;
        if (name.empty() || name.find('\0') != std::string::npos ||
            name.size() > limits::kXattrNameBytesMax) {
            return fail(Errno::einval, "",
                        "not the name of an extended attribute: " + printable(name));
        }
        if (value.size() > limits::kXattrValueBytesMax) {
            return fail(Errno::e2big, "",
                        "extended attribute " + printable(name) + " is longer than " +
                            std::to_string(limits::kXattrValueBytesMax) + " bytes");
        }
        list.emplace_back(name, std::move(value));
    }
    if (names_bytes > limits::kXattrListBytesMax) {
        return fail(Errno::e2big, "", "too many extended attributes");
    }
    return list;
}

}  // namespace oblea::store
