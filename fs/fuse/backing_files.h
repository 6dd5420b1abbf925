// SPDX-License-Identifier: MIT
// Files that the kernel reads and writes by itself (passthrough): which of them it knows under
// which number.
//
// Rules of the kernel (linux/fs/fuse/iomode.c): one number for an inode; no open of it through the
// page cache as long as one by passthrough lasts, and the other way round; else the program gets
// EIO. So the first open of a file decides for those that come while it lasts. What is counted here
// ends at RELEASE, which the kernel sends after it has let go itself, so that a count is never too
// low. The numbers outlive the process that asked for them, so a successor is told them by a
// ledger. Safe from any thread, except resume().
#pragma once
#include "fs/ledger.h"
#include "fs/types.h"
#include "store/base/mutex.h"
#include "store/base/unique_fd.h"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace oblea::fs {

// Why this process cannot make such files known; empty: it can, as far as can be told before a
// mount.
[[nodiscard]] std::string why_no_backing();

class BackingFiles {
public:
    static Result<std::unique_ptr<BackingFiles>> make(int device);
    // What another program had, whose connection `device` was; resume() must follow.
    static std::unique_ptr<BackingFiles> adopt(int device, Ledger ledger);
    [[nodiscard]] Ledger const& ledger() const { return ledger_; }
    BackingFiles(BackingFiles const&) = delete;
    BackingFiles& operator=(BackingFiles const&) = delete;

    // Whether the kernel takes files at all, tried with one. Errors: EPERM, ELOOP, ...
    Status probe();

    // What to know of an inode whose first open this would be.
    struct Candidate {
        // How often it is open, this time included, whether or not by way of this table.
        std::function<std::uint64_t()> opens;
        // Null: it must not be handed to the kernel.
        std::function<Result<std::shared_ptr<base::UniqueFd const>>()> file;
    };
    static constexpr std::int32_t kThroughCache = 0;
    struct Way {
        std::int32_t number = kThroughCache;
        // What the cache has of the file from before. It is right as long as others have the file
        // open through it, and must be kept then: a page that is dropped while a WRITE of it is
        // under way would be read anew, as it was before, and stay so.
        enum class Pages : std::uint8_t { keep, drop } pages = Pages::keep;
    };
    // The way of one more open of the inode.
    Way add_open(Ino ino, Candidate const& candidate);
    // One that add_open() has counted, either way. `release` ends what Candidate::opens counts, in
    // one step with this: an open in between must not take it for one through the cache.
    void end_open(Ino ino, std::function<void()> const& release);
    // Whether all that have it open read and write it by the kernel alone.
    [[nodiscard]] bool is_kernels(Ino ino);

    // In a process that takes over (UnionFs::resume): what its predecessor knew.
    void resume();

private:
    BackingFiles(int device, Ledger ledger) : device_(device), ledger_(std::move(ledger)) {}
    struct Known {
        std::int32_t number = kThroughCache;
        std::uint64_t opens = 0;
        Ledger::Slot slot = Ledger::Slot::none;
        [[nodiscard]] Ledger::Entry entry() const {
            return {static_cast<std::uint64_t>(number), opens};
        }
    };
    struct Shard {
        base::Mutex mutex;
        std::unordered_map<std::uint64_t, Known> files OBLEA_GUARDED_BY(mutex);
    };
    static std::int32_t number_for(int device, Candidate const& candidate);
    [[nodiscard]] Shard& shard(Ino ino) {
        return shards_[static_cast<std::uint64_t>(ino) % shards_.size()];
    }

    int device_;  // borrowed
    Ledger ledger_;
    std::array<Shard, 64> shards_;
};

}  // namespace oblea::fs
