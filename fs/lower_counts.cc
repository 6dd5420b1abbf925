// SPDX-License-Identifier: MIT
#include "fs/lower_counts.h"

#include "store/base/sys.h"

#include <unistd.h>

#include <utility>

namespace oblea::fs {

namespace sys = base::sys;

Result<LowerCounts> LowerCounts::make(std::uint32_t inode_count) {
    std::size_t const bytes = (std::size_t{inode_count} + 1) * sizeof(Slot);
    return adopt(OBLEA_TRY(SharedMemory::make("oblea-lower-counts", bytes)), inode_count);
}

Result<LowerCounts> LowerCounts::adopt(SharedMemory memory, std::uint32_t inode_count) {
    LowerCounts counts;
    counts.memory_ = std::move(memory);
    counts.slots_ = counts.memory_.as<Slot>();
    if (counts.slots_.size() != std::size_t{inode_count} + 1) {
        return fail(Errno::einval, "", "these are counts of another image");
    }
    return counts;
}

void LowerCounts::add_lookup(std::uint64_t ino) {
    auto& word = slots_[ino].lookups;
    std::uint32_t const old = word.fetch_add(1, std::memory_order_relaxed);
    if ((old & kCountMax) == kCountMax) [[unlikely]] {
        word.fetch_sub(1, std::memory_order_relaxed);
    }
}

void LowerCounts::forget(std::uint64_t ino, std::uint64_t count) {
    auto& word = slots_[ino].lookups;
    std::uint32_t old = word.load(std::memory_order_relaxed);
    for (;;) {
        std::uint32_t const have = old & kCountMax;
        if (have == kCountMax) {
            return;
        }
        std::uint32_t const left = count >= have ? 0 : have - static_cast<std::uint32_t>(count);
        if (word.compare_exchange_weak(old, (old & ~kCountMax) | left, std::memory_order_acq_rel)) {
            return;
        }
    }
}

void LowerCounts::end_open(std::uint64_t ino) {
    auto& word = slots_[ino].opens;
    std::uint32_t old = word.load(std::memory_order_relaxed);
    while (old > 0 && !word.compare_exchange_weak(old, old - 1, std::memory_order_acq_rel)) {
    }
}

bool LowerCounts::known(std::uint64_t ino) const {
    return (slots_[ino].lookups.load(std::memory_order_acquire) & kCountMax) != 0 ||
           slots_[ino].opens.load(std::memory_order_acquire) != 0;
}

bool LowerCounts::clear_node_if_unknown(std::uint64_t ino) {
    if (slots_[ino].opens.load(std::memory_order_acquire) != 0) {
        return false;
    }
    auto& word = slots_[ino].lookups;
    std::uint32_t old = word.load(std::memory_order_acquire);
    while ((old & kCountMax) == 0 && (old & kNode) != 0) {
        if (word.compare_exchange_weak(old, 0, std::memory_order_acq_rel)) {
            return true;
        }
    }
    return false;
}

Result<std::vector<std::uint64_t>> LowerCounts::start_over() {
    std::vector<std::uint64_t> unlinked;
    // Only what was touched: the array may be larger than the memory, and reading takes pages too.
    for (std::uint64_t end = 0;;) {
        auto const touched = sys::lseek(memory_.descriptor(), end, SEEK_DATA);
        if (!touched.has_value() && touched.error().code == Errno::enxio) {
            return unlinked;
        }
        std::uint64_t const begin = OBLEA_TRY(touched);
        end = OBLEA_TRY(sys::lseek(memory_.descriptor(), begin, SEEK_HOLE));
        for (std::uint64_t ino = begin / sizeof(Slot); ino < end / sizeof(Slot); ++ino) {
            Slot& slot = slots_[ino];
            std::uint32_t const old = slot.lookups.load(std::memory_order_relaxed);
            slot.lookups.store(old & kCountMax, std::memory_order_relaxed);
            if ((old & kUnlinked) != 0 && (old & kCountMax) != 0) {
                unlinked.push_back(ino);
            }
        }
    }
}

}  // namespace oblea::fs
