// SPDX-License-Identifier: MIT
// The suites: which trees, and what is done with them.
#pragma once
#include "bench/bench.h"

#include <array>

namespace oblea::bench {

Status run_lookup(Bench& bench);    // names that exist and that do not, by number of layers
Status run_read(Bench& bench);      // small files, one large file, programs
Status run_walk(Bench& bench);      // a tree as find goes through it, one crowded folder
Status run_copyup(Bench& bench);    // first changes of files of the image, by size
Status run_metadata(Bench& bench);  // making, renaming, removing; writing
Status run_programs(Bench& bench);  // interpreters, compilers, tar, rm, git
Status run_startup(Bench& bench);   // mount, first answer, unmount; memory
Status run_import(Bench& bench);    // an image into an empty store
Status run_gc(Bench& bench);        // an image out of the store

struct Suite {
    char const* name;
    char const* summary;
    Status (*run)(Bench& bench);
};

inline constexpr std::array<Suite, 9> kSuites{{
    {"lookup", "Names that exist and that do not, by number of layers", run_lookup},
    {"read", "Small files, a large file, programs", run_read},
    {"walk", "A tree as find goes through it, and a crowded folder", run_walk},
    {"copyup", "First changes of files of the image, by size", run_copyup},
    {"metadata", "Making, renaming, removing and writing files", run_metadata},
    {"programs", "Programs of the image, and tar, rm, git and a compiler at work in it",
     run_programs},
    {"startup", "Mount, first answer, unmount; memory of the server", run_startup},
    {"import", "An image into an empty store", run_import},
    {"gc", "An image out of the store", run_gc},
}};

// What a suite goes through: what was asked for, else by size.
[[nodiscard]] std::vector<std::uint64_t> chosen(std::vector<std::uint64_t> const& asked,
                                                std::vector<std::uint64_t> const& usual);
// Paths of the tree's files, of at most `wanted` of them, in no order.
[[nodiscard]] std::vector<std::string> some_files(TreeSpec const& spec, unsigned wanted);

}  // namespace oblea::bench
