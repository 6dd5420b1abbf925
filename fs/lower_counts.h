// SPDX-License-Identifier: MIT
// How often the kernel knows, and has open, each inode of the lower tree, and whether the node
// table has more to say.
//
// Inodes of the image have no node until something of them is in the upper; what must be counted
// meanwhile is eight bytes each, in one array that is zero until touched. No locks. The memory is
// shared: when one process served and was killed, the next goes on with what it had counted
// (UnionFs::resume).
#pragma once
#include "fs/shared_memory.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace oblea::fs {

class LowerCounts {
public:
    // For inode numbers from 1 to `inode_count`.
    static Result<LowerCounts> make(std::uint32_t inode_count);
    // Of memory that was made for as many. Errors: EINVAL when it was not.
    static Result<LowerCounts> adopt(SharedMemory memory, std::uint32_t inode_count);
    [[nodiscard]] SharedMemory const& memory() const { return memory_; }

    [[nodiscard]] bool contains(std::uint64_t ino) const { return ino < slots_.size(); }

    // Saturates: an inode that was looked up one thousand million times is never forgotten.
    void add_lookup(std::uint64_t ino);
    void forget(std::uint64_t ino, std::uint64_t count);
    // Sequentially consistent with has_node() and set_node(): who opens a file that has no node yet
    // is seen by who gives it one.
    void add_open(std::uint64_t ino) { slots_[ino].opens.fetch_add(1); }
    [[nodiscard]] std::uint32_t opens(std::uint64_t ino) const { return slots_[ino].opens.load(); }
    void end_open(std::uint64_t ino);

    [[nodiscard]] bool has_node(std::uint64_t ino) const {
        return (slots_[ino].lookups.load() & kNode) != 0;
    }
    void set_node(std::uint64_t ino) { slots_[ino].lookups.fetch_or(kNode); }
    // Whether the kernel knows the inode or has it open.
    [[nodiscard]] bool known(std::uint64_t ino) const;
    // Takes the mark of a node away, unless the inode is known: then false.
    [[nodiscard]] bool clear_node_if_unknown(std::uint64_t ino);

    // That no name leads to the inode any more, for a process that has to find its node again.
    void set_unlinked(std::uint64_t ino) {
        slots_[ino].lookups.fetch_or(kUnlinked, std::memory_order_release);
    }
    // For a process that takes over: forgets the nodes, gives the known inodes that no name leads
    // to. While no other thread uses the counts.
    Result<std::vector<std::uint64_t>> start_over();

private:
    static constexpr std::uint32_t kNode = std::uint32_t{1} << 31U;
    static constexpr std::uint32_t kUnlinked = std::uint32_t{1} << 30U;
    static constexpr std::uint32_t kCountMax = kUnlinked - 1;
    struct Slot {
        std::atomic<std::uint32_t> lookups;  // and kNode
        std::atomic<std::uint32_t> opens;
    };
    SharedMemory memory_;
    std::span<Slot> slots_;  // of memory_
};

}  // namespace oblea::fs
