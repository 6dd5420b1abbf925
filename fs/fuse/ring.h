// SPDX-License-Identifier: MIT
// Requests by io_uring (Linux 6.14, switched on by /sys/module/fuse/parameters/enable_uring), in
// place of read(2) and write(2): one system call hands over an answer and waits for the next
// request, on the processor of the program that asks.
//
// Each processor has a queue of its own in the kernel, and each queue needs somebody who waits,
// else the kernel sends nothing. FORGET and INTERRUPT go on coming by read(2).
//
// Spec: linux/fuse.h since 6.14, "enum fuse_uring_cmd".
#pragma once
#include "fs/fuse/ring_slot.h"
#include "fs/types.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace oblea::fs {

// Why this process may not have requests this way; empty: it may. The kernel's own offer comes with
// INIT.
std::string why_no_rings();

// How many queues the kernel makes: one for each processor that there may be. 0: that cannot be
// seen.
unsigned ring_queues();
// How many processors such a list names ("0-3,8"); 0: it is none. Pure.
unsigned count_processors(std::string_view list);

// One worker's; for its thread alone. The slot must outlive it.
class Ring {
public:
    static Result<Ring> make(int device, unsigned queue, RingSlot& slot);
    Ring(Ring&& other) noexcept;
    Ring& operator=(Ring&& other) noexcept;
    ~Ring();

    // What to do at the next wait(): offer the slot to the kernel, or hand over the slot's answer
    // and offer it again.
    void offer();
    void commit();
    // Does it now and waits for nothing.
    Status submit();

    enum class Came {
        request,    // it is in the slot
        nothing,    // a signal came, or the time is over
        not_known,  // the kernel has no such request (any more), and not the slot either
    };
    // Errors: ENOTCONN, ECONNABORTED when the mount has ended.
    Result<Came> wait();
    Result<Came> wait(std::chrono::milliseconds longest);

private:
    struct Impl;
    explicit Ring(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::fs
