// SPDX-License-Identifier: MIT
// Layers and merged trees in a line each, for tests:
//   Index lower = layer({dir("a"), file("a/x", "1"), hard_link("b", "a/x"), whiteout("gone")});
//   Index both = merged({&lower, &upper});
// Paths are as tar has them. Whatever a test does not say has a default (owner 0:0, mtime 0).
#pragma once
#include "store/index/layer_tree.h"
#include "store/index/merge.h"

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::test {

using store::LayerEntry;

// The value, or an exception that ends the test with the error's text.
template <typename T>
T value_of(Result<T> result) {
    if (!result.has_value()) {
        throw std::runtime_error(result.error().message());
    }
    if constexpr (!std::is_void_v<T>) {
        return *std::move(result);
    }
}

inline store::RelPath path(std::string_view text) {
    return value_of(store::RelPath::parse(text));
}

inline LayerEntry inode(std::string_view at, store::FileType type, std::uint32_t permissions) {
    LayerEntry entry;
    entry.path = path(at);
    entry.attr.type = type;
    entry.attr.permissions = permissions;
    return entry;
}

inline LayerEntry dir(std::string_view at, std::uint32_t permissions = 0755) {
    return inode(at, store::FileType::directory, permissions);
}

// A file in the pack, at an offset that follows from its text.
inline LayerEntry file(std::string_view at, std::string_view text,
                       std::uint32_t permissions = 0644) {
    LayerEntry entry = inode(at, store::FileType::regular, permissions);
    entry.attr.size = text.size();
    if (!text.empty()) {
        entry.content.kind = store::ContentKind::pack;
        entry.content.pack_check = base::xxh3_128(base::bytes_of(text));
        entry.content.pack_offset = entry.content.pack_check.low % 4096;
        entry.content.blob_bytes = text.size();
    }
    return entry;
}

// A file stored as an object, whose bytes are `text`.
inline LayerEntry object_file(std::string_view at, std::string_view text) {
    LayerEntry entry = inode(at, store::FileType::regular, 0644);
    entry.attr.size = text.size();
    entry.content.kind = store::ContentKind::object;
    entry.content.object = base::sha256(text);
    entry.content.blob_bytes = text.size();
    return entry;
}

inline LayerEntry soft_link(std::string_view at, std::string target) {
    LayerEntry entry = inode(at, store::FileType::symlink, 0777);
    entry.symlink_target = std::move(target);
    return entry;
}

inline LayerEntry device(std::string_view at, store::FileType type, store::DeviceNumber number) {
    LayerEntry entry = inode(at, type, 0600);
    entry.attr.device = number;
    return entry;
}

inline LayerEntry hard_link(std::string_view at, std::string_view target) {
    LayerEntry entry;
    entry.kind = LayerEntry::Kind::hard_link;
    entry.path = path(at);
    entry.target_path = path(target);
    return entry;
}

inline LayerEntry whiteout(std::string_view at) {
    LayerEntry entry;
    entry.kind = LayerEntry::Kind::whiteout;
    entry.path = path(at);
    return entry;
}

inline LayerEntry opaque(std::string_view at) {
    LayerEntry entry;
    entry.kind = LayerEntry::Kind::opaque;
    entry.path = path(at);
    return entry;
}

inline LayerEntry with_owner(LayerEntry entry, std::uint32_t uid, std::uint32_t gid) {
    entry.attr.uid = uid;
    entry.attr.gid = gid;
    return entry;
}

inline LayerEntry with_mtime(LayerEntry entry, std::int64_t seconds, std::uint32_t nanoseconds) {
    entry.attr.mtime = {seconds, nanoseconds};
    return entry;
}

inline LayerEntry with_xattrs(LayerEntry entry, store::Xattrs xattrs) {
    entry.xattrs = std::move(xattrs);
    return entry;
}

// The diff ID that a layer of this name has in tests.
inline store::Digest diff_id(std::string_view name) {
    return base::sha256(name);
}

inline base::Bytes layer_bytes(std::vector<LayerEntry> entries, std::string_view name = "layer") {
    store::LayerTree tree;
    for (LayerEntry& entry : entries) {
        value_of(tree.add(std::move(entry)));
    }
    return value_of(tree.finish(diff_id(name), {}));
}

// Checked as a published index is.
inline store::Index open_index(base::Bytes bytes) {
    store::Index index = value_of(store::Index::from_bytes(std::move(bytes), "test index"));
    value_of(index.check());
    return index;
}

inline store::Index layer(std::vector<LayerEntry> entries, std::string_view name = "layer") {
    return open_index(layer_bytes(std::move(entries), name));
}

inline store::Index merged(std::vector<store::Index const*> const& bottom_first) {
    return open_index(value_of(store::merge(bottom_first)));
}

}  // namespace oblea::test
