// SPDX-License-Identifier: MIT
// What a layer may ask of this machine, as its administrator says; beside them stand the fixed
// bounds of limits.h. Going past one is E2BIG, and names it.
#pragma once
#include "store/base/error.h"
#include "store/base/limits.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::store {

struct LayerLimits {
    std::uint64_t entries = limits::kLayerEntriesMax;    // members of the tar
    std::uint64_t depth = limits::kPathDepthMax;         // components of a path
    std::uint64_t file_bytes = limits::kFileBytesMax;    // of one file, holes and all
    std::uint64_t layer_bytes = limits::kFileBytesMax;   // of the tar
    std::uint64_t xattr_bytes = limits::kXattrBytesMax;  // of one file: names and values
    // Bytes of the tar for each byte of the stream, once the tar is 64 MiB long. The default is out
    // of reach: gzip makes at most 1032 of one, zstd some 40,000, both of zeros, which are no
    // attack by themselves.
    std::uint64_t ratio = 100'000;
};

struct LayerLimitField {
    char const* name;
    std::uint64_t LayerLimits::* value;
};
inline constexpr std::array kLayerLimitFields = {
    LayerLimitField{"entries", &LayerLimits::entries},
    LayerLimitField{"depth", &LayerLimits::depth},
    LayerLimitField{"file_bytes", &LayerLimits::file_bytes},
    LayerLimitField{"layer_bytes", &LayerLimits::layer_bytes},
    LayerLimitField{"xattr_bytes", &LayerLimits::xattr_bytes},
    LayerLimitField{"ratio", &LayerLimits::ratio},
};

// Of words like "depth=100". Errors: EINVAL for an unknown name or what is no number.
Result<LayerLimits> parse_layer_limits(std::vector<std::string> const& words);

// Nothing when `value` is within the limit of that name. Errors: E2BIG naming both.
Status expect_within(LayerLimits const& limits, std::string_view name, std::uint64_t value);

}  // namespace oblea::store
