// SPDX-License-Identifier: MIT
// What COPY and ADD put where: the members of a layer, in the order in which its tar has them.
//
// Reads trees and writes nothing. Destinations are followed through the links of the image below,
// with its root as the root; folders that are there keep what they are. Spec: Dockerfile reference
// "COPY", "ADD"; deviations are in tools/build/README.md.
#pragma once
#include "store/image/folder_tar.h"
#include "tools/build/source_tree.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace oblea::tools::build {

struct CopyMember {
    enum class From {
        below,   // a folder on the way, as the image has it
        made,    // a folder that nothing had
        source,  // what is copied
    } from = From::source;
    SourceNode node;                   // as the layer has it
    SourceTree const* tree = nullptr;  // regular files: where the contents are
    store::RelPath source;             // in that tree
};
// By the path in the layer: a folder comes before what is in it.
using CopyMembers = std::map<store::RelPath, CopyMember>;

struct CopyOwnership {
    std::optional<store::TarOwner> owner = {};          // of what is copied
    std::optional<store::TarOwner> archive_owner = {};  // of what is unpacked; else the archive's
    std::optional<std::uint32_t> permissions = {};      // --chmod
};

// One thing that is taken.
struct CopySourcePath {
    SourceTree const* tree = nullptr;
    store::RelPath path;  // without links; the root too
    std::string name;     // how a file is called in a folder
};

struct CopyDestination {
    std::string path;                                  // absolute
    enum class Kind { any, folder } kind = Kind::any;  // folder: written with a closing slash
    enum class Links { follow, ignore } links = Links::follow;  // ignore: --link
};

class CopyPlan {
public:
    // `now` is the time of folders that are made.
    CopyPlan(std::shared_ptr<store::ImageView const> below, CopyOwnership ownership,
             store::Timestamp now);

    // What is left out; may be empty. Paths are those in the source's tree.
    using Exclude = std::function<bool(store::RelPath const&)>;

    // Docker's rules: a folder's contents go into the destination, a file becomes it or goes into
    // it. Errors: ENOTDIR, EISDIR where the image or an earlier source has something else there.
    Status add(CopySourcePath const& source, CopyDestination const& destination,
               Exclude const& exclude = {});

    // A folder that is there afterwards; its path in the layer. Errors: ENOTDIR.
    Result<store::RelPath> add_folder(CopyDestination const& destination);

    // Where a member of an archive that is unpacked into `folder` goes, its parents added. `path`
    // is the one in the archive. Errors: as add().
    Result<store::RelPath> place_unpacked(store::RelPath const& folder, store::RelPath const& path);

    [[nodiscard]] CopyMembers const& members() const { return members_; }
    [[nodiscard]] SourceNode with_ownership(SourceNode node) const;
    [[nodiscard]] SourceNode with_archive_ownership(SourceNode node) const;

private:
    [[nodiscard]] SourceNode changed(SourceNode node,
                                     std::optional<store::TarOwner> const& owner) const;
    [[nodiscard]] Result<store::RelPath> find(CopyDestination const& destination) const;
    [[nodiscard]] Result<std::optional<SourceNode>> look(store::RelPath const& path) const;
    Status make_folders(store::RelPath const& path, CopyDestination::Links links);
    Status add_tree(CopySourcePath const& source, store::RelPath target,
                    CopyDestination::Links links, Exclude const& exclude);
    Status put(store::RelPath const& target, CopySourcePath const& source, SourceNode node);

    std::shared_ptr<store::ImageView const> below_;
    std::unique_ptr<SourceTree> below_tree_;
    CopyOwnership ownership_;
    store::Timestamp now_;
    CopyMembers members_;
};

}  // namespace oblea::tools::build
