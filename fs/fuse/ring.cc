// SPDX-License-Identifier: MIT
#include "fs/fuse/ring.h"

#include "store/base/parse_number.h"
#include "store/base/sys.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#if OBLEA_HAS_LIBURING
#include <liburing.h>
#endif

namespace oblea::fs {

namespace sys = base::sys;

#if OBLEA_HAS_LIBURING
namespace {

// Spec: linux/fuse.h since 6.14, which the distribution's header may lack.
constexpr std::uint32_t kRegister = 1;        // FUSE_IO_URING_CMD_REGISTER
constexpr std::uint32_t kCommitAndFetch = 2;  // FUSE_IO_URING_CMD_COMMIT_AND_FETCH

struct Command {  // struct fuse_uring_cmd_req
    std::uint64_t flags;
    std::uint64_t commit_id;
    std::uint16_t queue;
    std::array<std::uint8_t, 6> padding;
};

// One command is under way at a time, and the poll on the anchor.
constexpr unsigned kEntries = 2;
constexpr unsigned kFlags =
    IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
constexpr std::uint64_t kAnchorPoll = 1;  // as user data; 0: a command

// A ring that does nothing. When a thread dies, the kernel takes its commands back only after the
// thread can receive no more, and a request that comes in between ends with ECANCELED; unless the
// thread also waits for another ring (Linux 6.18, io_uring_files_cancel): then commands are taken
// back first, and what had come is in the slot.
class Anchor {
public:
    static Result<int> descriptor() {
        static Anchor const anchor;
        if (anchor.code_ != 0) {
            return fail(Errno{-anchor.code_}, "io_uring_setup");
        }
        return anchor.uring_.ring_fd;
    }
    Anchor(Anchor const&) = delete;
    Anchor& operator=(Anchor const&) = delete;

private:
    Anchor() : code_(::io_uring_queue_init(1, &uring_, 0)) {}
    ~Anchor() {
        if (code_ == 0) {
            ::io_uring_queue_exit(&uring_);
        }
    }
    io_uring uring_{};
    int code_;
};

}  // namespace

struct Ring::Impl {
    io_uring uring{};
    bool open = false;
    unsigned queue = 0;
    RingSlot* slot = nullptr;
    std::array<iovec, 2> buffers{};

    Impl() = default;
    Impl(Impl const&) = delete;
    Impl& operator=(Impl const&) = delete;
    ~Impl() {
        if (open) {
            ::io_uring_queue_exit(&uring);
        }
    }

    void prepare(std::uint32_t operation, std::uint64_t request) {
        io_uring_sqe* const entry = ::io_uring_get_sqe(&uring);
        std::memset(entry, 0, 2 * sizeof(*entry));
        entry->opcode = IORING_OP_URING_CMD;
        entry->flags = IOSQE_FIXED_FILE;
        entry->fd = 0;
        entry->cmd_op = operation;
        entry->addr = reinterpret_cast<std::uint64_t>(buffers.data());
        entry->len = static_cast<std::uint32_t>(buffers.size());
        Command const command{.flags = 0,
                              .commit_id = request,
                              .queue = static_cast<std::uint16_t>(queue),
                              .padding = {}};
        std::memcpy(entry->cmd, &command, sizeof(command));
    }

    Status hold_anchor() {
        int const anchor = OBLEA_TRY(Anchor::descriptor());
        io_uring_sqe* const entry = ::io_uring_get_sqe(&uring);
        ::io_uring_prep_poll_add(entry, anchor, 0);
        entry->user_data = kAnchorPoll;
        return {};
    }

    Result<Came> look() {
        io_uring_cqe* done = nullptr;
        if (::io_uring_peek_cqe(&uring, &done) != 0) {
            return Came::nothing;
        }
        int const result = done->res;
        bool const is_poll = done->user_data == kAnchorPoll;
        ::io_uring_cqe_seen(&uring, done);
        if (is_poll) {
            return Came::nothing;
        }
        if (result == -static_cast<int>(Errno::enoent)) {
            return Came::not_known;
        }
        if (result < 0) {
            return fail(Errno{-result}, "io_uring", "/dev/fuse");
        }
        return Came::request;
    }
};

std::string why_no_rings() {
    io_uring uring{};
    if (int const code = ::io_uring_queue_init(kEntries, &uring, kFlags); code != 0) {
        return Error{.code = Errno{-code}, .op = "io_uring_setup", .detail = {}}.message();
    }
    ::io_uring_queue_exit(&uring);
    // A queue is served by threads on its processor.
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0 ||
        CPU_COUNT(&allowed) < ::sysconf(_SC_NPROCESSORS_ONLN)) {
        return "this process may not run on every processor";
    }
    unsigned const queues = ring_queues();
    return queues == 0 || queues > RingSlots::kQueuesMax
               ? "the machine may have too many processors"
               : "";
}

Result<Ring> Ring::make(int device, unsigned queue, RingSlot& slot) {
    auto impl = std::make_unique<Impl>();
    if (int const code = ::io_uring_queue_init(kEntries, &impl->uring, kFlags); code != 0) {
        return fail(Errno{-code}, "io_uring_setup");
    }
    impl->open = true;
    if (int const code = ::io_uring_register_files(&impl->uring, &device, 1); code != 0) {
        return fail(Errno{-code}, "io_uring_register");
    }
    static_cast<void>(::io_uring_register_ring_fd(&impl->uring));  // only makes it faster
    impl->queue = queue;
    impl->slot = &slot;
    base::MutableBytes const payload = slot.payload();
    impl->buffers = {iovec{.iov_base = &slot.header(), .iov_len = sizeof(RingSlot::Header)},
                     iovec{.iov_base = payload.data(), .iov_len = payload.size()}};
    OBLEA_TRY(impl->hold_anchor());
    return Ring{std::move(impl)};
}

void Ring::offer() {
    impl_->prepare(kRegister, 0);
}

void Ring::commit() {
    impl_->prepare(kCommitAndFetch, impl_->slot->request());
}

Status Ring::submit() {
    int const code = ::io_uring_submit(&impl_->uring);
    return code < 0 ? Status{fail(Errno{-code}, "io_uring_enter")} : Status{};
}

Result<Ring::Came> Ring::wait() {
    int const code = ::io_uring_submit_and_wait(&impl_->uring, 1);
    if (code < 0 && code != -static_cast<int>(Errno::eintr)) {
        return fail(Errno{-code}, "io_uring_enter");
    }
    return impl_->look();
}

Result<Ring::Came> Ring::wait(std::chrono::milliseconds longest) {
    __kernel_timespec time{.tv_sec = longest.count() / 1000,
                           .tv_nsec = longest.count() % 1000 * 1'000'000};
    io_uring_cqe* done = nullptr;
    int const code = ::io_uring_submit_and_wait_timeout(&impl_->uring, &done, 1, &time, nullptr);
    if (code < 0 && code != -ETIME && code != -static_cast<int>(Errno::eintr)) {
        return fail(Errno{-code}, "io_uring_enter");
    }
    return impl_->look();
}

#else

struct Ring::Impl {};

std::string why_no_rings() {
    return "this program was built without liburing";
}

Result<Ring> Ring::make(int /*device*/, unsigned /*queue*/, RingSlot& /*slot*/) {
    return fail(Errno::eopnotsupp, "", why_no_rings());
}

void Ring::offer() {}
void Ring::commit() {}

Status Ring::submit() {
    return fail(Errno::eopnotsupp, "", why_no_rings());
}

Result<Ring::Came> Ring::wait() {
    return fail(Errno::eopnotsupp, "", why_no_rings());
}

Result<Ring::Came> Ring::wait(std::chrono::milliseconds /*longest*/) {
    return wait();
}

#endif

unsigned count_processors(std::string_view list) {
    unsigned count = 0;
    while (!list.empty()) {
        std::string_view const range = list.substr(0, list.find(','));
        list.remove_prefix(std::min(range.size() + 1, list.size()));
        auto const dash = range.find('-');
        auto const first = base::parse_number<unsigned>(range.substr(0, dash));
        auto const last = dash == std::string_view::npos
                              ? first
                              : base::parse_number<unsigned>(range.substr(dash + 1));
        if (!first.has_value() || !last.has_value() || *last < *first) {
            return 0;
        }
        count += *last - *first + 1;
    }
    return count;
}

// Spec: Documentation/admin-guide/cputopology.rst, "possible".
unsigned ring_queues() {
    auto const text = sys::read_file(AT_FDCWD, "/sys/devices/system/cpu/possible", 4096);
    std::string_view list = text.has_value() ? std::string_view{*text} : std::string_view{};
    if (list.ends_with('\n')) {
        list.remove_suffix(1);
    }
    return count_processors(list);
}

Ring::Ring(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ring::Ring(Ring&& other) noexcept = default;
Ring& Ring::operator=(Ring&& other) noexcept = default;
Ring::~Ring() = default;

}  // namespace oblea::fs
