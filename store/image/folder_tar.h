// SPDX-License-Identifier: MIT
// A folder as the stream of a tar, the same bytes for the same tree: sorted by name, with owners,
// modes, times to the nanosecond, xattrs, hard links, devices and holes.
//
// Left out: sockets, which live in no image; what is mounted below the folder (the mount point
// itself stays, empty); and xattrs that belong to this machine (security.selinux, trusted.overlay).
// Reading fails when a file changes its size meanwhile.
#pragma once
#include "store/base/byte_source.h"
#include "store/base/unique_fd.h"
#include "store/index/types.h"

#include <memory>
#include <optional>

namespace oblea::store {

class FolderTar final : public base::ByteSource {
public:
    // Times later than `latest` become `latest` (SOURCE_DATE_EPOCH).
    FolderTar(base::UniqueFd folder, std::optional<std::int64_t> latest);
    ~FolderTar() override;

    Result<std::size_t> read(base::MutableBytes buffer) override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::store
