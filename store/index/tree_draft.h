// SPDX-License-Identifier: MIT
// A tree that can still change: what a layer's members are collected in, and what layers are merged
// into. encode_index() writes it out.
//
// Inodes are added and never taken away; one that no entry reaches any more is left out when the
// tree is written. Not thread-safe. References that it returns live until the next addition.
#pragma once
#include "store/index/index.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace oblea::store {

class TreeDraft {
public:
    enum class InodeId : std::uint32_t { root = 0, none = 0xffff'ffffU };
    enum class EntryId : std::uint32_t { none = 0xffff'ffffU };

    static constexpr std::uint32_t kNone = 0xffff'ffffU;

    struct Inode {
        InodeAttr attr;  // nlink is not kept: it is counted when the tree is written
        Origin origin;
        std::uint32_t xattrs = kNone;   // of add_xattrs
        std::uint32_t content = kNone;  // of add_content; kNone: ContentKind::none
        std::uint64_t target = 0;       // symlink: of add_text, attr.size bytes
        std::uint32_t names = 0;        // entries that refer to it
        EntryId first_child = EntryId::none;
        bool opaque = false;
        bool implicit = false;
    };

    struct Entry {
        std::uint64_t name = 0;                  // of add_text
        InodeId directory = InodeId::none;       // none once the entry is removed
        InodeId inode = InodeId::none;           // kind entry
        EntryId next = EntryId::none;            // in the directory, in no order
        EntryId previous = EntryId::none;        //
        std::uint32_t link_target = kNone;       // kind external_link: of add_link_target
        std::uint32_t hash = 0;                  // of directory and name
        std::uint8_t name_bytes = 0;             //
        DirentKind kind = DirentKind::whiteout;  //
        bool whited_out = false;                 // the layer hides the name in lower layers
    };

    struct StoredContent {
        LayerPos layer = LayerPos::bottom;
        Content content;
    };

    // A tree with an implicit root: 0755, owned by root, mtime 0.
    TreeDraft();

    [[nodiscard]] static Inode implicit_directory();

    InodeId add_inode(Inode inode);
    std::uint64_t add_text(std::string_view text);
    std::uint32_t
    add_xattrs(Xattrs const& xattrs);  // kNone for none; equal sets have equal numbers
    std::uint32_t add_content(LayerPos layer, Content content);
    std::uint32_t add_link_target(std::string path);

    [[nodiscard]] EntryId find(InodeId directory, std::string_view name) const;
    // The new entry is a whiteout that hides nothing until it is given a meaning.
    EntryId find_or_add(InodeId directory, std::string_view name);
    // Gives an entry a meaning; what it meant before is dropped, a folder with all its contents.
    void set_inode(EntryId entry, InodeId inode);
    void set_external_link(EntryId entry, std::uint32_t link_target);
    void remove(EntryId entry);     // with all below it
    void clear(InodeId directory);  // removes all entries

    [[nodiscard]] Inode& inode(InodeId id) { return inodes_[index(id)]; }
    [[nodiscard]] Inode const& inode(InodeId id) const { return inodes_[index(id)]; }
    [[nodiscard]] Entry& entry(EntryId id) { return entries_[index(id)]; }
    [[nodiscard]] Entry const& entry(EntryId id) const { return entries_[index(id)]; }
    [[nodiscard]] std::string_view text(std::uint64_t offset, std::size_t bytes) const {
        return std::string_view{text_}.substr(offset, bytes);
    }
    [[nodiscard]] std::string_view name(EntryId id) const {
        return text(entry(id).name, entry(id).name_bytes);
    }
    [[nodiscard]] bool is_directory(InodeId id) const {
        return inode(id).attr.type == FileType::directory;
    }
    // Whether the entry leads to a folder.
    [[nodiscard]] bool leads_to_directory(EntryId id) const {
        return entry(id).kind == DirentKind::entry && is_directory(entry(id).inode);
    }
    [[nodiscard]] Xattrs const& xattrs(std::uint32_t number) const { return *xattr_sets_[number]; }
    [[nodiscard]] std::size_t xattr_set_count() const { return xattr_sets_.size(); }
    [[nodiscard]] StoredContent const& content(std::uint32_t number) const {
        return contents_[number];
    }
    [[nodiscard]] std::string const& link_target(std::uint32_t number) const {
        return link_targets_[number];
    }
    [[nodiscard]] std::size_t inode_count() const { return inodes_.size(); }
    [[nodiscard]] std::size_t entry_count() const { return entries_.size(); }
    // The sum of the sizes of all regular files that have a name; modulo 2^64, see add_inode's
    // callers.
    [[nodiscard]] std::uint64_t content_bytes() const { return content_bytes_; }

    static constexpr std::size_t index(InodeId id) { return static_cast<std::size_t>(id); }
    static constexpr std::size_t index(EntryId id) { return static_cast<std::size_t>(id); }

private:
    [[nodiscard]] std::uint32_t hash(InodeId directory, std::string_view name) const;
    void drop_meaning(EntryId entry);
    void detach(EntryId entry);
    void grow_slots();
    void insert_slot(EntryId entry);
    void erase_slot(EntryId entry);

    std::vector<Inode> inodes_;
    std::vector<Entry> entries_;
    std::string text_;
    std::vector<Xattrs const*> xattr_sets_;  // keys' values in xattr_numbers_, which do not move
    std::unordered_map<std::string, std::pair<std::uint32_t, Xattrs>> xattr_numbers_;
    std::vector<StoredContent> contents_;
    std::vector<std::string> link_targets_;
    std::vector<std::uint32_t> slots_;  // 0 is empty, else entry + 1; linear probing
    std::size_t slots_used_ = 0;
    std::uint64_t seed_ = 0;  // random: hostile names must not find each other's slots
    std::uint64_t content_bytes_ = 0;
};

}  // namespace oblea::store
