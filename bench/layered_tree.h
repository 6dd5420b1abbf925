// SPDX-License-Identifier: MIT
// The tree that every subject shows: made of a description, in as many layers as asked for.
//
// Folders exist in every layer, as /usr and /etc do in images; files are dealt out to the layers in
// turns. Contents are the same at every run.
#pragma once
#include "bench/workspace.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace oblea::bench {

struct NamedFile {
    std::string name;  // in the root, of the bottom layer
    std::uint64_t bytes = 0;
};

struct TreeSpec {
    unsigned layers = 1;
    unsigned files = 0;
    std::uint64_t file_bytes = 0;
    unsigned files_per_folder = 500;
    std::vector<NamedFile> large{};
    unsigned crowd = 0;   // entries of the folder "crowd", of the bottom layer
    unsigned spread = 0;  // of the folder "spread", of which each layer has its share
    // Puts more into the bottom layer's folder.
    std::function<Status(std::string const& folder)> more = nullptr;

    [[nodiscard]] unsigned folders() const;
    [[nodiscard]] std::string folder(unsigned number) const;
    [[nodiscard]] std::string file(unsigned number) const;  // its path
};

// What lies on the disk of it. Paths are absolute.
struct Tree {
    TreeSpec spec;
    std::vector<std::string> layers;  // folders, bottom first
    std::string merged;               // all of them in one folder
    std::string layout;               // an OCI layout with plain tars
};

Result<Tree> make_tree(Workspace& space, TreeSpec const& spec);

// Some of the numbers below `count`, in an order without a system that is always the same.
[[nodiscard]] std::vector<unsigned> sample(unsigned count, unsigned wanted);

}  // namespace oblea::bench
