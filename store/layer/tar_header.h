// SPDX-License-Identifier: MIT
// One 512-byte block of a tar, parsed: v7, ustar, star and GNU headers and their number fields.
//
// Pure functions over borrowed bytes; safe from any thread. Nothing here knows of extension
// headers, which tar_reader.h joins with it.
// Spec: POSIX pax "ustar Interchange Format"; GNU tar manual "Basic Tar Format"; star(5).
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/layer/sparse.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::store {

inline constexpr std::size_t kTarBlockBytes = 512;

enum class TarFormat { v7, ustar, star, gnu };

struct TarHeader {
    TarFormat format = TarFormat::v7;
    char type = '0';
    std::string name;  // prefix and name joined
    std::string link_name;
    std::uint32_t mode = 0;
    std::int64_t uid = 0;
    std::int64_t gid = 0;
    std::int64_t size = 0;
    std::int64_t mtime = 0;
    std::int64_t device_major = 0;  // types '3' and '4' only
    std::int64_t device_minor = 0;
};

// Octal digits with blanks around them, or base-256, two's complement, when the first bit is set.
// An empty field is 0. Errors: EINVAL for anything else, and for what 64 bits do not hold.
Result<std::int64_t> parse_tar_number(base::ByteView field);

[[nodiscard]] bool is_zero_block(base::ByteView block);

// Errors: EINVAL naming the field; for a wrong checksum the text says that this is no tar header.
Result<TarHeader> parse_tar_header(base::ByteView block);

// A field up to its first NUL, or all of it.
[[nodiscard]] std::string_view tar_text(base::ByteView field);

// Fields of the old GNU sparse header, type 'S'.
struct GnuSparseHeader {
    std::vector<SparsePiece> pieces;
    bool continued = false;      // a block of further pieces follows
    std::int64_t real_size = 0;  // of the first block only
};
Result<GnuSparseHeader> parse_gnu_sparse_header(base::ByteView block);
Result<GnuSparseHeader> parse_gnu_sparse_extension(base::ByteView block);

}  // namespace oblea::store
