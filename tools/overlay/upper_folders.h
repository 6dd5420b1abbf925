// SPDX-License-Identifier: MIT
// The folders of a stack that take changes, held for one mount: in overlayfs' format before and
// after it, private while it lasts (UpperDir::State).
#pragma once
#include "fs/union_fs.h"
#include "fs/upper/upper_dir.h"
#include "store/base/unique_fd.h"

#include <memory>
#include <string>

namespace oblea::tools {

class UpperFolders {
public:
    // Waits for who is about to let go of them. Errors: EBUSY when another mount has them.
    static Result<UpperFolders> take(std::string const& upper, std::string const& work);
    // In another program: the descriptors() of the one that took them.
    static UpperFolders adopt(base::UniqueFd upper, base::UniqueFd work);

    struct Descriptors {
        int upper = -1;
        int work = -1;
    };
    [[nodiscard]] Descriptors descriptors() const;

    // The upper layer, in overlayfs' format whoever wrote it, and marked as ours.
    [[nodiscard]] Result<std::unique_ptr<fs::UpperDir>> open() const;
    // The one that the other program opened, whose lock this is.
    [[nodiscard]] Result<std::unique_ptr<fs::UpperDir>> adopt_open(base::UniqueFd lock) const;

    // Of a union over it that serves nobody any more.
    Status seal(std::unique_ptr<fs::UnionFs> file_system) const;
    [[nodiscard]] Result<bool> is_sealed() const;

private:
    UpperFolders() = default;
    // Another program that mounts makes a folder of its own beside ours, or a new work folder.
    [[nodiscard]] Result<bool> unchanged_since_sealing() const;

    std::string path_, work_path_;
    base::UniqueFd upper_, work_;
};

}  // namespace oblea::tools
