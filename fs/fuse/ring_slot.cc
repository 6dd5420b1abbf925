// SPDX-License-Identifier: MIT
#include "fs/fuse/ring_slot.h"

#include "fs/fuse/in_hand.h"
#include "store/base/sigbus_guard.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace oblea::fs {
namespace {

// The number is at the same place in the header of a request and in that of an answer.
constexpr std::size_t kNumberAt = offsetof(fuse_in_header, unique);
static_assert(kNumberAt == offsetof(fuse_out_header, unique));

Status copy_piece(base::MutableBytes to, iovec const& piece) {
    base::ByteView const from{static_cast<std::byte const*>(piece.iov_base), piece.iov_len};
    if (from.empty() || from.data() == to.data()) {
        return {};  // it was built in place
    }
    auto const copied = base::read_guarded(from, [&]() -> Status {
        std::memcpy(to.data(), from.data(), from.size());
        return {};
    });
    return copied.has_value() ? Status{} : Status{fail(Errno{EFAULT}, "answer")};
}

}  // namespace

thread_local RingSlot* RingSlot::current = nullptr;

std::uint64_t RingSlot::number_in_header() const {
    std::uint64_t number = 0;
    std::memcpy(&number, kernel_.in_out.data() + kNumberAt, sizeof(number));
    return number;
}

// Spec: madvise(2), MADV_POPULATE_WRITE since Linux 5.14.
void RingSlot::touch() {
    constexpr int kPopulateWrite = 23;
    // Where it fails, requests are lost to kills that need not be; nothing else.
    std::size_t const payload = std::max<std::size_t>(kKeptBytes, used_bytes_);
    static_cast<void>(::madvise(
        this,
        static_cast<std::size_t>(payload_.data() - reinterpret_cast<std::byte*>(this)) + payload,
        kPopulateWrite));
}

RingSlot::Left RingSlot::left() const {
    Stage const stage = stage_.load(std::memory_order_acquire);
    if (stage == Stage::taken) {
        return Left::request;
    }
    // The kernel takes the answer before it writes the next request over it.
    bool const has_next = number_in_header() != 0 && number_in_header() != request_;
    if (stage == Stage::taking || has_next) {
        return Left::fresh;
    }
    return stage == Stage::answered ? Left::answer : Left::nothing;
}

base::MutableBytes RingSlot::message() {
    if (lead_bytes_ == 0) {
        return base::MutableBytes{message_}.first(message_bytes_);
    }
    return {lead_.data() + lead_.size() - lead_bytes_, message_bytes_};
}

Result<base::MutableBytes> RingSlot::take() {
    stage_.store(Stage::taking, std::memory_order_release);
    fuse_in_header header{};
    static_assert(sizeof(header) == kInHeaderBytes);
    std::memcpy(&header, kernel_.in_out.data(), sizeof(header));
    std::size_t const payload = kernel_.payload_bytes;
    request_ = header.unique;
    asker_ = static_cast<std::int32_t>(header.pid);
    if (payload > payload_.size() || header.len < sizeof(header) + payload ||
        header.len - sizeof(header) - payload > kernel_.op.size()) {
        return fail(Errno{EPROTO}, "", "the kernel sent a request of impossible size");
    }
    std::size_t const op = header.len - sizeof(header) - payload;
    bool const copied = payload <= kCopiedMax;
    message_bytes_ = header.len;
    lead_bytes_ = copied ? 0 : static_cast<std::uint32_t>(sizeof(header) + op);
    used_bytes_ = std::max(used_bytes_, kernel_.payload_bytes);
    std::byte* const at = message().data();
    std::memcpy(at, &header, sizeof(header));
    std::memcpy(at + sizeof(header), kernel_.op.data(), op);
    if (copied) {
        std::memcpy(at + sizeof(header) + op, payload_.data(), payload);
    }
    stage_.store(Stage::taken, std::memory_order_release);
    return message();
}

base::MutableBytes RingSlot::take_again() {
    std::uint64_t const marked = request_ | kResent;
    std::memcpy(message().data() + kNumberAt, &marked, sizeof(marked));
    return message();
}

base::MutableBytes RingSlot::room(std::size_t bytes) {
    if (lead_bytes_ != 0 || bytes > payload_.size()) {
        return {};
    }
    return base::MutableBytes{payload_}.first(bytes);
}

bool RingSlot::has(std::uint64_t number) const {
    return stage_.load(std::memory_order_relaxed) == Stage::taken &&
           (number & ~kResent) == request_;
}

// What the kernel reads.
void RingSlot::show_answer() {
    std::memcpy(payload_.data(), small_.data(), small_bytes_);
    fuse_out_header const header{.len = static_cast<std::uint32_t>(sizeof(fuse_out_header)) +
                                        answer_bytes_,
                                 .error = answer_error_,
                                 .unique = request_};
    std::memcpy(kernel_.in_out.data(), &header, sizeof(header));
    kernel_.flags = 0;
    kernel_.commit_id = request_;
    kernel_.payload_bytes = answer_bytes_;
}

void RingSlot::put_answer(std::int32_t error, std::size_t bytes, bool small) {
    answer_error_ = error;
    answer_bytes_ = static_cast<std::uint32_t>(bytes);
    small_bytes_ = small ? answer_bytes_ : 0;
    used_bytes_ = std::max(used_bytes_, answer_bytes_);
    stage_.store(Stage::answered, std::memory_order_release);
    show_answer();
}

Status RingSlot::answer(std::span<iovec const> pieces) {
    fuse_out_header header{};
    std::memcpy(&header, pieces.front().iov_base, sizeof(header));
    auto const body = pieces.subspan(1);
    std::size_t bytes = 0;
    for (iovec const& piece : body) {
        bytes += piece.iov_len;
    }
    bool const small = bytes <= small_.size();
    if (bytes > payload_.size() || (!small && lead_bytes_ != 0)) {
        return fail(Errno{EMSGSIZE}, "answer");
    }
    base::MutableBytes to = small ? base::MutableBytes{small_} : base::MutableBytes{payload_};
    for (iovec const& piece : body) {
        OBLEA_TRY(copy_piece(to, piece));
        to = to.subspan(piece.iov_len);
    }
    put_answer(header.error, bytes, small);
    return {};
}

void RingSlot::answer(Errno code) {
    put_answer(-static_cast<std::int32_t>(code), 0, true);
}

void RingSlot::answer_again() {
    show_answer();
}

void RingSlot::shrink(int memory, std::size_t offset) {
    std::size_t const begin =
        offset + static_cast<std::size_t>(payload_.data() - reinterpret_cast<std::byte*>(this)) +
        kKeptBytes;
    // Less room is no fault.
    static_cast<void>(::fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  static_cast<off_t>(begin),
                                  static_cast<off_t>(payload_.size() - kKeptBytes)));
    used_bytes_ = 0;
}

Result<RingSlots> RingSlots::make(unsigned queues) {
    std::size_t const count = std::size_t{queues} * workers_each(queues);
    return of(OBLEA_TRY(SharedMemory::make("oblea-ring-slots", count * sizeof(RingSlot))), queues);
}

Result<RingSlots> RingSlots::adopt(base::UniqueFd memory, std::uint64_t address, unsigned queues) {
    return of(OBLEA_TRY(SharedMemory::adopt_at(std::move(memory), address)), queues);
}

Result<RingSlots> RingSlots::of(SharedMemory memory, unsigned queues) {
    RingSlots made;
    made.memory_ = std::move(memory);
    made.slots_ = made.memory_.as<RingSlot>();
    made.queues_ = queues;
    if (queues == 0 || made.slots_.size() != std::size_t{queues} * workers_each(queues)) {
        return fail(Errno::einval, "", "this is no memory of requests");
    }
    return made;
}

void RingSlots::shrink(unsigned worker) const {
    slots_[worker].shrink(memory_.descriptor(), worker * sizeof(RingSlot));
}

std::uint64_t RingSlots::address() const {
    return reinterpret_cast<std::uint64_t>(slots_.data());
}

}  // namespace oblea::fs
