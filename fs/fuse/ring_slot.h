// SPDX-License-Identifier: MIT
// One place where a request comes in through a ring and its answer goes out, in memory that a
// successor of this process sees.
//
// The kernel writes a request into the slot and takes the answer from it; it does not keep the
// request for anybody else. So what a dead server had in hand is still here: RingSlot::left() tells
// how far it had come, and the next server goes on from there.
//
//   idle ----take()----> taken ----answer()----> answered --(the kernel has it)--> idle again
//
// Each step ends with one store of the stage, and nothing that the stage before it needs is
// overwritten until then: a small request is copied out of the way of its answer, and an answer to
// a large one (WRITE) is put aside before it takes the place of the data.
//
// Spec: linux/fuse.h since 6.14, "struct fuse_uring_req_header". One slot is for one thread.
#pragma once
#include "fs/fuse/negotiate.h"
#include "fs/shared_memory.h"
#include "fs/types.h"
#include "store/base/bytes.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

struct iovec;

namespace oblea::fs {

class RingSlot {
public:
    // As the kernel writes and reads them.
    struct Header {
        std::array<std::byte, 128> in_out;  // fuse_in_header, then fuse_out_header
        std::array<std::byte, 128> op;      // what is particular to the operation
        std::uint64_t flags;
        std::uint64_t commit_id;
        std::uint32_t payload_bytes;
        std::uint32_t padding;
        std::uint64_t reserved;
    };

    // What to register with the kernel.
    [[nodiscard]] Header& header() { return kernel_; }
    [[nodiscard]] base::MutableBytes payload() { return payload_; }

    // Has the pages that most requests need in the page table of this process, and those that the
    // predecessor's needed. Without that the kernel cannot write a request for a thread that is
    // being killed, and ends it with EINTR.
    void touch();

    // What whoever had the slot before left to do.
    enum class Left {
        nothing,
        fresh,    // a request that nobody has looked at: take()
        request,  // one that may have been carried out: take_again()
        answer,   // one whose answer may have been handed over: answer_again()
    };
    [[nodiscard]] Left left() const;

    // The request that the kernel wrote, as one message: what read(2) would have given. It stays
    // until the next one. Errors: EPROTO when its sizes cannot be.
    Result<base::MutableBytes> take();
    // The same of one that a predecessor had taken, with the mark of a request that is sent again.
    base::MutableBytes take_again();

    // Memory for an answer of up to that size, which is then not copied; empty where there is none.
    [[nodiscard]] base::MutableBytes room(std::size_t bytes);

    // Whether `number` is the request in hand, marked or not, and not answered.
    [[nodiscard]] bool has(std::uint64_t number) const;
    // The number of what was taken or answered last, as the kernel knows it.
    [[nodiscard]] std::uint64_t request() const { return request_; }

    // Who asked for what was taken last: a thread, 0 if it cannot be seen from here.
    [[nodiscard]] std::int32_t asker() const { return asker_; }

    // Puts down the answer, which begins with a fuse_out_header; what stands in room() comes right
    // after that. Errors: EFAULT when bytes of it
    // cannot be read (a mapped file that shrank), EMSGSIZE when there are more than the kernel
    // asked for; there is no answer then.
    Status answer(std::span<iovec const> pieces);
    // With an errno, or zero, and nothing else.
    void answer(Errno code);
    void answer_again();

    // Whether large requests have taken memory that shrink() gives back; not between take() and
    // answer().
    [[nodiscard]] bool is_large() const { return used_bytes_ > kKeptBytes; }
    void shrink(int memory, std::size_t offset);

    // The one of this thread, which answers what it takes from it; nullptr: it has none.
    static thread_local RingSlot* current;

private:
    static constexpr std::size_t kInHeaderBytes = 40;
    static constexpr std::size_t kCopiedMax = std::size_t{8} << 10U;
    static constexpr std::size_t kSmallAnswerMax = 256;
    static constexpr std::size_t kKeptBytes = std::size_t{64} << 10U;

    enum class Stage : std::uint32_t { idle, taking, taken, answered };

    [[nodiscard]] std::uint64_t number_in_header() const;
    [[nodiscard]] base::MutableBytes message();
    void show_answer();
    void put_answer(std::int32_t error, std::size_t bytes, bool small);

    Header kernel_;
    std::atomic<Stage> stage_;
    std::uint32_t message_bytes_;
    std::uint32_t lead_bytes_;  // of a message that is in place; 0: it was copied
    std::uint32_t used_bytes_;  // the most of the payload since shrink()
    std::uint64_t request_;
    std::int32_t asker_;
    std::int32_t answer_error_;
    std::uint32_t answer_bytes_;
    std::uint32_t small_bytes_;  // of the answer that are in small_
    std::array<std::byte, kSmallAnswerMax> small_;
    std::array<std::byte, kInHeaderBytes + sizeof(Header::op) + kCopiedMax> message_;
    // Its end stands before the payload, so that a large request is one message where it is.
    alignas(4096) std::array<std::byte, 4096> lead_;
    std::array<std::byte, kRequestBytesMax> payload_;
};

// The slots of all workers of one mount. Their addresses are the same in every process that serves
// it: the kernel remembers them.
class RingSlots {
public:
    RingSlots() = default;
    // For `queues` (one for each processor that there may be), some workers each.
    static Result<RingSlots> make(unsigned queues);
    // Of memory that was made by make(), for a mount whose kernel knows it at `address`. Errors:
    // EBUSY when something else is there, EINVAL when it is no memory of slots.
    static Result<RingSlots> adopt(base::UniqueFd memory, std::uint64_t address, unsigned queues);

    [[nodiscard]] unsigned queues() const { return queues_; }
    [[nodiscard]] unsigned workers() const { return static_cast<unsigned>(slots_.size()); }
    [[nodiscard]] unsigned queue_of(unsigned worker) const {
        return worker / workers_each(queues_);
    }
    // Whether it is the one of its queue that does what has to be done once.
    [[nodiscard]] bool is_first(unsigned worker) const {
        return worker % workers_each(queues_) == 0;
    }
    [[nodiscard]] RingSlot& slot(unsigned worker) const { return slots_[worker]; }
    void shrink(unsigned worker) const;

    [[nodiscard]] int descriptor() const { return memory_.descriptor(); }
    [[nodiscard]] std::uint64_t address() const;

    // Whoever waits for a slow answer holds up nobody else on its processor.
    static unsigned workers_each(unsigned queues) { return queues <= 4 ? 4 : 2; }
    static constexpr unsigned kQueuesMax = 256;

private:
    static Result<RingSlots> of(SharedMemory memory, unsigned queues);

    SharedMemory memory_;
    std::span<RingSlot> slots_;
    unsigned queues_ = 0;
};

}  // namespace oblea::fs
