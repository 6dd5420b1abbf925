// SPDX-License-Identifier: MIT
#include "fs/fuse/placeholder.h"

#include <algorithm>

namespace oblea::fs {

void Placeholders::add(Ino parent, std::string name, FileType type, TimePoint now) {
    bool const folder = type == FileType::directory;
    Attr attr;
    attr.ino = Ino{kInoFirst + nodes_.size()};
    attr.st_ino = std::to_underlying(attr.ino);
    attr.type = type;
    attr.permissions = folder ? 0755 : 0644;
    attr.nlink = folder ? 2 : 1;
    attr.atime = attr.mtime = attr.ctime = now;
    nodes_.push_back({.parent = parent, .name = std::move(name), .attr = attr});
}

std::vector<Placeholders::Added> Placeholders::added() const {
    std::vector<Added> all;
    for (Node const& node : nodes_) {
        all.push_back({.parent = node.parent,
                       .name = node.name,
                       .type = node.attr.type,
                       .time = node.attr.ctime});
    }
    return all;
}

std::optional<Entry> Placeholders::find(Ino parent, std::string_view name) const {
    auto const found = std::ranges::find_if(
        nodes_, [&](Node const& node) { return node.parent == parent && node.name == name; });
    if (found == nodes_.end()) {
        return std::nullopt;
    }
    return Entry{.attr = found->attr};
}

Result<Attr> Placeholders::attr(Ino ino) const {
    std::uint64_t const position = std::to_underlying(ino) - kInoFirst;
    if (!owns(ino) || position >= nodes_.size()) {
        return fail(Errno::estale, "placeholder");
    }
    return nodes_[position].attr;
}

}  // namespace oblea::fs
