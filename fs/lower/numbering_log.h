// SPDX-License-Identifier: MIT
// In which order a stack of folders was met, in memory that outlives the process.
//
// Such a stack numbers inodes as it meets them, and the kernel knows them by these numbers. Who
// meets the same things in the same order gives the same numbers, so a process that takes over from
// one that was killed does what is noted here once more. An event is noted before what it causes is
// seen by anybody. Safe from any thread.
#pragma once
#include "fs/shared_memory.h"
#include "store/base/mutex.h"
#include "store/index/types.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

namespace oblea::fs {

class NumberingLog {
public:
    struct Event {
        enum class Kind : std::uint16_t {
            folder = 1,   // its listing was read; `number`: its inode number
            origin,       // an upper told of a file: number, birth, device, type
            file_system,  // `number`: its st_dev
        };
        Kind kind = Kind::folder;
        store::FileType type{};
        std::uint32_t device = 0;
        std::uint64_t number = 0;
        std::uint64_t birth = 0;
        bool operator==(Event const&) const = default;
    };

    static Result<NumberingLog> make();
    // A predecessor's, in another program. Errors: EINVAL for memory that is none.
    static Result<NumberingLog> adopt(SharedMemory memory);
    NumberingLog(NumberingLog&& other) noexcept;
    NumberingLog& operator=(NumberingLog&&) = delete;
    ~NumberingLog() = default;

    // Writes the event, unless a predecessor did: then it must be the next of its events.
    void note(Event const& event);

    // The next event of a predecessor that this process has not noted.
    [[nodiscard]] std::optional<Event> unseen();
    // Whether this process has met what its predecessors met. ESTALE: a folder was changed
    // meanwhile; ENOMEM: there were more events than there was room for.
    [[nodiscard]] Status is_same();

    [[nodiscard]] SharedMemory const& memory() const { return memory_; }
    // Tells this series of processes from any other.
    [[nodiscard]] std::uint64_t session() const { return head_->session; }

private:
    struct Head {
        std::uint64_t session;
        std::atomic<std::uint32_t> count;  // of records that are whole
        std::atomic<std::uint32_t> is_short;
    };
    struct Record {
        std::uint64_t number, birth;
        std::uint32_t device;
        std::uint16_t kind, type;
    };
    explicit NumberingLog(SharedMemory memory);
    [[nodiscard]] std::optional<Event> next_of_predecessor() const OBLEA_REQUIRES(mutex_);

    SharedMemory memory_;
    Head* head_ = nullptr;
    std::span<Record> records_;  // the first one has the place of the head
    base::Mutex mutex_;
    // Records that this process has written or noted again.
    std::uint32_t seen_ OBLEA_GUARDED_BY(mutex_) = 0;
    bool differs_ OBLEA_GUARDED_BY(mutex_) = false;
};

}  // namespace oblea::fs
