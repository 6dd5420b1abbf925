// SPDX-License-Identifier: MIT
// The disk that a benchmark works on: as root a fresh ext4 on a loop device, else a plain folder.
//
// Gone with its object, whatever was left mounted in it included.
#pragma once
#include "store/base/error.h"

#include <string>
#include <vector>

namespace oblea::bench {

class Workspace {
public:
    // In the folder `below`, which should be on a real disk: nothing is measured well in a tmpfs.
    static Result<Workspace> make(std::string const& below);
    Workspace(Workspace&& other) noexcept;
    Workspace& operator=(Workspace&&) = delete;
    Workspace(Workspace const&) = delete;
    Workspace& operator=(Workspace const&) = delete;
    ~Workspace();

    [[nodiscard]] std::string const& path() const { return disk_; }
    // "ext4 of its own", or the reason why there is none.
    [[nodiscard]] std::string const& kind() const { return kind_; }
    // A folder that did not exist before.
    Result<std::string> fresh_folder(std::string const& what);

private:
    Workspace() = default;
    std::string folder_;  // empty: moved from
    std::string disk_;
    std::string kind_;
    bool mounted_ = false;
    unsigned folders_ = 0;
};

// Writes back what is dirty, then empties the kernel's caches of pages, names and inodes. Errors:
// EPERM without root.
Status drop_caches();

// Runs a program to its end. Errors: EIO with what it said when it fails.
Status run(std::vector<std::string> const& arguments);
// The same, for its output.
Result<std::string> output_of(std::vector<std::string> const& arguments);

}  // namespace oblea::bench
