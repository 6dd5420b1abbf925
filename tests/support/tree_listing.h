// SPDX-License-Identifier: MIT
// An index as lines that a test can compare, one for each name, in the order of the tree:
//   "a/ 755"  "a/x 644 1"  "a/l -> x"  "gone whiteout"  "h => lower/path"
// A file's permissions are followed by its size, a folder's by "opaque" and "implicit"; then come
// "nlink=2" for what has several names, "1:2" for owners other than 0:0, and xattrs. The root is
// "/", and left out when it is as it would be without any member.
#pragma once
#include "tests/support/tree_builder.h"

#include <fmt/format.h>

namespace oblea::test {

inline std::string describe_type(store::Index const& index, store::InodeNo ino,
                                 store::InodeAttr const& attr) {
    switch (attr.type) {
    case store::FileType::directory:
        return fmt::format("/ {:o}{}{}", attr.permissions,
                           value_of(index.is_opaque(ino)) ? " opaque" : "",
                           value_of(index.is_implicit(ino)) ? " implicit" : "");
    case store::FileType::symlink:
        return fmt::format(" -> {}", value_of(index.symlink_target(ino)));
    case store::FileType::regular:
        return fmt::format(" {:o} {}", attr.permissions, attr.size);
    default:
        return fmt::format(" {:o} type={} {}:{}", attr.permissions, static_cast<int>(attr.type),
                           attr.device.major, attr.device.minor);
    }
}

inline std::string describe(store::Index const& index, store::InodeNo ino) {
    store::InodeAttr const attr = value_of(index.attr(ino));
    std::string line = describe_type(index, ino, attr);
    if (attr.type != store::FileType::directory && attr.nlink != 1) {
        line += fmt::format(" nlink={}", attr.nlink);
    }
    if (attr.uid != 0 || attr.gid != 0) {
        line += fmt::format(" {}:{}", attr.uid, attr.gid);
    }
    for (std::string_view const name : value_of(index.xattr_names(ino))) {
        line += fmt::format(" {}={}", name, value_of(index.xattr(ino, name)).value());
    }
    return line;
}

inline void list_folder(store::Index const& index, store::InodeNo folder, std::string const& prefix,
                        std::vector<std::string>& lines) {
    for (std::uint32_t i = 0; i < value_of(index.entry_count(folder)); ++i) {
        store::Dirent const dirent = value_of(index.entry(folder, i));
        std::string const at = prefix + std::string{dirent.name};
        if (dirent.kind == store::DirentKind::whiteout) {
            lines.push_back(at + " whiteout");
        } else if (dirent.kind == store::DirentKind::external_link) {
            lines.push_back(fmt::format("{} => {}", at, dirent.external_link_target));
        } else {
            lines.push_back(at + describe(index, dirent.ino));
            if (dirent.type == store::FileType::directory) {
                list_folder(index, dirent.ino, at + '/', lines);
            }
        }
    }
}

inline std::vector<std::string> listing(store::Index const& index) {
    std::vector<std::string> lines;
    std::string const root = describe(index, store::InodeNo::root);
    if (root != "/ 755 implicit") {
        lines.push_back(root);
    }
    list_folder(index, store::InodeNo::root, "", lines);
    return lines;
}

}  // namespace oblea::test
