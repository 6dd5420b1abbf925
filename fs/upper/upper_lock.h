// SPDX-License-Identifier: MIT
// The lock of an upper layer: one mount at a time has it.
//
// A file in the work folder, held with flock(2) by whoever uses the layer, and by all its processes
// that inherit the descriptor. Its text names the holder and, once that has mounted, the mount; at
// the end it says that. So those who come next can tell a mount from one that was just taken down,
// whose server has yet to let go: for that one they wait, as umount(8) returns before.
#pragma once
#include "fs/mountinfo.h"
#include "fs/types.h"
#include "store/base/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::fs {

struct LockHolder {
    std::int64_t pid = 0;
    std::optional<MountPlace> mount{};  // none before it has mounted, or where it never does
    enum class Ends { no, yes } ends = Ends::no;  // the mount is gone for good
    bool operator==(LockHolder const&) const = default;
};

// "PID", "PID DEVICE PATH", "PID ends".
std::string encode_holder(LockHolder const& holder);
// nullopt for what is no such text, as there may be while it is written.
std::optional<LockHolder> parse_holder(std::string_view text);

// What the holder of a lock is doing, given the mounts that it sees.
enum class HolderState {
    mounted,
    detached,  // its mount was taken down, and it has not noticed, or goes on for who still uses it
    ending,    // it brings to the disk what it has
    other,     // about to mount, or at work on the layer without; or nobody has said yet
};
HolderState state_of(std::optional<LockHolder> const& holder, std::vector<MountEntry> const& table);

// How long to wait for the lock while its holder is doing that.
std::chrono::seconds patience_with(HolderState state);

// Makes the file where it is missing. Errors: EBUSY, naming the holder and where it has mounted, at
// once if it is mounted.
Result<base::UniqueFd> take_upper_lock(int work_folder);
// For what else one mount at a time has, another file or folder of the layer: its lock, with the
// same patience with the holder of the one that lies at `path`. Errors: the same.
Status wait_for_lock(int descriptor, int folder, char const* path);

// Says where the holder, this process, has mounted.
Status note_mount(int lock, MountPlace const& mount);
// Says that the mount is gone, and nobody uses it; in whichever process of the holder.
Status note_end(int lock);

}  // namespace oblea::fs
