// SPDX-License-Identifier: MIT
#include "store/layer/tar_header.h"

#include "store/base/checked.h"

#include <algorithm>

namespace oblea::store {

namespace {

using base::ByteView;

struct Field {
    std::size_t offset;
    std::size_t bytes;
    char const* name;
};

constexpr Field kName{0, 100, "name"};
constexpr Field kMode{100, 8, "mode"};
constexpr Field kUid{108, 8, "uid"};
constexpr Field kGid{116, 8, "gid"};
constexpr Field kSize{124, 12, "size"};
constexpr Field kMtime{136, 12, "mtime"};
constexpr Field kChecksum{148, 8, "checksum"};
constexpr std::size_t kTypeOffset = 156;
constexpr Field kLinkName{157, 100, "link name"};
constexpr Field kMagic{257, 8, "magic"};
constexpr Field kDeviceMajor{329, 8, "device major"};
constexpr Field kDeviceMinor{337, 8, "device minor"};
constexpr Field kPrefix{345, 155, "prefix"};
constexpr Field kStarPrefix{345, 131, "prefix"};
constexpr Field kGnuTimes{345, 24, "atime and ctime"};
constexpr Field kStarTrailer{508, 4, "trailer"};

constexpr std::size_t kGnuSparseOffset = 386;
constexpr std::size_t kGnuSparseCount = 4;
constexpr std::size_t kGnuExtendedOffset = 482;
constexpr Field kGnuRealSize{483, 12, "real size"};
constexpr std::size_t kExtensionCount = 21;
constexpr std::size_t kExtensionExtendedOffset = 504;
constexpr std::size_t kSparseFieldBytes = 12;

ByteView field_of(ByteView block, Field field) {
    return block.subspan(field.offset, field.bytes);
}

Result<std::int64_t> number_of(ByteView block, Field field) {
    return with_context(parse_tar_number(field_of(block, field)),
                        [&] { return std::string{"field "} + field.name; });
}

Result<std::int64_t> parse_base256(ByteView field) {
    auto const first = std::to_integer<unsigned>(field[0]);
    bool const negative = (first & 0x40U) != 0;
    // The mark occupies the first bit; what remains of the byte is sign-extended.
    std::int64_t value = negative ? static_cast<std::int64_t>(first | 0x80U) - 0x100
                                  : static_cast<std::int64_t>(first & 0x7fU);
    for (std::byte const byte : field.subspan(1)) {
        auto const shifted = base::checked_mul<std::int64_t>(value, 256);
        if (!shifted.has_value()) {
            return fail(Errno::einval, "", "a binary number that does not fit 64 bits");
        }
        value = *shifted + std::to_integer<std::int64_t>(byte);
    }
    return value;
}

bool is_blank(char c) {
    return c == ' ' || c == '\0';
}

Result<std::int64_t> parse_octal(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    text = text.substr(0, text.find('\0'));
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    std::int64_t value = 0;  // at most 12 digits: 36 bits
    for (char const c : text) {
        if (c < '0' || c > '7') {
            return fail(Errno::einval, "", "not an octal number: " + base::printable(text));
        }
        value = value * 8 + (c - '0');
    }
    return value;
}

Status check_sum(ByteView block) {
    auto const stored = parse_tar_number(field_of(block, kChecksum));
    std::int64_t as_unsigned = 0;
    std::int64_t as_signed = 0;  // some old writers summed signed characters
    for (std::size_t i = 0; i < block.size(); ++i) {
        bool const blank = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.bytes;
        auto const byte = blank ? std::uint8_t{' '} : std::to_integer<std::uint8_t>(block[i]);
        as_unsigned += byte;
        as_signed += static_cast<std::int8_t>(byte);
    }
    if (!stored.has_value() || (*stored != as_unsigned && *stored != as_signed)) {
        return fail(Errno::einval, "", "no tar header: its checksum is wrong");
    }
    return {};
}

TarFormat format_of(ByteView block) {
    using namespace std::string_view_literals;
    std::string_view const magic = base::text_of(field_of(block, kMagic));
    if (magic == "ustar  \0"sv) {
        return TarFormat::gnu;
    }
    if (!magic.starts_with("ustar\0"sv)) {
        return TarFormat::v7;
    }
    bool const star = base::text_of(field_of(block, kStarTrailer)) == "tar\0"sv;
    return star ? TarFormat::star : TarFormat::ustar;
}

// Go's archive/tar before 1.8 wrote ustar prefixes under the GNU magic, and images of that time are
// still around: where atime and ctime should be there is text, then.
bool is_go_prefix(ByteView block) {
    ByteView const times = field_of(block, kGnuTimes);
    bool const numbers = parse_tar_number(times.first(12)).has_value() &&
                         parse_tar_number(times.subspan(12)).has_value();
    std::string_view const prefix = tar_text(field_of(block, kPrefix));
    return !numbers && std::all_of(prefix.begin(), prefix.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string name_of(ByteView block, TarFormat format) {
    std::string_view const name = tar_text(field_of(block, kName));
    std::string_view prefix;
    if (format == TarFormat::ustar || (format == TarFormat::gnu && is_go_prefix(block))) {
        prefix = tar_text(field_of(block, kPrefix));
    } else if (format == TarFormat::star) {
        prefix = tar_text(field_of(block, kStarPrefix));
    }
    std::string joined{prefix};
    if (!prefix.empty()) {
        joined += '/';
    }
    joined += name;
    return joined;
}

Status parse_sparse_pieces(ByteView fields, GnuSparseHeader& into) {
    for (ByteView rest = fields; !rest.empty(); rest = rest.subspan(2 * kSparseFieldBytes)) {
        if (rest[0] == std::byte{0}) {
            break;  // an unused place, and all after it
        }
        std::int64_t const offset = OBLEA_TRY(parse_tar_number(rest.first(kSparseFieldBytes)));
        std::int64_t const bytes =
            OBLEA_TRY(parse_tar_number(rest.subspan(kSparseFieldBytes, kSparseFieldBytes)));
        if (offset < 0 || bytes < 0) {
            return fail(Errno::einval, "", "a negative number in the map of a sparse file");
        }
        into.pieces.push_back({.offset = static_cast<std::uint64_t>(offset),
                               .bytes = static_cast<std::uint64_t>(bytes)});
    }
    return {};
}

}  // namespace

Result<std::int64_t> parse_tar_number(ByteView field) {
    bool const binary = (std::to_integer<unsigned>(field[0]) & 0x80U) != 0;
    return binary ? parse_base256(field) : parse_octal(base::text_of(field));
}

std::string_view tar_text(ByteView field) {
    std::string_view const text = base::text_of(field);
    return text.substr(0, text.find('\0'));
}

bool is_zero_block(ByteView block) {
    return std::all_of(block.begin(), block.end(),
                       [](std::byte byte) { return byte == std::byte{0}; });
}

Result<TarHeader> parse_tar_header(ByteView block) {
    OBLEA_TRY(check_sum(block));
    TarHeader header;
    header.format = format_of(block);
    header.type = static_cast<char>(block[kTypeOffset]);
    header.name = name_of(block, header.format);
    header.link_name = tar_text(field_of(block, kLinkName));
    header.mode = static_cast<std::uint32_t>(OBLEA_TRY(number_of(block, kMode)) & 07777);
    header.uid = OBLEA_TRY(number_of(block, kUid));
    header.gid = OBLEA_TRY(number_of(block, kGid));
    header.size = OBLEA_TRY(number_of(block, kSize));
    header.mtime = OBLEA_TRY(number_of(block, kMtime));
    if ((header.type == '3' || header.type == '4') && header.format != TarFormat::v7) {
        header.device_major = OBLEA_TRY(number_of(block, kDeviceMajor));
        header.device_minor = OBLEA_TRY(number_of(block, kDeviceMinor));
    }
    return header;
}

Result<GnuSparseHeader> parse_gnu_sparse_header(ByteView block) {
    GnuSparseHeader sparse;
    OBLEA_TRY(parse_sparse_pieces(
        block.subspan(kGnuSparseOffset, 2 * kSparseFieldBytes * kGnuSparseCount), sparse));
    sparse.continued = block[kGnuExtendedOffset] != std::byte{0};
    sparse.real_size = OBLEA_TRY(number_of(block, kGnuRealSize));
    return sparse;
}

Result<GnuSparseHeader> parse_gnu_sparse_extension(ByteView block) {
    GnuSparseHeader sparse;
    OBLEA_TRY(parse_sparse_pieces(block.first(2 * kSparseFieldBytes * kExtensionCount), sparse));
    sparse.continued = block[kExtensionExtendedOffset] != std::byte{0};
    return sparse;
}

}  // namespace oblea::store
