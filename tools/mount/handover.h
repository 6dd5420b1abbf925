// SPDX-License-Identifier: MIT
// What the holder of a mount tells another program that shall serve it: as text that outlives the
// exec, beside the descriptors that the text numbers.
#pragma once
#include "fs/fuse/server.h"
#include "fs/union_fs.h"
#include "tools/mount/mount_image.h"
#include "tools/mount/user_namespace.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace oblea::tools {

// Of a mount of an image.
struct ImageHandover {
    store::StoreOptions store;  // without limits, which are for layers that come in
    std::string lease;          // path in the store, and its locked file
    int lease_file = -1;
    MountRequest request{};  // without `options`, but for the threads
    std::string image_name;
    std::vector<store::Digest> layers{};
    std::string container_id;  // empty: none
    enum class Made { before, by_this_mount } made = Made::before;
    OwnerIds owner_ids = OwnerIds::real;
};

// Of a stack of plain folders. Its folders are told by descriptors: their paths may lie below the
// mount point, or lead elsewhere by now.
struct StackHandover {
    std::vector<std::string> options{};  // the arguments of all -o
    std::vector<int> layers{};           // the bottom first
    int numbering = -1;
    int upper = -1;  // locked; -1: the mount is read-only
    int work = -1;
};

struct MountHandover {
    std::string description{};                               // encode_mount()
    std::optional<fs::UnionFs::MemoryDescriptors> memory{};  // writable mounts only
    fs::Handover server{};
    int life = -1;  // LifeLine::servers
    std::variant<ImageHandover, StackHandover> mounted{};
};

// Pure. Errors of parse: EOPNOTSUPP for what a program of another generation wrote.
std::string encode_handover(MountHandover const& handover);
Result<MountHandover> parse_handover(std::string_view text);

// All descriptors that the text numbers.
std::vector<int> descriptors_of(MountHandover const& handover);

}  // namespace oblea::tools
