// SPDX-License-Identifier: MIT
#include "tools/build/copy_plan.h"

#include "tools/images/path_in_image.h"

#include <fmt/format.h>

namespace oblea::tools::build {

using store::FileType;
using store::RelPath;
using Links = CopyDestination::Links;

namespace {

constexpr std::uint32_t kFolderPermissions = 0755;

Result<RelPath> path_of(std::vector<std::string> const& names) {
    RelPath path;
    for (std::string const& name : names) {
        path = path / OBLEA_TRY(store::Name::parse(name));
    }
    return path;
}

std::unexpected<Error> no_folder(RelPath const& path) {
    return fail(
        Errno::enotdir, "",
        fmt::format("cannot copy to non-directory: {}", base::printable('/' + path.string())));
}

}  // namespace

CopyPlan::CopyPlan(std::shared_ptr<store::ImageView const> below, CopyOwnership ownership,
                   store::Timestamp now)
    : below_(std::move(below)), below_tree_(image_tree(below_)), ownership_(std::move(ownership)),
      now_(now) {}

Status CopyPlan::add(CopySourcePath const& source, CopyDestination const& destination,
                     Exclude const& exclude) {
    auto node = OBLEA_TRY(source.tree->look(source.path));
    if (!node.has_value()) {
        return fail(Errno::enoent, "", base::printable(source.path.string()));
    }
    if (node->attr.type != FileType::directory && exclude && exclude(source.path)) {
        return {};
    }
    RelPath target = OBLEA_TRY(find(destination));
    auto const there = OBLEA_TRY(look(target));
    bool const folder_there = there.has_value() && there->attr.type == FileType::directory;
    if (node->attr.type == FileType::directory) {
        if (there.has_value() && !folder_there) {
            return no_folder(target);
        }
        OBLEA_TRY(make_folders(folder_there ? target : target.parent(), destination.links));
        if (!folder_there) {
            OBLEA_TRY(put(target, source, *std::move(node)));
        }
        auto const names = OBLEA_TRY(source.tree->list(source.path));
        for (std::string const& name : names) {
            store::Name const child = OBLEA_TRY(store::Name::parse(name));
            OBLEA_TRY(add_tree({.tree = source.tree, .path = source.path / child, .name = name},
                               target / child, destination.links, exclude));
        }
        return {};
    }
    bool const into = destination.kind == CopyDestination::Kind::folder || folder_there;
    if (into) {
        if (there.has_value() && !folder_there) {
            return no_folder(target);
        }
        OBLEA_TRY(make_folders(target, destination.links));
        target = target / OBLEA_TRY(store::Name::parse(source.name));
    } else {
        OBLEA_TRY(make_folders(target.parent(), destination.links));
    }
    return put(target, source, *std::move(node));
}

Result<RelPath> CopyPlan::add_folder(CopyDestination const& destination) {
    RelPath target = OBLEA_TRY(find(destination));
    OBLEA_TRY(make_folders(target, destination.links));
    return target;
}

Result<RelPath> CopyPlan::place_unpacked(RelPath const& folder, RelPath const& path) {
    std::string const typed = '/' + folder.string() + '/' + path.parent().string();
    RelPath const parent = OBLEA_TRY(find({.path = typed}));
    OBLEA_TRY(make_folders(parent, Links::follow));
    return path.is_root()
               ? parent
               : Result<RelPath>{parent / OBLEA_TRY(store::Name::parse(path.filename()))};
}

SourceNode CopyPlan::with_ownership(SourceNode node) const {
    return changed(std::move(node), ownership_.owner);
}

SourceNode CopyPlan::with_archive_ownership(SourceNode node) const {
    return changed(std::move(node), ownership_.archive_owner);
}

SourceNode CopyPlan::changed(SourceNode node, std::optional<store::TarOwner> const& owner) const {
    if (owner.has_value()) {
        node.attr.uid = owner->uid;
        node.attr.gid = owner->gid;
    }
    if (ownership_.permissions.has_value() && node.attr.type != FileType::symlink) {
        node.attr.permissions = *ownership_.permissions;
    }
    return node;
}

Result<RelPath> CopyPlan::find(CopyDestination const& destination) const {
    if (destination.links == Links::ignore) {
        return RelPath::parse(destination.path);
    }
    auto const reached = OBLEA_TRY(walk_path(below_->tree(), destination.path, LastLink::follow));
    return path_of(reached.names);
}

// What is there already, by this layer or those below.
Result<std::optional<SourceNode>> CopyPlan::look(RelPath const& path) const {
    if (auto const own = members_.find(path); own != members_.end()) {
        return std::optional{own->second.node};
    }
    return below_tree_->look(path);
}

Status CopyPlan::make_folders(RelPath const& path, Links links) {
    if (path.is_root() || members_.contains(path)) {
        auto const there = OBLEA_TRY(look(path));
        bool const folder = path.is_root() || there->attr.type == FileType::directory;
        return folder ? Status{} : Status{no_folder(path)};
    }
    OBLEA_TRY(make_folders(path.parent(), links));
    auto there = OBLEA_TRY(below_tree_->look(path));
    CopyMember member;
    if (there.has_value() && links == Links::follow) {
        if (there->attr.type != FileType::directory) {
            return no_folder(path);
        }
        // With its attributes: tools that unpack a layer by itself would make them up.
        member.from = CopyMember::From::below;
        member.node = *std::move(there);
    } else {
        member.from = CopyMember::From::made;
        member.node.attr.type = FileType::directory;
        member.node.attr.permissions = kFolderPermissions;
        member.node.attr.mtime = now_;
        if (ownership_.owner.has_value()) {
            member.node.attr.uid = ownership_.owner->uid;
            member.node.attr.gid = ownership_.owner->gid;
        }
    }
    members_.emplace(path, std::move(member));
    return {};
}

Status CopyPlan::add_tree(CopySourcePath const& source, RelPath target, Links links,
                          Exclude const& exclude) {
    auto node = OBLEA_TRY(source.tree->look(source.path));
    bool const excluded = exclude && exclude(source.path);
    if (!node.has_value() || (excluded && node->attr.type != FileType::directory)) {
        return {};  // left out
    }
    if (node->attr.type != FileType::directory) {
        return put(target, source, *std::move(node));
    }
    auto there = OBLEA_TRY(look(target));
    if (there.has_value() && there->attr.type == FileType::symlink && links == Links::follow) {
        // As in /lib of today's systems: what goes into it goes where it leads.
        target = OBLEA_TRY(find({.path = '/' + target.string()}));
        there = OBLEA_TRY(look(target));
    }
    if (there.has_value() && there->attr.type != FileType::directory) {
        return no_folder(target);
    }
    if (!excluded) {
        OBLEA_TRY(make_folders(target.parent(), links));
        OBLEA_TRY(put(target, source, *std::move(node)));
    }
    auto const names = OBLEA_TRY(source.tree->list(source.path));
    for (std::string const& name : names) {
        store::Name const child = OBLEA_TRY(store::Name::parse(name));
        OBLEA_TRY(add_tree({.tree = source.tree, .path = source.path / child, .name = name},
                           target / child, links, exclude));
    }
    return {};
}

Status CopyPlan::put(RelPath const& target, CopySourcePath const& source, SourceNode node) {
    auto const there = OBLEA_TRY(look(target));
    bool const folder = node.attr.type == FileType::directory;
    if (there.has_value() && !folder && there->attr.type == FileType::directory) {
        return fail(Errno::eisdir, "",
                    fmt::format("cannot replace the folder {} by a file",
                                base::printable('/' + target.string())));
    }
    OBLEA_TRY(make_folders(target.parent(), Links::follow));
    members_.insert_or_assign(target, CopyMember{.from = CopyMember::From::source,
                                                 .node = with_ownership(std::move(node)),
                                                 .tree = source.tree,
                                                 .source = source.path});
    return {};
}

}  // namespace oblea::tools::build
