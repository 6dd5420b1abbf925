// SPDX-License-Identifier: MIT
// Copies files and folders between trees, as a stream of tar in between: `cp`, whose other end may
// be such a stream itself.
//
// Everything is relative to open folders; what is unpacked cannot leave its target, whatever links
// or names the stream has.
#pragma once
#include "store/base/byte_source.h"
#include "store/image/folder_tar.h"

#include <cstdint>
#include <memory>
#include <string>

namespace oblea::tools {

struct UnpackWish {
    int target;          // the folder that gets what is in the stream
    std::string rename;  // of the top folder or file of the stream; empty: as it is
    enum class Owners { caller, kept } owners = Owners::caller;
};

// What was copied, in bytes as docker counts them: those of a plain tar of it. Errors: EINVAL for
// what is no tar, or would lead out of the target; EISDIR and ENOTDIR, in docker's words, where a
// folder and something else would take each other's place; as the system calls.
Result<std::uint64_t> unpack_tar(base::ByteSource& tar, UnpackWish const& wish);

// What is called `name` in `folder`, with everything in it. `name` "." is the folder itself.
std::unique_ptr<store::FolderTar> tar_of(base::UniqueFd folder, std::string const& name,
                                         store::FolderTarOptions options);

// --- what `cp` decides; pure

struct CopyEnd {
    std::string container;  // empty: the machine
    std::string path;       // "-": a stream
};
// "CONTAINER:PATH", or a path; one that begins with / or . is the machine's whatever it has in it.
CopyEnd parse_copy_end(std::string_view typed);

struct CopySource {
    std::string name;                                              // the last component
    enum class Kind { file, folder, contents } kind = Kind::file;  // contents: "PATH/."
};
struct CopyTarget {
    enum class Kind { missing, file, folder } kind = Kind::missing;
    std::string name;    // the last component
    bool slash = false;  // typed with one at its end
};
struct CopyPlan {
    enum class Into {
        target,      // what is there already
        parent,      // under the name `rename`
        new_folder,  // "PATH/.": into a folder `rename` that is made in the parent, as PATH is
    } into = Into::target;
    std::string rename;
};
// Docker's rules. Errors: ENOTDIR, EINVAL with its words.
Result<CopyPlan> plan_copy(CopySource const& source, CopyTarget const& target);

}  // namespace oblea::tools
