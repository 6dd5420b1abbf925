// SPDX-License-Identifier: MIT
// Keeps what was used last, up to a weight: open files, decompressed pieces.
//
// What is pushed out lives on for as long as somebody uses it. Thread-safe; what is not there is
// made by the caller, and what nobody uses any more ends, without the lock: a slow disk holds up
// nobody else.
#pragma once
#include "store/base/mutex.h"

#include <cstddef>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

namespace oblea::base {

template <typename Key, typename T>
class RecentlyUsed {
public:
    using Shared = std::shared_ptr<T const>;

    // The last one is kept whatever it weighs.
    explicit RecentlyUsed(std::size_t weight_max) : weight_max_(weight_max) {}

    // Null when it is not there.
    Shared find(Key const& key) {
        LockGuard const guard{mutex_};
        auto const at = places_.find(key);
        if (at == places_.end()) {
            return nullptr;
        }
        order_.splice(order_.begin(), order_, at->second);
        return at->second->value;
    }

    // Returns what is kept: `value`, or what a faster thread has brought.
    Shared keep(Key const& key, Shared value, std::size_t weight) {
        Order dropped;
        LockGuard const guard{mutex_};
        if (auto const at = places_.find(key); at != places_.end()) {
            return at->second->value;
        }
        add(key, value, weight, dropped);
        return value;
    }

    // In the place of what was there.
    void replace(Key const& key, Shared value, std::size_t weight) {
        Order dropped;
        LockGuard const guard{mutex_};
        take_out(key, dropped);
        add(key, std::move(value), weight, dropped);
    }

    void erase(Key const& key) {
        Order dropped;
        LockGuard const guard{mutex_};
        take_out(key, dropped);
    }

private:
    struct Entry {
        Key key;
        Shared value;
        std::size_t weight = 0;
    };
    using Order = std::list<Entry>;  // used last first

    void add(Key const& key, Shared value, std::size_t weight, Order& dropped)
        OBLEA_REQUIRES(mutex_) {
        order_.push_front({.key = key, .value = std::move(value), .weight = weight});
        places_[key] = order_.begin();
        weight_ += weight;
        while (weight_ > weight_max_ && order_.size() > 1) {
            take_out(order_.back().key, dropped);
        }
    }

    void take_out(Key const& key, Order& dropped) OBLEA_REQUIRES(mutex_) {
        auto const at = places_.find(key);
        if (at == places_.end()) {
            return;
        }
        auto const entry = at->second;
        places_.erase(at);
        weight_ -= entry->weight;
        dropped.splice(dropped.begin(), order_, entry);
    }

    std::size_t const weight_max_;
    Mutex mutex_;
    Order order_ OBLEA_GUARDED_BY(mutex_);
    std::unordered_map<Key, typename Order::iterator> places_ OBLEA_GUARDED_BY(mutex_);
    std::size_t weight_ OBLEA_GUARDED_BY(mutex_) = 0;
};

}  // namespace oblea::base
