// SPDX-License-Identifier: MIT
// A folder as the stream of a tar, the same bytes for the same tree: sorted by name, with owners,
// modes, times to the nanosecond, xattrs, hard links, devices and holes.
//
// Left out: sockets, which live in no image; what is mounted below the folder, unless it is asked
// for (the mount point itself stays, empty); and xattrs that belong to this machine
// (security.selinux, trusted.overlay). Reading fails when a file changes its size meanwhile.
#pragma once
#include "store/base/byte_source.h"
#include "store/base/unique_fd.h"
#include "store/index/types.h"

#include <memory>
#include <optional>
#include <vector>

namespace oblea::store {

struct TarOwner {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

// One step of a tar that holds a part of a folder.
struct TarStep {
    enum class Kind {
        member,       // what is at `path`, and of a folder nothing that is in it
        tree,         // the folder at `path` with everything in it
        whiteout,     // hides what lower layers have at `path`
        opaque_tree,  // a tree that hides what lower layers have in this folder
    };
    RelPath path;
    Kind kind = Kind::member;
    std::optional<TarOwner> owner = {};  // of the member, in place of FolderTarOptions::owner
};

struct FolderTarOptions {
    // Times later than this become this (SOURCE_DATE_EPOCH).
    std::optional<std::int64_t> latest = {};
    // Everything belongs to it, whoever owns the files.
    std::optional<TarOwner> owner = {};
    enum class Mounted { left_out, included } mounted = Mounted::left_out;  // below the folder
};

class FolderTar final : public base::ByteSource {
public:
    // The whole folder.
    FolderTar(base::UniqueFd folder, FolderTarOptions options);
    // A layer: these steps, in this order. What is not there any more is passed over. Reading fails
    // with EINVAL for a name that begins with ".wh.", which in a layer means something else. Spec:
    // OCI image-spec layer.md "Whiteouts".
    FolderTar(base::UniqueFd folder, std::vector<TarStep> steps, FolderTarOptions options);
    ~FolderTar() override;

    Result<std::size_t> read(base::MutableBytes buffer) override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::store
