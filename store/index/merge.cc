// SPDX-License-Identifier: MIT
#include "store/index/merge.h"

#include "store/base/limits.h"
#include "store/index/encode_index.h"

#include <algorithm>

namespace oblea::store {

namespace {

using EntryId = TreeDraft::EntryId;
using InodeId = TreeDraft::InodeId;

// Of inodes and entries of all layers together, also of those that do not remain: numbers of the
// draft have 32 bits, and the highest mean "none".
constexpr std::uint64_t kTableMax = 0xffff'fff0U;

// Puts one layer onto the tree of those below it.
class LayerApplication {
public:
    LayerApplication(TreeDraft& tree, Index const& layer, LayerPos position)
        : tree_(tree), layer_(layer), position_(position) {}

    Status run();

private:
    Status resolve_external_links();
    Result<InodeId> resolve_external_link(Dirent const& link) const;
    Status apply_folder(InodeNo number);
    Status apply_entry(InodeId folder, Dirent const& dirent);
    Status apply_subfolder(EntryId id, Dirent const& dirent);
    Status describe(InodeId folder, InodeNo number);
    Result<TreeDraft::Inode> copy_inode(InodeNo number);
    Result<Xattrs> copy_xattrs(InodeNo number) const;
    InodeId& mapped(InodeNo number) { return mapped_[static_cast<std::size_t>(number)]; }
    [[nodiscard]] std::unexpected<Error> damaged(std::string_view what) const {
        std::string text = "layer " + std::to_string(static_cast<std::uint32_t>(position_));
        text += ": damaged index: ";
        text += what;
        return fail(Errno::euclean, "", std::move(text));
    }

    TreeDraft& tree_;
    Index const& layer_;
    LayerPos position_;
    std::vector<InodeId> mapped_;  // by the layer's inode number
    std::vector<InodeId> links_;   // ends of the external links, in the order of the entries
    std::size_t links_used_ = 0;
};

Status LayerApplication::run() {
    if (tree_.inode_count() + layer_.inode_count() > kTableMax) {
        return fail(Errno::eoverflow, "", "too many inodes to merge");
    }
    mapped_.assign(std::size_t{layer_.inode_count()} + 1, InodeId::none);
    // Before anything changes: links lead to what the layers below show.
    OBLEA_TRY(resolve_external_links());
    mapped(InodeNo::root) = InodeId::root;
    OBLEA_TRY(describe(InodeId::root, InodeNo::root));
    // A folder's number is greater than its parent's, so each is mapped when its turn comes.
    for (std::uint32_t number = 1; number <= layer_.inode_count(); ++number) {
        if (OBLEA_TRY(layer_.attr(InodeNo{number})).type == FileType::directory) {
            OBLEA_TRY(apply_folder(InodeNo{number}));
        }
    }
    return {};
}

Status LayerApplication::resolve_external_links() {
    for (std::uint32_t number = 1; number <= layer_.inode_count(); ++number) {
        if (OBLEA_TRY(layer_.attr(InodeNo{number})).type != FileType::directory) {
            continue;
        }
        std::uint32_t const count = OBLEA_TRY(layer_.entry_count(InodeNo{number}));
        for (std::uint32_t i = 0; i < count; ++i) {
            Dirent const dirent = OBLEA_TRY(layer_.entry(InodeNo{number}, i));
            if (dirent.kind == DirentKind::external_link) {
                links_.push_back(OBLEA_TRY(resolve_external_link(dirent)));
            }
        }
    }
    return {};
}

Result<InodeId> LayerApplication::resolve_external_link(Dirent const& link) const {
    InodeId at = InodeId::root;
    for (std::string_view rest = link.external_link_target; !rest.empty();) {
        auto const slash = std::min(rest.find('/'), rest.size());
        EntryId const id =
            tree_.is_directory(at) ? tree_.find(at, rest.substr(0, slash)) : EntryId::none;
        at = id == EntryId::none ? InodeId::none : tree_.entry(id).inode;
        if (at == InodeId::none) {
            break;
        }
        rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    if (at != InodeId::none && !tree_.is_directory(at)) {
        return at;
    }
    return fail(Errno::einval, "",
                "layer " + std::to_string(static_cast<std::uint32_t>(position_)) +
                    ": the hard link " + base::printable(link.name) + " leads to " +
                    base::printable(link.external_link_target) +
                    (at == InodeId::none ? ", which no layer below it has"
                                         : ", which is a folder in the layers below it"));
}

Status LayerApplication::apply_folder(InodeNo number) {
    InodeId const folder = mapped(number);
    if (folder == InodeId::none) {
        return damaged("a folder before its parent, or without one");
    }
    if (OBLEA_TRY(layer_.is_opaque(number))) {
        tree_.clear(folder);
    }
    std::uint32_t const count = OBLEA_TRY(layer_.entry_count(number));
    if (tree_.entry_count() + count > kTableMax) {
        return fail(Errno::eoverflow, "", "too many entries to merge");
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        Dirent const dirent = OBLEA_TRY(layer_.entry(number, i));
        OBLEA_TRY(apply_entry(folder, dirent));
    }
    return {};
}

Status LayerApplication::apply_entry(InodeId folder, Dirent const& dirent) {
    if (dirent.kind == DirentKind::whiteout) {
        EntryId const hidden = tree_.find(folder, dirent.name);
        if (hidden != EntryId::none) {
            tree_.remove(hidden);
        }
        return {};
    }
    EntryId const id = tree_.find_or_add(folder, dirent.name);
    if (dirent.kind == DirentKind::external_link) {
        tree_.set_inode(id, links_[links_used_++]);
        return {};
    }
    FileType const type = OBLEA_TRY(layer_.attr(dirent.ino)).type;
    if (type != dirent.type) {
        return damaged("an entry and its inode differ in type");
    }
    if (type == FileType::directory) {
        return apply_subfolder(id, dirent);
    }
    if (mapped(dirent.ino) == InodeId::none) {
        mapped(dirent.ino) = tree_.add_inode(OBLEA_TRY(copy_inode(dirent.ino)));
    }
    tree_.set_inode(id, mapped(dirent.ino));
    return {};
}

Status LayerApplication::apply_subfolder(EntryId id, Dirent const& dirent) {
    if (mapped(dirent.ino) != InodeId::none) {
        return damaged("a folder with two parents");
    }
    if (tree_.leads_to_directory(id)) {
        mapped(dirent.ino) = tree_.entry(id).inode;
        return describe(mapped(dirent.ino), dirent.ino);
    }
    mapped(dirent.ino) = tree_.add_inode(OBLEA_TRY(copy_inode(dirent.ino)));
    tree_.set_inode(id, mapped(dirent.ino));
    return {};
}

// A folder over a folder: the upper one's attributes, unless nobody has given it any. The root of
// the lowest layer has nothing below it and is taken as it is.
Status LayerApplication::describe(InodeId folder, InodeNo number) {
    bool const nothing_below = tree_.inode(folder).origin.ino == InodeNo::none;
    if (OBLEA_TRY(layer_.is_implicit(number)) && !nothing_below) {
        return {};
    }
    TreeDraft::Inode const upper = OBLEA_TRY(copy_inode(number));
    TreeDraft::Inode& shown = tree_.inode(folder);
    shown.attr = upper.attr;
    shown.xattrs = upper.xattrs;
    shown.origin = upper.origin;
    shown.implicit = upper.implicit;
    return {};
}

Result<TreeDraft::Inode> LayerApplication::copy_inode(InodeNo number) {
    TreeDraft::Inode copy;
    copy.attr = OBLEA_TRY(layer_.attr(number));
    copy.origin = {position_, number};
    copy.xattrs = tree_.add_xattrs(OBLEA_TRY(copy_xattrs(number)));
    if (copy.attr.type == FileType::directory) {
        copy.implicit = OBLEA_TRY(layer_.is_implicit(number));
    } else if (copy.attr.type == FileType::symlink) {
        copy.target = tree_.add_text(OBLEA_TRY(layer_.symlink_target(number)));
    } else if (copy.attr.type == FileType::regular) {
        ContentView const view = OBLEA_TRY(layer_.content(number));
        Content content{.kind = view.kind,
                        .pack_offset = view.pack_offset,
                        .pack_check = view.pack_check,
                        .object = view.object,
                        .blob_bytes = view.blob_bytes,
                        .extents = {view.extents.begin(), view.extents.end()}};
        copy.content = tree_.add_content(position_, std::move(content));
    }
    return copy;
}

Result<Xattrs> LayerApplication::copy_xattrs(InodeNo number) const {
    Xattrs copy;
    if (!OBLEA_TRY(layer_.has_xattrs(number))) {
        return copy;
    }
    for (std::string_view const name : OBLEA_TRY(layer_.xattr_names(number))) {
        auto const value = OBLEA_TRY(layer_.xattr(number, name));
        if (!value.has_value()) {
            return damaged("xattrs that are not in order");
        }
        copy.emplace_back(name, *value);
    }
    return copy;
}

}  // namespace

Result<base::Bytes> merge(std::span<Index const* const> layers_bottom_first) {
    if (layers_bottom_first.size() > limits::kLayersMax) {
        return fail(Errno::e2big, "",
                    "an image of more than " + std::to_string(limits::kLayersMax) + " layers");
    }
    TreeDraft tree;
    IndexPlan plan{.kind = IndexKind::merged, .layers = {}, .objects = {}, .link_ends = {}};
    for (Index const* const layer : layers_bottom_first) {
        auto const position = static_cast<std::uint32_t>(plan.layers.size());
        if (layer->kind() != IndexKind::layer || layer->layer_count() != 1) {
            return fail(Errno::euclean, "",
                        "layer " + std::to_string(position) + ": not the index of one layer");
        }
        plan.layers.push_back(OBLEA_TRY(layer->layer(LayerPos::bottom)));
        OBLEA_TRY(LayerApplication(tree, *layer, LayerPos{position}).run());
    }
    return encode_index(tree, std::move(plan));
}

Digest chain_id(std::span<Digest const> diff_ids) {
    Digest chain = diff_ids.front();
    for (Digest const& diff_id : diff_ids.subspan(1)) {
        chain = base::sha256(chain.to_string() + ' ' + diff_id.to_string());
    }
    return chain;
}

}  // namespace oblea::store
