// SPDX-License-Identifier: MIT
// The tar of a layer, made while it is read: planned members first, then archives as they are
// unpacked. Nothing lies on a disk in between.
//
// The same members give the same bytes. Spec: OCI image-spec layer.md.
#pragma once
#include "store/image/archive_reader.h"
#include "tools/build/copy_plan.h"

#include <memory>
#include <optional>
#include <vector>

namespace oblea::tools::build {

// An archive of the source `tree`, unpacked into a folder of the layer.
struct UnpackedArchive {
    SourceTree const* tree = nullptr;
    store::RelPath archive;  // in that tree
    store::RelPath folder;   // in the layer
};

class LayerStream final : public base::ByteSource {
public:
    // `plan` is borrowed, and added to while archives are unpacked. Times later than `latest`
    // become that.
    LayerStream(CopyPlan& plan, std::vector<UnpackedArchive> archives,
                std::optional<std::int64_t> latest);
    ~LayerStream() override;

    // Errors: EIO for a file that changes its size meanwhile; EINVAL for a damaged archive, a path
    // in it that leads out, or a name that layers cannot hold; as the sources.
    Result<std::size_t> read(base::MutableBytes buffer) override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Names, attributes and contents of what was taken from the sources, without times. Reads all
// files, by several threads.
Result<store::Digest> digest_of(CopyMembers const& members);
Result<store::Digest> digest_of_file(SourceTree const& tree, store::RelPath const& path);

}  // namespace oblea::tools::build
