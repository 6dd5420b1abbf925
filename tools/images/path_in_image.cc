// SPDX-License-Identifier: MIT
#include "tools/images/path_in_image.h"

#include <algorithm>
#include <vector>

namespace oblea::tools {

using store::FileType;
using store::InodeNo;

namespace {

constexpr int kLinksMax = 40;  // as the kernel's MAXSYMLINKS

// Puts the path's components on the stack `todo`, so that the first comes off first.
void push_components(std::vector<std::string>& todo, std::string_view path) {
    auto const before = static_cast<std::ptrdiff_t>(todo.size());
    while (!path.empty()) {
        std::size_t const end = std::min(path.find('/'), path.size());
        if (end != 0) {
            todo.emplace_back(path.substr(0, end));
        }
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    std::reverse(todo.begin() + before, todo.end());
}

char type_letter(FileType type) {
    switch (type) {
    case FileType::regular:
        return '-';
    case FileType::directory:
        return 'd';
    case FileType::symlink:
        return 'l';
    case FileType::char_device:
        return 'c';
    case FileType::block_device:
        return 'b';
    case FileType::fifo:
        return 'p';
    case FileType::socket:
        return 's';
    }
    return '?';
}

}  // namespace

Result<ReachedPath> walk_path(store::Index const& tree, std::string_view path, LastLink last) {
    std::vector<InodeNo> at{InodeNo::root};  // the folders from the root to here
    std::vector<std::string> names;          // of all but the root
    std::vector<std::string> todo;
    push_components(todo, path);
    auto const missing = [&] {
        names.insert(names.end(), todo.rbegin(), todo.rend());
        return ReachedPath{.names = std::move(names), .ino = std::nullopt};
    };
    int links = 0;
    while (!todo.empty()) {
        std::string const name = todo.back();
        auto const folder = OBLEA_TRY(tree.attr(at.back()));
        if (folder.type != FileType::directory) {
            return missing();
        }
        if (name == "." || name == "..") {
            todo.pop_back();
            if (name == "..") {
                at.resize(std::max<std::size_t>(at.size() - 1, 1));
                names.resize(at.size() - 1);
            }
            continue;
        }
        auto const entry = OBLEA_TRY(tree.lookup(at.back(), name));
        if (!entry.has_value()) {
            return missing();
        }
        todo.pop_back();
        bool const stay = todo.empty() && last == LastLink::stay;
        if (entry->type != FileType::symlink || stay) {
            at.push_back(entry->ino);
            names.push_back(name);
            continue;
        }
        if (++links > kLinksMax) {
            return fail(Errno::eloop, "", "too many links: " + std::string{path});
        }
        auto const target = OBLEA_TRY(tree.symlink_target(entry->ino));
        if (target.starts_with('/')) {
            at.resize(1);
            names.clear();
        }
        push_components(todo, target);
    }
    return ReachedPath{.names = std::move(names), .ino = at.back()};
}

Result<std::optional<InodeNo>> follow_path(store::Index const& tree, std::string_view path) {
    auto const reached = OBLEA_TRY(walk_path(tree, path, LastLink::follow));
    return reached.ino;
}

std::string mode_text(store::InodeAttr const& attr) {
    std::string text(1, type_letter(attr.type));
    for (unsigned shift : {6U, 3U, 0U}) {
        unsigned const bits = attr.permissions >> shift;
        text += (bits & 4U) != 0 ? 'r' : '-';
        text += (bits & 2U) != 0 ? 'w' : '-';
        text += (bits & 1U) != 0 ? 'x' : '-';
    }
    auto special = [&](unsigned bit, std::size_t at, char with_x, char without_x) {
        if ((attr.permissions & bit) != 0) {
            text[at] = text[at] == 'x' ? with_x : without_x;
        }
    };
    special(04000, 3, 's', 'S');
    special(02000, 6, 's', 'S');
    special(01000, 9, 't', 'T');
    return text;
}

}  // namespace oblea::tools
