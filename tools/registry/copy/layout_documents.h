// SPDX-License-Identifier: MIT
// The documents of an OCI layout. Pure.
//
// Spec: OCI image-spec image-layout.md.
#pragma once
#include "tools/registry/copy/copy_place.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

inline constexpr char const* kLayoutVersion = R"({"imageLayoutVersion":"1.0.0"})";

struct LayoutEntry {
    std::string media_type;
    base::Digest digest;
    std::uint64_t bytes = 0;
    CopyName name;
};

[[nodiscard]] LayoutEntry layout_entry(RemoteManifest const& manifest, CopyName const& name);

// `before` with the entries added, each in place of those of its name; all else stays as it was.
// Empty stands for a layout without images. Errors: EINVAL for what is no index.
Result<std::string> with_entries(std::string_view before, std::vector<LayoutEntry> const& entries);

}  // namespace oblea::registry
