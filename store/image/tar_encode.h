// SPDX-License-Identifier: MIT
// Headers of tar members: ustar, with pax records where ustar cannot say it.
//
// Pure and deterministic: the same member gives the same bytes on every machine.
// Spec: POSIX pax "ustar Interchange Format", "pax Extended Header"; OCI image-spec layer.md for
// xattrs (SCHILY.xattr.); GNU tar manual "PAX Format, Version 1.0" for sparse files.
#pragma once
#include "store/index/types.h"
#include "store/layer/tar_header.h"

#include <string>
#include <vector>

namespace oblea::store {

struct TarPiece {  // of a sparse file
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

struct TarMemberHeader {
    std::string path;  // a RelPath as text; "." is the root
    FileType type = FileType::regular;
    std::uint32_t permissions = 0;
    std::uint64_t uid = 0;
    std::uint64_t gid = 0;
    std::uint64_t size = 0;  // regular: of the file, holes too
    Timestamp mtime;
    DeviceNumber device;
    std::string link_target;  // of a symlink, or of a hard link
    enum class Link { none, hard } link = Link::none;
    Xattrs xattrs;
    // Not empty: the contents that follow are those of the pieces, and the rest is a hole.
    std::vector<TarPiece> pieces;
};

// Everything that goes before the contents. Errors: EINVAL for an xattr's name that pax cannot
// hold.
Result<std::string> encode_tar_header(TarMemberHeader const& member);

// How many bytes of contents follow the header.
[[nodiscard]] std::uint64_t stored_bytes(TarMemberHeader const& member);

// Zeros after contents of this length.
[[nodiscard]] constexpr std::size_t tar_padding(std::uint64_t bytes) {
    return static_cast<std::size_t>((kTarBlockBytes - bytes % kTarBlockBytes) % kTarBlockBytes);
}

// What ends a tar.
[[nodiscard]] inline std::string tar_end() {
    std::string zeros(2 * kTarBlockBytes, '\0');
    return zeros;
}

}  // namespace oblea::store
