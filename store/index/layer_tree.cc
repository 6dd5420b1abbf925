// SPDX-License-Identifier: MIT
#include "store/index/layer_tree.h"

#include "store/base/checked.h"
#include "store/base/limits.h"
#include "store/index/encode_index.h"

#include <algorithm>

namespace oblea::store {

namespace {

using EntryId = TreeDraft::EntryId;
using InodeId = TreeDraft::InodeId;

std::unexpected<Error> invalid(RelPath const& path, std::string_view what) {
    std::string text = path.is_root() ? "the root folder" : base::printable(path.string());
    text += ": ";
    text += what;
    return fail(Errno::einval, "", std::move(text));
}

bool is_below(std::string_view path, std::string_view folder) {
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

Status check_xattrs(LayerEntry const& entry) {
    std::size_t list_bytes = 0;
    std::string const* previous = nullptr;
    for (auto const& [name, value] : entry.xattrs) {
        if (name.empty() || name.size() > limits::kXattrNameBytesMax ||
            name.find('\0') != std::string::npos) {
            return invalid(entry.path, "an xattr whose name is empty, has a NUL or is longer than "
                                       "255 bytes");
        }
        if (value.size() > limits::kXattrValueBytesMax) {
            return invalid(entry.path,
                           "the xattr " + base::printable(name) + " is larger than 65536 bytes");
        }
        if (previous != nullptr && *previous >= name) {
            return invalid(entry.path, "xattrs that are not in order or have equal names");
        }
        previous = &name;
        list_bytes += name.size() + 1;
    }
    if (list_bytes > limits::kXattrListBytesMax) {
        return invalid(entry.path, "names of xattrs of more than 65536 bytes");
    }
    return {};
}

Status check_content(LayerEntry const& entry) {
    Content const& content = entry.content;
    if (entry.attr.size > limits::kFileBytesMax) {
        return invalid(entry.path, "a file larger than 2^62 bytes");
    }
    if (content.kind == ContentKind::none) {
        bool const empty = content.blob_bytes == 0 && content.extents.empty();
        return empty ? Status{} : invalid(entry.path, "bytes that are stored nowhere");
    }
    if (content.kind != ContentKind::pack && content.kind != ContentKind::object) {
        return invalid(entry.path, "content of an unknown kind");
    }
    bool const in_pack = content.kind == ContentKind::pack;
    bool const placed =
        in_pack ? base::checked_add(content.pack_offset, content.blob_bytes).value_or(UINT64_MAX) <=
                          limits::kFileBytesMax &&
                      content.object == Digest{}
                : content.pack_offset == 0 && content.pack_check == base::Hash128{};
    if (!placed || content.blob_bytes == 0 || content.blob_bytes > limits::kFileBytesMax) {
        return invalid(entry.path, "content with a place or size that cannot be");
    }
    if (content.extents.empty()) {
        return content.blob_bytes == entry.attr.size
                   ? Status{}
                   : invalid(entry.path, "content of another size than the file's");
    }
    if (content.extents.size() > limits::kSparseExtentsMax) {
        return invalid(entry.path, "a sparse file of too many pieces");
    }
    std::uint64_t end = 0;
    for (Extent const& extent : content.extents) {
        if (extent.bytes == 0 || extent.file_offset < end ||
            !base::range_fits(extent.file_offset, extent.bytes, entry.attr.size) ||
            !base::range_fits(extent.blob_offset, extent.bytes, content.blob_bytes)) {
            return invalid(entry.path, "pieces of a sparse file that overlap or lie outside of it");
        }
        end = extent.file_offset + extent.bytes;
    }
    return {};
}

Status check_attr(LayerEntry const& entry) {
    InodeAttr const& attr = entry.attr;
    if (attr.type < FileType::regular || attr.type > FileType::socket) {
        return invalid(entry.path, "a file of an unknown type");
    }
    if (attr.permissions > 07777 || attr.mtime.nanoseconds >= 1'000'000'000) {
        return invalid(entry.path, "permissions or nanoseconds out of range");
    }
    if (attr.type == FileType::regular) {
        return check_content(entry);
    }
    if (attr.type == FileType::symlink &&
        (entry.symlink_target.empty() || entry.symlink_target.size() > limits::kSymlinkBytesMax ||
         entry.symlink_target.find('\0') != std::string::npos)) {
        return invalid(entry.path,
                       "a symbolic link whose target is empty, has a NUL or is longer than 4095 "
                       "bytes");
    }
    return {};
}

}  // namespace

struct LayerTree::Impl {
    TreeDraft tree;
    std::uint64_t members = 0;
    std::vector<EntryId> external_links;  // all that were ever made; some mean something else now
    // The folder of the last member, since members mostly come folder by folder.
    std::string last_folder;
    InodeId last_folder_inode = InodeId::root;

    Result<EntryId> entry_at(RelPath const& path);
    Result<InodeId> make_folder(RelPath const& member, std::string_view folder);
    Status add_inode(LayerEntry&& entry);
    Status add_hard_link(LayerEntry const& entry);
    Status add_whiteout(LayerEntry const& entry);
    Status add_opaque(LayerEntry const& entry);
    TreeDraft::Inode make_inode(LayerEntry&& entry);
    void replace(EntryId id, InodeId inode);
    void forget_folder();

    struct Found {
        EntryId entry = EntryId::none;
        bool blocked = false;  // the path leads through what is no folder
    };
    [[nodiscard]] Found find(std::string_view path) const;
    [[nodiscard]] Status check_target(Found const& found, std::string_view target) const;
    [[nodiscard]] Result<LinkEnds> resolve_links() const;
};

LayerTree::LayerTree() : impl_(std::make_unique<Impl>()) {}
LayerTree::~LayerTree() = default;
LayerTree::LayerTree(LayerTree&&) noexcept = default;
LayerTree& LayerTree::operator=(LayerTree&&) noexcept = default;

void LayerTree::Impl::forget_folder() {
    last_folder.clear();
    last_folder_inode = InodeId::root;
}

// The folder at `folder`, made with its parents where nothing is.
Result<InodeId> LayerTree::Impl::make_folder(RelPath const& member, std::string_view folder) {
    if (folder == last_folder) {
        return last_folder_inode;
    }
    InodeId at = InodeId::root;
    std::size_t depth = 1;  // of the member itself
    for (std::string_view rest = folder; !rest.empty();) {
        auto const slash = std::min(rest.find('/'), rest.size());
        if (++depth > limits::kPathDepthMax) {
            return fail(Errno::e2big, "",
                        base::printable(member.string()) + ": a path of more than " +
                            std::to_string(limits::kPathDepthMax) + " parts");
        }
        EntryId const id = tree.find_or_add(at, rest.substr(0, slash));
        auto const& entry = tree.entry(id);
        if (entry.kind == DirentKind::whiteout) {
            TreeDraft::Inode fresh = TreeDraft::implicit_directory();
            fresh.opaque = entry.whited_out;
            tree.set_inode(id, tree.add_inode(fresh));
        } else if (!tree.leads_to_directory(id)) {
            return invalid(member, "its path leads through " +
                                       base::printable(std::string_view{member.string()}.substr(
                                           0, folder.size() - rest.size() + slash)) +
                                       ", which is no folder in this layer");
        }
        at = tree.entry(id).inode;
        rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    last_folder = folder;
    last_folder_inode = at;
    return at;
}

Result<EntryId> LayerTree::Impl::entry_at(RelPath const& path) {
    std::string_view const text = path.string();
    std::string_view const name = path.filename();
    InodeId const folder = OBLEA_TRY(
        make_folder(path, text.substr(0, text.size() - std::min(text.size(), name.size() + 1))));
    return tree.find_or_add(folder, name);
}

TreeDraft::Inode LayerTree::Impl::make_inode(LayerEntry&& entry) {
    TreeDraft::Inode inode;
    inode.attr = entry.attr;
    FileType const type = entry.attr.type;
    if (type != FileType::regular) {
        inode.attr.size = 0;
    } else {
        inode.content = tree.add_content(LayerPos::bottom, std::move(entry.content));
    }
    if (type != FileType::char_device && type != FileType::block_device) {
        inode.attr.device = {};
    }
    if (type == FileType::symlink) {
        inode.attr.size = entry.symlink_target.size();
        inode.target = tree.add_text(entry.symlink_target);
    }
    inode.xattrs = tree.add_xattrs(entry.xattrs);
    return inode;
}

// Whoever applies the members one by one to the lower layers has removed a lower folder at the
// first of the two, so the second hides what that had inside.
void LayerTree::Impl::replace(EntryId id, InodeId inode) {
    auto const& entry = tree.entry(id);
    bool const replaces_file = entry.kind != DirentKind::whiteout && !tree.leads_to_directory(id);
    if (tree.is_directory(inode)) {
        tree.inode(inode).opaque = entry.whited_out || replaces_file;
    }
    if (tree.leads_to_directory(id)) {
        forget_folder();
    }
    tree.set_inode(id, inode);
}

Status LayerTree::Impl::add_inode(LayerEntry&& entry) {
    OBLEA_TRY(check_attr(entry));
    OBLEA_TRY(check_xattrs(entry));
    bool const is_folder = entry.attr.type == FileType::directory;
    InodeId existing = InodeId::root;
    EntryId id = EntryId::none;
    if (entry.path.is_root()) {
        if (!is_folder) {
            return invalid(entry.path, "is no folder in this layer");
        }
    } else {
        id = OBLEA_TRY(entry_at(entry.path));
        existing = tree.leads_to_directory(id) ? tree.entry(id).inode : InodeId::none;
    }
    if (is_folder && existing != InodeId::none) {
        TreeDraft::Inode const described = make_inode(std::move(entry));
        TreeDraft::Inode& folder = tree.inode(existing);
        folder.attr = described.attr;
        folder.xattrs = described.xattrs;
        folder.implicit = false;
        return {};
    }
    if (entry.attr.type == FileType::regular &&
        !base::checked_add(tree.content_bytes(), entry.attr.size).has_value()) {
        return fail(Errno::e2big, "",
                    base::printable(entry.path.string()) + ": files of more than 2^64 bytes");
    }
    replace(id, tree.add_inode(make_inode(std::move(entry))));
    return {};
}

Status LayerTree::Impl::add_hard_link(LayerEntry const& entry) {
    std::string const& path = entry.path.string();
    std::string const& target = entry.target_path.string();
    if (entry.path.is_root()) {
        return invalid(entry.path, "is a hard link");
    }
    if (path == target || is_below(target, path)) {
        return invalid(entry.path, "a hard link to itself");
    }
    if (entry.target_path.is_root() || is_below(path, target)) {
        return invalid(entry.path, "a hard link to a folder");
    }
    EntryId const id = OBLEA_TRY(entry_at(entry.path));
    Found const found = find(target);
    OBLEA_TRY(with_context(check_target(found, target),
                           [&] { return base::printable(entry.path.string()); }));
    DirentKind const kind =
        found.entry == EntryId::none ? DirentKind::whiteout : tree.entry(found.entry).kind;
    if (kind == DirentKind::entry) {
        replace(id, tree.entry(found.entry).inode);
        return {};
    }
    // A link to a link has the same end, whatever becomes of the other one.
    std::uint32_t const end = kind == DirentKind::external_link
                                  ? tree.entry(found.entry).link_target
                                  : tree.add_link_target(target);
    if (tree.leads_to_directory(id)) {
        forget_folder();
    }
    tree.set_external_link(id, end);
    external_links.push_back(id);
    return {};
}

Status LayerTree::Impl::add_whiteout(LayerEntry const& entry) {
    if (entry.path.is_root()) {
        return invalid(entry.path, "a whiteout cannot hide it");
    }
    EntryId const id = OBLEA_TRY(entry_at(entry.path));
    tree.entry(id).whited_out = true;
    if (tree.leads_to_directory(id)) {
        tree.inode(tree.entry(id).inode).opaque = true;
    }
    return {};
}

Status LayerTree::Impl::add_opaque(LayerEntry const& entry) {
    InodeId const folder = OBLEA_TRY(make_folder(entry.path, entry.path.string()));
    tree.inode(folder).opaque = true;
    return {};
}

LayerTree::Impl::Found LayerTree::Impl::find(std::string_view path) const {
    InodeId at = InodeId::root;
    EntryId id = EntryId::none;
    for (std::string_view rest = path; !rest.empty();) {
        auto const slash = std::min(rest.find('/'), rest.size());
        id = tree.find(at, rest.substr(0, slash));
        rest.remove_prefix(std::min(slash + 1, rest.size()));
        if (id == EntryId::none || rest.empty()) {
            break;
        }
        if (!tree.leads_to_directory(id)) {
            return {.entry = EntryId::none, .blocked = tree.entry(id).kind != DirentKind::whiteout};
        }
        at = tree.entry(id).inode;
    }
    return {.entry = id};
}

// Whether `target` can be linked to, as the tree is now.
Status LayerTree::Impl::check_target(Found const& found, std::string_view target) const {
    std::string const what = "a hard link to " + base::printable(target);
    if (found.blocked) {
        return fail(Errno::einval, "", what + ", whose path leads through what is no folder");
    }
    if (found.entry != EntryId::none && tree.leads_to_directory(found.entry)) {
        return fail(Errno::einval, "", what + ", which is a folder");
    }
    return {};
}

// Finds where the links end whose target was not there when they came: at an inode that came later,
// or in the lower layers. A link may lead to another one; each chain is followed once.
Result<LinkEnds> LayerTree::Impl::resolve_links() const {
    constexpr LinkEnd kBeingFollowed{.inode = InodeId::root};  // no link ends at the root
    LinkEnds ends;
    std::vector<EntryId> chain;
    for (EntryId const link : external_links) {
        LinkEnd end;
        chain.clear();
        for (EntryId at = link; tree.entry(at).kind == DirentKind::external_link;) {
            auto const [known, first_time] = ends.try_emplace(at, kBeingFollowed);
            std::uint32_t const number = tree.entry(at).link_target;
            std::string const& target = tree.link_target(number);
            if (!first_time && known->second == kBeingFollowed) {
                return fail(Errno::einval, "",
                            "hard links that lead to each other, one of them to " +
                                base::printable(target));
            }
            if (!first_time) {
                end = known->second;
                break;
            }
            chain.push_back(at);
            Found const found = find(target);
            OBLEA_TRY(check_target(found, target));
            if (found.entry == EntryId::none ||
                tree.entry(found.entry).kind == DirentKind::whiteout) {
                end = {.external_target = number};
                break;
            }
            at = found.entry;
            end = {.inode = tree.entry(at).inode};
        }
        for (EntryId const member : chain) {
            ends[member] = end;
        }
    }
    return ends;
}

Status LayerTree::add(LayerEntry entry) {
    // Members that others replace count, and so do implicit folders.
    if (++impl_->members > limits::kLayerEntriesMax ||
        impl_->tree.entry_count() >= limits::kLayerEntriesMax) {
        return fail(Errno::e2big, "",
                    base::printable(entry.path.string()) + ": a layer of more than " +
                        std::to_string(limits::kLayerEntriesMax) + " entries");
    }
    switch (entry.kind) {
    case LayerEntry::Kind::inode:
        return impl_->add_inode(std::move(entry));
    case LayerEntry::Kind::hard_link:
        return impl_->add_hard_link(entry);
    case LayerEntry::Kind::whiteout:
        return impl_->add_whiteout(entry);
    case LayerEntry::Kind::opaque:
        return impl_->add_opaque(entry);
    }
    return fail(Errno::einval, "kind of a layer's entry");
}

std::uint64_t LayerTree::content_bytes() const {
    return impl_->tree.content_bytes();
}

Result<base::Bytes> LayerTree::finish(Digest const& diff_id, std::vector<Digest> objects) const {
    LinkEnds ends = OBLEA_TRY(impl_->resolve_links());
    IndexPlan plan{.kind = IndexKind::layer,
                   .layers = {diff_id},
                   .objects = std::move(objects),
                   .link_ends = std::move(ends)};
    return encode_index(impl_->tree, std::move(plan));
}

}  // namespace oblea::store
