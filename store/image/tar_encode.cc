// SPDX-License-Identifier: MIT
#include "store/image/tar_encode.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::store {

namespace {

constexpr std::size_t kNameBytes = 100;
constexpr std::uint64_t kIdMax = 07777777;
constexpr std::uint64_t kSizeMax = 077777777777;
constexpr std::int64_t kTimeMax = 077777777777;

char type_flag(TarMemberHeader const& member) {
    if (member.link == TarMemberHeader::Link::hard) {
        return '1';
    }
    switch (member.type) {
    case FileType::regular:
        return '0';
    case FileType::symlink:
        return '2';
    case FileType::char_device:
        return '3';
    case FileType::block_device:
        return '4';
    case FileType::directory:
        return '5';
    case FileType::fifo:
    case FileType::socket:
        return '6';
    }
    return '0';
}

// Octal digits with a NUL behind; what does not fit is said by a pax record.
void put_number(std::string& block, std::size_t offset, std::size_t width, std::uint64_t value) {
    std::string const digits = fmt::format("{:0{}o}", value, width - 1);
    if (digits.size() == width - 1) {
        block.replace(offset, digits.size(), digits);
    } else {
        block.replace(offset, width - 1, std::string(width - 1, '0'));
    }
}

void put_text(std::string& block, std::size_t offset, std::size_t width, std::string_view text) {
    auto const part = text.substr(0, width);
    block.replace(offset, part.size(), part);
}

struct Block {
    std::string_view name;
    std::string_view link;
    std::uint64_t permissions = 0;
    std::uint64_t uid = 0;
    std::uint64_t gid = 0;
    std::uint64_t size = 0;
    std::uint64_t mtime = 0;
    DeviceNumber device;
    char flag = '0';
};

std::string encode_block(Block const& fields) {
    constexpr std::size_t kChecksum = 148;
    std::string block(kTarBlockBytes, '\0');
    put_text(block, 0, kNameBytes, fields.name);
    put_number(block, 100, 8, fields.permissions);
    put_number(block, 108, 8, fields.uid);
    put_number(block, 116, 8, fields.gid);
    put_number(block, 124, 12, fields.size);
    put_number(block, 136, 12, fields.mtime);
    block.replace(kChecksum, 8, "        ");
    block[156] = fields.flag;
    put_text(block, 157, kNameBytes, fields.link);
    block.replace(257, 8,
                  std::string{"ustar\0"
                              "00",
                              8});
    put_number(block, 329, 8, fields.device.major);
    put_number(block, 337, 8, fields.device.minor);
    unsigned sum = 0;
    for (char const c : block) {
        sum += static_cast<unsigned char>(c);
    }
    block.replace(kChecksum, 7, fmt::format("{:06o}", sum) + '\0');
    return block;
}

// "<length> <key>=<value>\n", where the length counts its own digits.
std::string encode_record(std::string_view key, std::string_view value) {
    std::size_t const rest = key.size() + value.size() + 3;
    std::size_t length = rest + 1;
    while (fmt::formatted_size("{}", length) + rest != length) {
        length = fmt::formatted_size("{}", length) + rest;
    }
    return fmt::format("{} {}={}\n", length, key, value);
}

// Seconds with as many decimals as there are; negative times count down from the second.
std::string encode_time(Timestamp const& time) {
    if (time.nanoseconds == 0) {
        return std::to_string(time.seconds);
    }
    bool const negative = time.seconds < 0;
    auto const seconds = negative ? time.seconds + 1 : time.seconds;
    auto const nanoseconds = negative ? 1'000'000'000U - time.nanoseconds : time.nanoseconds;
    std::string text =
        fmt::format("{}{}.{:09}", negative && seconds == 0 ? "-" : "", seconds, nanoseconds);
    text.erase(text.find_last_not_of('0') + 1);
    return text;
}

std::string encode_sparse_map(TarMemberHeader const& member) {
    std::string map = fmt::format("{}\n", member.pieces.size());
    for (TarPiece const& piece : member.pieces) {
        map += fmt::format("{}\n{}\n", piece.offset, piece.bytes);
    }
    map.append(tar_padding(map.size()), '\0');
    return map;
}

std::string encode_records(TarMemberHeader const& member, std::string const& name,
                           std::uint64_t block_size) {
    std::string records;
    if (member.pieces.empty()) {
        records += name.size() > kNameBytes ? encode_record("path", name) : "";
    } else {
        records += encode_record("GNU.sparse.major", "1");
        records += encode_record("GNU.sparse.minor", "0");
        records += encode_record("GNU.sparse.name", name);
        records += encode_record("GNU.sparse.realsize", std::to_string(member.size));
    }
    if (member.link_target.size() > kNameBytes) {
        records += encode_record("linkpath", member.link_target);
    }
    if (block_size > kSizeMax) {
        records += encode_record("size", std::to_string(block_size));
    }
    if (member.uid > kIdMax) {
        records += encode_record("uid", std::to_string(member.uid));
    }
    if (member.gid > kIdMax) {
        records += encode_record("gid", std::to_string(member.gid));
    }
    if (member.mtime.nanoseconds != 0 || member.mtime.seconds < 0 ||
        member.mtime.seconds > kTimeMax) {
        records += encode_record("mtime", encode_time(member.mtime));
    }
    for (auto const& [key, value] : member.xattrs) {
        records += encode_record("SCHILY.xattr." + key, value);
    }
    return records;
}

}  // namespace

std::uint64_t stored_bytes(TarMemberHeader const& member) {
    if (member.type != FileType::regular || member.link == TarMemberHeader::Link::hard) {
        return 0;
    }
    if (member.pieces.empty()) {
        return member.size;
    }
    std::uint64_t bytes = 0;
    for (TarPiece const& piece : member.pieces) {
        bytes += piece.bytes;
    }
    return bytes;
}

Result<std::string> encode_tar_header(TarMemberHeader const& member) {
    for (auto const& [key, value] : member.xattrs) {
        if (key.find('=') != std::string::npos) {
            return fail(
                Errno::einval, "",
                fmt::format("{}: the attribute \"{}\" cannot be kept in a tar", member.path, key));
        }
    }
    std::string const name = member.type == FileType::directory ? member.path + '/' : member.path;
    std::string const map = member.pieces.empty() ? "" : encode_sparse_map(member);
    std::uint64_t const block_size = map.size() + stored_bytes(member);
    std::string const records = encode_records(member, name, block_size);
    std::string header;
    if (!records.empty()) {
        header += encode_block({.name = "pax",
                                .link = {},
                                .permissions = 0644,
                                .uid = 0,
                                .gid = 0,
                                .size = records.size(),
                                .mtime = 0,
                                .device = {},
                                .flag = 'x'});
        header += records;
        header.append(tar_padding(records.size()), '\0');
    }
    bool const is_device =
        member.type == FileType::char_device || member.type == FileType::block_device;
    auto const seconds = std::clamp<std::int64_t>(member.mtime.seconds, 0, kTimeMax);
    header += encode_block({.name = name,
                            .link = member.link_target,
                            .permissions = member.permissions,
                            .uid = std::min(member.uid, kIdMax),
                            .gid = std::min(member.gid, kIdMax),
                            .size = block_size <= kSizeMax ? block_size : 0,
                            .mtime = static_cast<std::uint64_t>(seconds),
                            .device = is_device ? member.device : DeviceNumber{},
                            .flag = type_flag(member)});
    return header + map;
}

}  // namespace oblea::store
