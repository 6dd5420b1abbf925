// SPDX-License-Identifier: MIT
#include "fs/ledger.h"

#include <utility>

namespace oblea::fs {

Result<Ledger> Ledger::make() {
    return adopt(OBLEA_TRY(
        SharedMemory::make_records("oblea-ledger", sizeof(Record), kRecordsMax, kRecordsMin)));
}

Ledger Ledger::adopt(SharedMemory memory) {
    static_assert(sizeof(Head) <= sizeof(Record));
    Ledger ledger;
    ledger.memory_ = std::move(memory);
    ledger.records_ = ledger.memory_.as<Record>();
    ledger.head_ = ledger.memory_.as<Head>().data();
    return ledger;
}

Ledger::Ledger(Ledger&& other) noexcept {
    *this = std::move(other);
}

Ledger& Ledger::operator=(Ledger&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(records_, other.records_);
    std::swap(head_, other.head_);
    std::swap(free_, other.free_);
    return *this;
}

Ledger::Slot Ledger::add(Ino ino, Entry const& entry) {
    Slot slot = Slot::none;
    {
        base::LockGuard const lock{mutex_};
        if (!free_.empty()) {
            slot = free_.back();
            free_.pop_back();
        } else {
            std::uint32_t const next = head_->used.load(std::memory_order_relaxed) + 1;
            if (next == records_.size()) {
                return Slot::none;
            }
            head_->used.store(next, std::memory_order_release);
            slot = Slot{next};
        }
    }
    set(slot, entry);
    at(slot).ino.store(static_cast<std::uint64_t>(ino), std::memory_order_release);
    return slot;
}

void Ledger::set(Slot slot, Entry const& entry) {
    if (slot == Slot::none) {
        return;
    }
    for (std::size_t i = 0; i < entry.size(); ++i) {
        at(slot).words[i].store(entry[i], std::memory_order_relaxed);
    }
}

void Ledger::remove(Slot slot) {
    if (slot == Slot::none) {
        return;
    }
    at(slot).ino.store(0, std::memory_order_release);
    base::LockGuard const lock{mutex_};
    free_.push_back(slot);
}

std::unordered_map<std::uint64_t, Ledger::Known> Ledger::start_over() {
    std::unordered_map<std::uint64_t, Known> known;
    base::LockGuard const lock{mutex_};
    head_->generation.fetch_add(1);
    free_.clear();
    for (std::uint32_t i = head_->used.load(std::memory_order_acquire); i > 0; --i) {
        Slot const slot{i};
        Record const& record = at(slot);
        std::uint64_t const ino = record.ino.load(std::memory_order_acquire);
        if (ino == 0) {
            free_.push_back(slot);
            continue;
        }
        Known& one = known[ino];
        one.slot = slot;
        for (std::size_t word = 0; word < one.entry.size(); ++word) {
            one.entry[word] = record.words[word].load(std::memory_order_relaxed);
        }
    }
    return known;
}

}  // namespace oblea::fs
