// SPDX-License-Identifier: MIT
// What programs do with files, to be timed. Paths are relative to an open folder, so that the way
// to a mount costs nothing.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <cstdint>
#include <string>
#include <vector>

namespace oblea::bench {

using Paths = std::vector<std::string>;

Status stat_all(std::string const& root, Paths const& paths);      // each must exist
Status stat_missing(std::string const& root, Paths const& paths);  // none may exist
Status read_all(std::string const& root, Paths const& paths);      // open, read to the end, close
Status walk(std::string const& root);       // readdir and stat of everything, as find does
Status list(std::string const& folder);     // names alone
Status read_file(std::string const& path);  // in steps of 128 KiB
// 4 KiB each, at places that are the same at every run.
Status read_randomly(std::string const& path, unsigned reads);
Status read_mapped(std::string const& path);  // one byte of each page, through mmap

enum class Sync { no, yes };
struct WriteOptions {
    std::uint64_t bytes = 0;
    std::size_t piece_bytes = 0;
    Sync sync = Sync::no;
};
Status write_file(std::string const& path, WriteOptions const& options);  // made, or emptied first
Status touch_bytes(std::string const& path, std::uint64_t bytes);  // written over its beginning
Status append_all(std::string const& root, Paths const& paths);
Status chmod_all(std::string const& root, Paths const& paths);
Status create_all(std::string const& root, Paths const& paths);  // with 100 bytes each
Status rename_all(std::string const& root, Paths const& from, Paths const& to);
Status unlink_all(std::string const& root, Paths const& paths);

}  // namespace oblea::bench
