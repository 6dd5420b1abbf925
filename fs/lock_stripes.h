// SPDX-License-Identifier: MIT
// Locks by inode number, a fixed number of them for any number of inodes.
//
// Two inodes may share a lock, so a thread takes all the locks that it needs at once, in the order
// of their stripes; it never takes one more while it holds some. README.md "Lock order".
#pragma once
#include "fs/types.h"
#include "store/base/mutex.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <initializer_list>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace oblea::fs {

// Guards the names in folders: shared to look one up, exclusive to change one.
class FolderLocks {
public:
    class Exclusive {
    public:
        Exclusive(FolderLocks& locks, std::initializer_list<Ino> folders) {
            std::vector<std::size_t> stripes;
            for (Ino const folder : folders) {
                stripes.push_back(stripe_of(folder));
            }
            std::ranges::sort(stripes);
            auto const doubles = std::ranges::unique(stripes);
            stripes.erase(doubles.begin(), doubles.end());
            for (std::size_t const stripe : stripes) {
                held_.emplace_back(locks.stripes_[stripe]);
            }
        }

    private:
        std::vector<std::unique_lock<std::shared_mutex>> held_;
    };

    [[nodiscard]] std::shared_lock<std::shared_mutex> share(Ino folder) {
        return std::shared_lock{stripes_[stripe_of(folder)]};
    }

private:
    static constexpr std::size_t kStripes = 128;
    static std::size_t stripe_of(Ino ino) {
        return (static_cast<std::uint64_t>(ino) * 0x9e3779b97f4a7c15U) >> 57U;
    }
    std::array<std::shared_mutex, kStripes> stripes_;
};

// Guards the steps of one inode's state (file_state.h) and of its attributes, and lets threads wait
// for the end of a copy-up. Taken after folder locks, never two at once.
class InodeLocks {
public:
    struct Stripe {
        base::Mutex mutex;
        std::condition_variable changed;
    };
    [[nodiscard]] Stripe& of(Ino ino) {
        return stripes_[(static_cast<std::uint64_t>(ino) * 0x9e3779b97f4a7c15U) >> 57U];
    }

private:
    std::array<Stripe, 128> stripes_;
};

}  // namespace oblea::fs
