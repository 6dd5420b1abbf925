// SPDX-License-Identifier: MIT
// Where the parts of layers and images are looked for: the own store first, then shared ones.
//
// The same part is the same bytes wherever it lies (FORMAT.md "The same everywhere"), so the first
// that is found will do. A value; borrows its descriptors. Nothing is ever written through it.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

namespace oblea::store {

class Roots {
public:
    struct Shared {
        int fd = -1;
        std::string path;  // for people
    };

    // One folder is a list of one: not explicit.
    Roots(int own) : own_(own) {}  // NOLINT(google-explicit-constructor,hicpp-explicit-conversions)
    Roots(int own, std::vector<Shared> shared) : own_(own), shared_(std::move(shared)) {}

    [[nodiscard]] int own() const { return own_; }
    [[nodiscard]] std::vector<Shared> const& shared() const { return shared_; }

    struct Part {
        base::UniqueFd file;  // for reading
        enum class Of { own, shared } of = Of::own;
    };
    // Nothing when none of them has it. Errors: what else an open may fail with, naming the file
    // and, of a shared store, the store.
    [[nodiscard]] Result<std::optional<Part>> open_if_exists(std::string const& path) const;
    [[nodiscard]] Result<std::optional<struct stat>> stat_if_exists(std::string const& path) const;

    // The whole file; errors also as of sys::read_file.
    [[nodiscard]] Result<std::optional<std::string>>
    read_file_if_exists(std::string const& path, std::size_t limit_bytes) const;

    // "the store", "the store and from /shared/oblea": for "X is missing from ...".
    [[nodiscard]] std::string names() const;

private:
    int own_;
    std::vector<Shared> shared_;
};

}  // namespace oblea::store
