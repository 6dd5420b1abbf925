// SPDX-License-Identifier: MIT
// Images of containers-storage, fetched by the programs that own it: podman, skopeo or buildah.
#pragma once
#include "store/store.h"

#include <string>

namespace oblea::store {

// A running program whose output is read.
class ChildOutput {
public:
    ChildOutput(ChildOutput&& other) noexcept
        : pid_(std::exchange(other.pid_, -1)), output_(std::move(other.output_)),
          errors_(std::move(other.errors_)), name_(std::move(other.name_)) {}
    ChildOutput& operator=(ChildOutput&&) = delete;
    ChildOutput(ChildOutput const&) = delete;
    ChildOutput& operator=(ChildOutput const&) = delete;
    ~ChildOutput();  // ends the program when it was not waited for

    // Errors: ENOENT when no program of this name is installed.
    static Result<ChildOutput> start(std::vector<std::string> const& arguments,
                                     base::UniqueFd errors);

    base::UniqueFd take_output() { return std::move(output_); }

    // Waits for the end. Errors: EIO with what the program said last, when it failed.
    Status finish();

private:
    ChildOutput() = default;
    int pid_ = -1;
    base::UniqueFd output_;
    base::UniqueFd errors_;  // a file without a name
    std::string name_;
};

// The image as a docker archive. Errors: ENOENT when nothing is installed that could save it.
Result<ChildOutput> save_from_containers_storage(Store const& store, std::string const& name);

}  // namespace oblea::store
