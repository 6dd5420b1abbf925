// SPDX-License-Identifier: MIT
// Which requests are being answered, in memory that a successor of this process sees.
//
// The kernel sends a request again that a dead server had read and not answered (Linux 6.9,
// FUSE_NOTIFY_RESEND), with a mark. Most can simply be done once more. Two need memory: an exchange
// of two names, which leaves no trace of having happened; and a request that makes every server
// crash, which must not be tried for ever.
//
// One line for each worker, written by it alone.
#pragma once
#include "fs/shared_memory.h"
#include "fs/types.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace oblea::fs {

// The mark of a request that is sent again, in its number.
inline constexpr std::uint64_t kResent = std::uint64_t{1} << 63U;

class InHand {
public:
    static constexpr unsigned kWorkersMax = 1024;

    static Result<InHand> make();
    // Of memory that was made by make(). Errors: EINVAL when it was not.
    static Result<InHand> adopt(SharedMemory memory);
    [[nodiscard]] SharedMemory const& memory() const { return memory_; }

    // The calling thread is that worker from now on; below kWorkersMax.
    void enter(unsigned worker);
    void begin(std::uint64_t request);
    void end();
    // The inode that the request of this thread is about to move or to release.
    void note(Ino ino);

    // For a process that takes over, before its workers begin. `crashed`: its predecessor ended by
    // its own fault, so what it had in hand is suspect.
    enum class Crashed { no, yes };
    void start_over(Crashed crashed);
    // What the predecessor had noted of a request that is sent again.
    [[nodiscard]] std::optional<Ino> noted(std::uint64_t request) const;
    // Whether servers crashed twice with this request in hand.
    [[nodiscard]] bool is_deadly(std::uint64_t request) const;

private:
    struct alignas(64) Line {
        std::atomic<std::uint64_t> request;  // 0: none
        std::atomic<std::uint64_t> noted;    // 0: nothing
        std::atomic<std::uint64_t> suspect;  // a request that was in hand at a crash
        std::atomic<std::uint64_t> crashes;  // how many
    };
    struct Past {
        std::uint64_t request = 0;
        std::uint64_t noted = 0;
    };
    SharedMemory memory_;
    std::span<Line> lines_;  // of memory_
    std::vector<Past> past_;
    static thread_local Line* line_;
};

}  // namespace oblea::fs
