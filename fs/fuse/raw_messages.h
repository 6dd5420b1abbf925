// SPDX-License-Identifier: MIT
// Messages to the kernel past libfuse, which has no call for them, or does not know of the request.
//
// Spec: linux/fuse.h. From any thread: a message is one write to the connection.
#pragma once
#include "fs/fuse/stale_pages.h"
#include "fs/types.h"

#include <cstdint>
#include <string_view>

struct fuse_in_header;

namespace oblea::fs {

// Answers a request of that number (fuse_in_header::unique), by the ring that it came from if it is
// this thread's. One that the kernel has given up meanwhile needs no answer.
void answer_error(int device, std::uint64_t request, Errno code);

// Has the kernel drop its pages of these bytes; waits for those that are locked. An inode that it
// has forgotten has none.
void notify_stale(int device, Ino ino, Stretch pages);

// Has the kernel ask for the attributes of the inode when they are needed next.
void notify_attributes(int device, Ino ino);

// Has the kernel send again what was read by a server that cannot answer any more (Linux 6.9).
Status ask_again(int device);

// libfuse before 3.17 does not know TMPFILE. The kernel sends it as it does CREATE, of a file with
// the name "/": as that libfuse hands it on. `request` is what was read.
void make_known(fuse_in_header& request);
[[nodiscard]] bool is_tmpfile(std::string_view created);

}  // namespace oblea::fs
