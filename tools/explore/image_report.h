// SPDX-License-Identifier: MIT
// What an image is made of: what each layer adds, replaces, deletes and wastes, the tree that is
// seen, and where space goes. Pure.
//
// Bytes are contents of regular files, each inode of a layer once. Wasted is what lower layers hold
// and nobody sees any more, because an upper layer replaced or deleted it.
#pragma once
#include "store/index/index.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct LayerReport {
    std::size_t added = 0;    // paths that were not there
    std::size_t changed = 0;  // paths that were there already
    std::size_t deleted = 0;  // paths that are gone, with all below them
    std::uint64_t bytes = 0;
    std::uint64_t wasted_bytes = 0;  // of lower layers, by this one
};

struct TreeNode {
    store::FileType type = store::FileType::directory;
    std::size_t layer = 0;    // that it comes from; 0 is the bottom
    std::uint64_t bytes = 0;  // folders: of all below
    std::string content;      // what tells equal contents; empty: none worth it
    std::map<std::string, TreeNode, std::less<>> children;
};

struct WastedPath {
    std::string path;
    std::uint64_t bytes = 0;
    std::size_t times = 0;  // how many hidden versions
};

struct FileOfTree {
    std::string path;
    std::uint64_t bytes = 0;
    std::size_t layer = 0;
};

struct DuplicateFiles {
    std::uint64_t bytes = 0;  // of each
    std::vector<std::string> paths;
    [[nodiscard]] std::uint64_t wasted() const { return bytes * (paths.size() - 1); }
};

struct ImageReport {
    std::vector<LayerReport> layers;  // bottom first
    TreeNode root;
    std::vector<WastedPath> wasted;          // most bytes first
    std::vector<FileOfTree> largest;         // most bytes first
    std::vector<DuplicateFiles> duplicates;  // most wasted bytes first

    [[nodiscard]] std::uint64_t total_bytes() const;   // of all layers
    [[nodiscard]] std::uint64_t wasted_bytes() const;  // of all layers
};

// At most `top` of the wasted paths, the largest files and the duplicates. Errors: EUCLEAN as
// Index.
Result<ImageReport> report_image(std::span<store::Index const> bottom_first, std::size_t top);

}  // namespace oblea::tools
