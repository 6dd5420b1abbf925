// SPDX-License-Identifier: MIT
// The hash of a name in a folder, by which lookups find it. FORMAT.md "Hash table".
#pragma once
#include "store/base/hash.h"
#include "store/base/limits.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace oblea::store {

// XXH3-64 with `seed` over the folder's number (4 bytes, little-endian) and the name. The name is
// at most kNameBytesMax long.
[[nodiscard]] inline std::uint64_t name_hash(std::uint64_t seed, std::uint32_t directory,
                                             std::string_view name) {
    std::array<std::byte, sizeof(directory) + limits::kNameBytesMax> key;
    base::store_le(key.data(), directory);
    std::size_t const bytes = std::min(name.size(), limits::kNameBytesMax);
    if (bytes != 0) {
        std::memcpy(key.data() + sizeof(directory), name.data(), bytes);
    }
    return base::xxh3_64(base::ByteView{key}.first(sizeof(directory) + bytes), seed);
}

}  // namespace oblea::store
