// SPDX-License-Identifier: MIT
// All files of a context, before .dockerignore: a folder's or a tar's.
//
// Paths have no links in their middle: where one has, nothing is there. Safe from any thread.
#pragma once
#include "store/store.h"
#include "tools/build/source_tree.h"

#include <memory>

namespace oblea::tools::build {

class ContextFiles {
public:
    ContextFiles() = default;
    ContextFiles(ContextFiles const&) = delete;
    ContextFiles& operator=(ContextFiles const&) = delete;
    virtual ~ContextFiles() = default;

    // nullopt: nothing is there, or a socket, which no image can hold.
    [[nodiscard]] virtual Result<std::optional<SourceNode>>
    look(store::RelPath const& path) const = 0;
    // Sorted, without sockets. Errors: ENOTDIR, ENOENT.
    [[nodiscard]] virtual Result<std::vector<std::string>>
    list(store::RelPath const& folder) const = 0;
    // Of a regular file. Errors: EINVAL where it is none.
    [[nodiscard]] virtual Result<std::unique_ptr<base::ByteSource>>
    open(store::RelPath const& file) const = 0;
};

// A folder of the machine, read when it is asked. What is moved or replaced meanwhile cannot lead
// out of it.
std::unique_ptr<ContextFiles> folder_files(base::UniqueFd folder);

// A tar, compressed in any way, read to its end; contents go to a file without a name in the
// store's tmp/. Errors: EINVAL for a damaged archive, names that lead out of it, or members that
// lie in something that is no folder; E2BIG past a limit.
Result<std::unique_ptr<ContextFiles>> archive_files(store::Store const& store,
                                                    base::ByteSource& archive);

// No files at all.
std::unique_ptr<ContextFiles> no_files();

}  // namespace oblea::tools::build
