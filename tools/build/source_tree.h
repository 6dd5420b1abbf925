// SPDX-License-Identifier: MIT
// A tree that COPY and ADD take from: an image's, or the context.
//
// Nothing that is in it leads out of it: paths are followed inside. Const methods are safe from any
// thread.
#pragma once
#include "store/base/byte_source.h"
#include "store/image/image_view.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace oblea::tools::build {

struct SourceNode {
    store::InodeAttr attr;
    std::string link_target;  // of a symlink
    store::Xattrs xattrs;
    // The same for all names of one file; 0: it has no other.
    std::uint64_t link_id = 0;
};

class SourceTree {
public:
    SourceTree() = default;
    SourceTree(SourceTree const&) = delete;
    SourceTree& operator=(SourceTree const&) = delete;
    virtual ~SourceTree() = default;

    // Where the path really is, with all links followed, also at its end; nullopt: nothing is
    // there.
    [[nodiscard]] virtual Result<std::optional<store::RelPath>>
    follow(store::RelPath const& path) const = 0;
    // What is at a path without links in its middle; nullopt: nothing, or it is left out.
    [[nodiscard]] virtual Result<std::optional<SourceNode>>
    look(store::RelPath const& path) const = 0;
    // The names in a folder, sorted.
    [[nodiscard]] virtual Result<std::vector<std::string>>
    list(store::RelPath const& folder) const = 0;
    // The contents of a regular file.
    [[nodiscard]] virtual Result<std::unique_ptr<base::ByteSource>>
    open(store::RelPath const& file) const = 0;
};

std::unique_ptr<SourceTree> image_tree(std::shared_ptr<store::ImageView const> view);

}  // namespace oblea::tools::build
