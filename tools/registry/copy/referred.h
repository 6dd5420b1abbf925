// SPDX-License-Identifier: MIT
// What a manifest or an index refers to, whatever it is made of. Pure.
#pragma once
#include "store/base/hash.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

struct ReferredBlob {
    base::Digest digest;
    std::uint64_t bytes = 0;
    bool operator==(ReferredBlob const&) const = default;
};
struct Referred {
    std::vector<ReferredBlob> blobs;      // config and layers, each once
    std::vector<ReferredBlob> manifests;  // of an index
};
// Of artifacts too. Layers that are not distributed are left out. Errors: EINVAL, E2BIG.
Result<Referred> parse_referred(std::string_view manifest, std::string_view what);

// The media type of a manifest or an index: `declared`, else what the document says, else what it
// looks like.
[[nodiscard]] std::string manifest_type(std::string_view manifest, std::string_view declared);

}  // namespace oblea::registry
