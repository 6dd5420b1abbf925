// SPDX-License-Identifier: MIT
// What programs see of a tree, as text that can be compared.
#pragma once
#include "tests/unit/fs/union_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>

namespace oblea::test {

// One line for each thing that a program can see.
struct Seen {
    std::map<std::string, std::string> lines;
    std::map<std::string, std::string> identities;  // path -> what tells inodes apart
};

inline std::string describe(fs::FileType type, std::uint32_t permissions, std::uint32_t nlink,
                            std::string contents, std::string const& xattrs) {
    std::ranges::replace(contents, '\0', '.');  // holes, so that they can be printed
    return fmt::format("{} {:o} nlink={} [{}] {{{}}}", static_cast<int>(type), permissions, nlink,
                       contents, xattrs);
}

inline void check_listed(UnionDriver& u, std::string const& path, UnionDriver::Listed listed) {
    Attr const attr = value_of(u.stat(path));
    if (static_cast<std::uint64_t>(attr.ino) != listed.ino || attr.type != listed.type) {
        throw std::runtime_error("the listing says otherwise of " + path);
    }
}

inline void look(UnionDriver& u, std::string const& path, Seen& seen) {
    Attr const attr = value_of(u.stat(path));
    std::string contents;
    std::string xattrs;
    if (attr.type == fs::FileType::directory) {
        for (auto const& [name, listed] : value_of(u.list(path))) {
            std::string const below = path.empty() ? name : path + "/" + name;
            check_listed(u, below, listed);
            look(u, below, seen);
        }
    } else if (attr.type == fs::FileType::symlink) {
        contents = value_of(u.readlink(path));
    } else if (attr.type == fs::FileType::regular) {
        contents = value_of(u.read(path));
    }
    for (std::string const& name : value_of(u.listxattr(path))) {
        if (name.starts_with("user.")) {
            xattrs += name + "=" + value_of(u.getxattr(path, name)).value() + " ";
        }
    }
    seen.lines[path] = describe(attr.type, attr.permissions, attr.nlink, contents, xattrs);
    seen.identities[path] = std::to_string(static_cast<std::uint64_t>(attr.ino));
}

// The lines of both that differ; empty when the trees are the same.
inline std::string differences(Seen const& expected, Seen const& got) {
    std::string text;
    for (auto const& [path, line] : expected.lines) {
        if (!got.lines.contains(path) || got.lines.at(path) != line) {
            text += fmt::format("  expected {}: {}\n", path, line);
        }
    }
    for (auto const& [path, line] : got.lines) {
        if (!expected.lines.contains(path) || expected.lines.at(path) != line) {
            text += fmt::format("  got      {}: {}\n", path, line);
        }
    }
    return text;
}

}  // namespace oblea::test
