// SPDX-License-Identifier: MIT
// Keeps what was used last, up to a weight: open files, decompressed pieces.
//
// What is pushed out lives on for as long as somebody uses it. Thread-safe; what is not there is
// made by the caller, without the lock, so that a slow disk holds up nobody else.
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
        LockGuard const guard{mutex_};
        if (auto const at = places_.find(key); at != places_.end()) {
            return at->second->value;
        }
        order_.push_front({.key = key, .value = value, .weight = weight});
        places_[key] = order_.begin();
        weight_ += weight;
        while (weight_ > weight_max_ && order_.size() > 1) {
            weight_ -= order_.back().weight;
            places_.erase(order_.back().key);
            order_.pop_back();
        }
        return value;
    }

private:
    struct Entry {
        Key key;
        Shared value;
        std::size_t weight = 0;
    };
    using Order = std::list<Entry>;  // used last first

    std::size_t const weight_max_;
    Mutex mutex_;
    Order order_ OBLEA_GUARDED_BY(mutex_);
    std::unordered_map<Key, typename Order::iterator> places_ OBLEA_GUARDED_BY(mutex_);
    std::size_t weight_ OBLEA_GUARDED_BY(mutex_) = 0;
};

}  // namespace oblea::base
