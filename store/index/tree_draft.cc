// SPDX-License-Identifier: MIT
#include "store/index/tree_draft.h"

#include "store/index/name_hash.h"

#include <random>

namespace oblea::store {

namespace {

constexpr std::size_t kSlotsAtFirst = 64;

// Names, values and their lengths, so that no two sets have the same key.
std::string key_of(Xattrs const& xattrs) {
    std::string key;
    for (auto const& [name, value] : xattrs) {
        key += std::to_string(name.size()) + ':' + name + std::to_string(value.size()) + ':';
        key += value;
    }
    return key;
}

}  // namespace

TreeDraft::TreeDraft() : slots_(kSlotsAtFirst) {
    std::random_device random;
    seed_ = (std::uint64_t{random()} << 32U) | random();
    Inode root = implicit_directory();
    root.names = 1;
    add_inode(root);
}

TreeDraft::Inode TreeDraft::implicit_directory() {
    Inode directory;
    directory.attr.type = FileType::directory;
    directory.attr.permissions = 0755;
    directory.implicit = true;
    return directory;
}

TreeDraft::InodeId TreeDraft::add_inode(Inode inode) {
    inodes_.push_back(inode);
    return static_cast<InodeId>(inodes_.size() - 1);
}

std::uint64_t TreeDraft::add_text(std::string_view text) {
    std::uint64_t const offset = text_.size();
    text_ += text;
    return offset;
}

std::uint32_t TreeDraft::add_xattrs(Xattrs const& xattrs) {
    if (xattrs.empty()) {
        return kNone;
    }
    auto const number = static_cast<std::uint32_t>(xattr_sets_.size());
    auto const [place, added] = xattr_numbers_.try_emplace(key_of(xattrs), number, xattrs);
    if (added) {
        xattr_sets_.push_back(&place->second.second);
    }
    return place->second.first;
}

std::uint32_t TreeDraft::add_content(LayerPos layer, Content content) {
    if (content.kind == ContentKind::none) {
        return kNone;
    }
    contents_.push_back({layer, std::move(content)});
    return static_cast<std::uint32_t>(contents_.size() - 1);
}

std::uint32_t TreeDraft::add_link_target(std::string path) {
    link_targets_.push_back(std::move(path));
    return static_cast<std::uint32_t>(link_targets_.size() - 1);
}

std::uint32_t TreeDraft::hash(InodeId directory, std::string_view name) const {
    return static_cast<std::uint32_t>(
        name_hash(seed_, static_cast<std::uint32_t>(directory), name));
}

TreeDraft::EntryId TreeDraft::find(InodeId directory, std::string_view name) const {
    std::size_t const mask = slots_.size() - 1;
    std::uint32_t const wanted = hash(directory, name);
    for (std::size_t at = wanted & mask; slots_[at] != 0; at = (at + 1) & mask) {
        EntryId const id{slots_[at] - 1};
        // The hash first: comparing names is a cache miss.
        if (entry(id).hash == wanted && entry(id).directory == directory &&
            this->name(id) == name) {
            return id;
        }
    }
    return EntryId::none;
}

TreeDraft::EntryId TreeDraft::find_or_add(InodeId directory, std::string_view name) {
    EntryId const found = find(directory, name);
    if (found != EntryId::none) {
        return found;
    }
    Entry fresh;
    fresh.name = add_text(name);
    fresh.name_bytes = static_cast<std::uint8_t>(name.size());
    fresh.directory = directory;
    fresh.hash = hash(directory, name);
    fresh.next = inode(directory).first_child;
    EntryId const id{static_cast<std::uint32_t>(entries_.size())};
    if (fresh.next != EntryId::none) {
        entry(fresh.next).previous = id;
    }
    entries_.push_back(fresh);
    inode(directory).first_child = id;
    insert_slot(id);
    return id;
}

void TreeDraft::set_inode(EntryId id, InodeId target) {
    Inode& named = inode(target);
    if (++named.names == 1 && named.attr.type == FileType::regular) {
        content_bytes_ += named.attr.size;
    }
    drop_meaning(id);
    entry(id).kind = DirentKind::entry;
    entry(id).inode = target;
}

void TreeDraft::set_external_link(EntryId id, std::uint32_t link_target) {
    drop_meaning(id);
    entry(id).kind = DirentKind::external_link;
    entry(id).link_target = link_target;
}

void TreeDraft::drop_meaning(EntryId id) {
    Entry& dropped = entry(id);
    if (dropped.kind == DirentKind::entry) {
        Inode& old = inode(dropped.inode);
        --old.names;
        if (old.attr.type == FileType::directory) {
            clear(dropped.inode);
        } else if (old.names == 0 && old.attr.type == FileType::regular) {
            content_bytes_ -= old.attr.size;
        }
    }
    dropped.kind = DirentKind::whiteout;
    dropped.inode = InodeId::none;
    dropped.link_target = kNone;
}

void TreeDraft::detach(EntryId id) {
    erase_slot(id);
    Entry& gone = entry(id);
    if (gone.previous != EntryId::none) {
        entry(gone.previous).next = gone.next;
    } else {
        inode(gone.directory).first_child = gone.next;
    }
    if (gone.next != EntryId::none) {
        entry(gone.next).previous = gone.previous;
    }
    gone.directory = InodeId::none;
    gone.next = EntryId::none;
    gone.previous = EntryId::none;
}

void TreeDraft::remove(EntryId id) {
    drop_meaning(id);
    detach(id);
}

// Deep trees are a hostile layer's choice, so this does not recurse: it goes down to a folder
// without entries, removes that from its parent, and goes on with the parent.
void TreeDraft::clear(InodeId directory) {
    std::vector<InodeId> path{directory};
    while (!path.empty()) {
        EntryId const child = inode(path.back()).first_child;
        if (child == EntryId::none) {
            path.pop_back();
            continue;
        }
        if (leads_to_directory(child) && inode(entry(child).inode).first_child != EntryId::none) {
            path.push_back(entry(child).inode);
            continue;
        }
        drop_meaning(child);
        detach(child);
    }
}

void TreeDraft::insert_slot(EntryId id) {
    if (2 * (slots_used_ + 1) > slots_.size()) {
        grow_slots();
    }
    std::size_t const mask = slots_.size() - 1;
    std::size_t at = entry(id).hash & mask;
    while (slots_[at] != 0) {
        at = (at + 1) & mask;
    }
    slots_[at] = static_cast<std::uint32_t>(id) + 1;
    ++slots_used_;
}

void TreeDraft::grow_slots() {
    std::vector<std::uint32_t> const old =
        std::exchange(slots_, std::vector<std::uint32_t>(2 * slots_.size()));
    std::size_t const mask = slots_.size() - 1;
    for (std::uint32_t const slot : old) {
        if (slot != 0) {
            std::size_t at = entry(EntryId{slot - 1}).hash & mask;
            while (slots_[at] != 0) {
                at = (at + 1) & mask;
            }
            slots_[at] = slot;
        }
    }
}

// Closes the gap by moving later ones of the same run forward, so that no tombstones pile up.
void TreeDraft::erase_slot(EntryId id) {
    std::size_t const mask = slots_.size() - 1;
    std::size_t hole = entry(id).hash & mask;
    while (slots_[hole] != static_cast<std::uint32_t>(id) + 1) {
        hole = (hole + 1) & mask;
    }
    for (std::size_t at = (hole + 1) & mask; slots_[at] != 0; at = (at + 1) & mask) {
        std::size_t const home = entry(EntryId{slots_[at] - 1}).hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            slots_[hole] = slots_[at];
            hole = at;
        }
    }
    slots_[hole] = 0;
    --slots_used_;
}

}  // namespace oblea::store
