// SPDX-License-Identifier: MIT
// Files that are emptied when they are opened, before the kernel asks for it.
//
// A file of the image that is opened with O_TRUNC can be read and written by the kernel itself
// (passthrough) only if it is empty, and so whole in the upper, when its OPEN is answered
// (openers.h tells). That is right while nobody else has it open: the kernel still believes in the
// old size until the truncation that follows is answered, and who writes by its cache would go by
// that. So whoever opens the file meanwhile waits, and by then it is the kernel's for all of them.
//
// The truncation that follows was done already. To do it again would take away what others wrote
// since they found the file empty, so it does nothing. The kernel sends it without the handle of
// the open; it is known by its thread, which is in no other call before.
//
// A server that takes over knows of none: then the truncation is done again, like any that was
// under way. Any thread; while nothing is cut early, nobody waits for another one.
#pragma once
#include "fs/types.h"
#include "store/base/mutex.h"

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace oblea::fs {

class EarlyCuts {
public:
    // The right to decide how an inode is opened, for as long as it lives.
    class Alone {
    public:
        Alone(Alone&& other) noexcept
            : cuts_(std::exchange(other.cuts_, nullptr)), ino_(other.ino_) {}
        Alone& operator=(Alone&&) = delete;
        Alone(Alone const&) = delete;
        Alone& operator=(Alone const&) = delete;
        ~Alone() {
            if (cuts_ != nullptr) {
                cuts_->leave(ino_);
            }
        }

    private:
        friend class EarlyCuts;
        Alone(EarlyCuts& cuts, Ino ino) : cuts_(&cuts), ino_(ino) {}
        EarlyCuts* cuts_;
        Ino ino_;
    };

    EarlyCuts() = default;
    EarlyCuts(EarlyCuts const&) = delete;
    EarlyCuts& operator=(EarlyCuts const&) = delete;

    // For one whose open was counted. Who looks at that count next sees all who will not wait for
    // the end of this: sequentially consistent with wait_for_others(). None: another has it.
    [[nodiscard]] std::optional<Alone> enter(Ino ino);
    // For every open of a file, after it was counted.
    void wait_for_others(Ino ino);

    // The truncation that the thread's open of this inode brings has been done.
    void add_done(Ino ino, pid_t thread);
    // For a truncation to nothing, not by a handle: whether it is that one. Once.
    [[nodiscard]] bool take_done(Ino ino, pid_t thread);
    // At the end of that open: whether its truncation did not come.
    [[nodiscard]] bool never_came(Ino ino);

private:
    void leave(Ino ino);

    base::Mutex mutex_;
    std::condition_variable left_;
    std::unordered_set<Ino> entered_ OBLEA_GUARDED_BY(mutex_);
    std::unordered_map<Ino, pid_t> done_ OBLEA_GUARDED_BY(mutex_);
    std::atomic<std::size_t> entered_count_{0};  // of entered_
};

}  // namespace oblea::fs
