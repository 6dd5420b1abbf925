// SPDX-License-Identifier: MIT
// What a process knows of inodes and nobody else can tell, in memory that outlives it.
//
// All else that a successor needs is in the upper itself. The memory holds plain records at fixed
// places, each changed by single stores, so a process that is killed at any instruction leaves no
// record half made. Inodes of the image
// are counted in LowerCounts. Thread-safe, except start_over().
#pragma once
#include "fs/shared_memory.h"
#include "fs/types.h"
#include "store/base/mutex.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace oblea::fs {

class Ledger {
public:
    // Where an inode stands in the ledger; none: nowhere.
    enum class Slot : std::uint32_t { none = 0 };
    // What is known of it: two words, whose meaning is their owner's.
    using Entry = std::array<std::uint64_t, 2>;
    struct Known {
        Slot slot = Slot::none;
        Entry entry{};
    };

    static Result<Ledger> make();
    // Of memory that was made by make(), before start_over().
    static Ledger adopt(SharedMemory memory);
    [[nodiscard]] SharedMemory const& memory() const { return memory_; }

    Ledger() = default;
    Ledger(Ledger&& other) noexcept;
    // Only before threads use either: no lock is taken.
    Ledger& operator=(Ledger&& other) noexcept OBLEA_THREAD_SAFETY(no_thread_safety_analysis);
    Ledger(Ledger const&) = delete;
    Ledger& operator=(Ledger const&) = delete;
    ~Ledger() = default;

    // Slot::none when all are taken: the inode then is unknown to a successor.
    [[nodiscard]] Slot add(Ino ino, Entry const& entry);
    void set(Slot slot, Entry const& entry);
    void remove(Slot slot);

    // For a process that takes over: what its predecessor had written, by inode number.
    [[nodiscard]] std::unordered_map<std::uint64_t, Known> start_over();
    // How many processes have taken over.
    [[nodiscard]] std::uint32_t generation() const { return head_->generation.load(); }

private:
    struct Record {
        std::atomic<std::uint64_t> ino;  // 0: free. Written last when taken, first when freed
        std::array<std::atomic<std::uint64_t>, 2> words;
    };
    struct Head {
        std::atomic<std::uint32_t> used;  // records from 1 to this one were in use at some time
        std::atomic<std::uint32_t> generation;
    };
    // Address space only; memory is taken as records are used.
    static constexpr std::size_t kRecordsMax = std::size_t{1} << 26U;
    static constexpr std::size_t kRecordsMin = std::size_t{1} << 16U;

    [[nodiscard]] Record& at(Slot slot) { return records_[static_cast<std::uint32_t>(slot)]; }

    SharedMemory memory_;
    std::span<Record> records_;  // of memory_; the first one has the place of the head
    Head* head_ = nullptr;
    base::Mutex mutex_;
    std::vector<Slot> free_ OBLEA_GUARDED_BY(mutex_);
};

}  // namespace oblea::fs
