// SPDX-License-Identifier: MIT
#include "fs/fuse/server.h"

#include "fs/fuse/ask_queues.h"
#include "fs/fuse/attach.h"
#include "fs/fuse/connection.h"
#include "fs/fuse/eager_wait.h"
#include "fs/fuse/light_workers.h"
#include "fs/fuse/negotiate.h"
#include "fs/fuse/ops.h"
#include "fs/fuse/raw_messages.h"
#include "fs/fuse/request_buffer.h"
#include "fs/fuse/ring.h"
#include "fs/fuse/transport.h"
#include "store/base/scope_exit.h"
#include "store/base/sys.h"

#define FUSE_USE_VERSION 314
#include <fmt/core.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <span>
#include <system_error>
#include <thread>

namespace oblea::fs {
namespace {

namespace sys = base::sys;

struct SessionDeleter {
    void operator()(fuse_session* session) const noexcept { fuse_session_destroy(session); }
};
using Session = std::unique_ptr<fuse_session, SessionDeleter>;

// Spec: linux/fuse.h since 6.9, which the distribution's header may lack: FUSE_HAS_RESEND in the
// upper half of INIT's flags.
constexpr std::uint32_t kHasResend = std::uint32_t{1} << (39U - 32U);
// The same since 6.14: FUSE_OVER_IO_URING.
constexpr std::uint32_t kOverIoUring = std::uint32_t{1} << (41U - 32U);

constexpr char const* kNoOwnWays = "libfuse was built without custom I/O";

// How long memory of large requests stays for the next one.
constexpr std::chrono::milliseconds kKeepLarge{1000};

constexpr unsigned kThreadsMin = 2;
constexpr unsigned kThreadsMax = 8;

unsigned thread_count(unsigned wanted) {
    return wanted != 0 ? wanted
                       : std::clamp(std::thread::hardware_concurrency(), kThreadsMin, kThreadsMax);
}

// Every open upper file costs one descriptor; the usual soft limit of 1024 is for select(2).
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));  // less room is no fault
    }
}

TimePoint now() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return {.seconds = time.tv_sec, .nanoseconds = static_cast<std::uint32_t>(time.tv_nsec)};
}

Result<Placeholders> resolve_placeholders(UnionFs& fs, std::vector<Placeholder> const& wanted) {
    Placeholders placeholders;
    for (Placeholder const& one : wanted) {
        Ino parent = Ino::root;
        bool exists = true;
        RelPath const folder = one.path.parent();  // the parts are of its text
        for (std::string_view const part : folder.components()) {
            Name const name = OBLEA_TRY(Name::parse(part));
            auto const entry = OBLEA_TRY(fs.lookup(parent, name));
            if (!entry) {
                exists = false;
                break;
            }
            // Its lookup is never forgotten: the number stays good for as long as the mount.
            parent = entry->attr.ino;
        }
        if (exists) {
            placeholders.add(parent, std::string{one.path.filename()}, one.type, now());
        }
    }
    return placeholders;
}

fuse_buf fuse_buf_of(base::MutableBytes request) {
    fuse_buf buffer{};
    buffer.mem = request.data();
    buffer.size = request.size();
    return buffer;
}

DataFacts data_facts(UnionFs const& fs) {
    return {.writable = fs.writable() ? DataFacts::Writable::yes : DataFacts::Writable::no,
            .no_passthrough = why_no_backing()};
}

// Rings are ours, and not libfuse's, so they are agreed on beside it.
void promise_rings(iovec const& body) {
    fuse_init_out agreed{};
    if (body.iov_len >= sizeof(agreed)) {
        std::memcpy(&agreed, body.iov_base, sizeof(agreed));
        agreed.flags |= FUSE_INIT_EXT;
        agreed.flags2 |= kOverIoUring;
        std::memcpy(body.iov_base, &agreed, sizeof(agreed));
    }
}

// What libfuse sends: to the ring that the request came from, or to the device.
ssize_t send_out(int device, iovec* pieces, int count, void* user) {
    auto const& connection = *static_cast<Connection const*>(user);
    std::span<iovec> const message{pieces, static_cast<std::size_t>(count)};
    fuse_out_header header{};
    std::memcpy(&header, message.front().iov_base, sizeof(header));
    RingSlot* const slot = RingSlot::current;
    if (slot != nullptr && slot->has(header.unique)) {
        auto const answered = slot->answer(message);
        if (!answered.has_value()) {
            errno = static_cast<int>(answered.error().code);
            return -1;
        }
        return header.len;
    }
    if (connection.answers_init && connection.transport == TransportMode::io_uring &&
        header.error == 0 && message.size() == 2) {
        promise_rings(message.back());
    }
    return ::writev(device, pieces, count);
}

// libfuse asks for it, and reads nothing here: see RequestBuffer.
ssize_t take_in(int device, void* buffer, std::size_t bytes, void* /*user*/) {
    return ::read(device, buffer, bytes);
}

// A queue's requests come from programs on its processor. One that is not there asks for nothing.
void stay_on(unsigned processor) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(processor, &only);
    static_cast<void>(::pthread_setaffinity_np(::pthread_self(), sizeof(only), &only));
}

// Worker threads sit in read(2), which only a signal ends.
extern "C" void wake_from_read(int /*signal*/) {}

// Installs the waking signal for as long as it lives.
class WakeSignal {
public:
    WakeSignal() {
        struct sigaction action{};
        action.sa_handler = wake_from_read;  // and no SA_RESTART
        ::sigaction(SIGUSR1, &action, &before_);
    }
    WakeSignal(WakeSignal const&) = delete;
    WakeSignal& operator=(WakeSignal const&) = delete;
    ~WakeSignal() { ::sigaction(SIGUSR1, &before_, nullptr); }

private:
    struct sigaction before_{};
};

}  // namespace

struct Server::Impl {
    explicit Impl(Counters counters) : connection(std::move(counters)) {}

    Connection connection;
    Session session;  // before the mount it serves, after the union it uses
    Attached attached;
    unsigned threads = kThreadsMin;
    EagerWait next_request{std::thread::hardware_concurrency()};
    LightWorkers light;
    base::UniqueFd wake;  // eventfd: stop() was called, or a worker has ended
    std::atomic<unsigned> running{0};
    std::atomic<int> failure{0};  // errno of the first worker that could not go on
    bool no_own_ways = false;     // this libfuse reads and writes by itself
    bool can_ask_again = false;   // the kernel can send requests a second time
    std::vector<std::byte> init;  // the request
    DataMode asked_data = DataMode::cached;
    MountOptions::Transport asked_transport = MountOptions::Transport::automatic;
    bool resumed = false;
    std::atomic<unsigned> queues_open{0};  // of those that a predecessor left
    enum class Owns { mount, nothing } owns = Owns::mount;

    ~Impl() {
        if (owns == Owns::mount && (attached.device.valid() || session)) {
            // Too late to report; the mount table shows it.
            static_cast<void>(detach(attached, Lazy::yes));
        }
    }

    void signal_main() noexcept {
        std::uint64_t const one = 1;
        static_cast<void>(::write(wake.get(), &one, sizeof(one)) == 0);
    }

    // One request, or the end. Errors only where the connection is broken.
    Status serve_one(RequestBuffer& buffer) {
        if (connection.counters.of(Op::write) != 0) {  // of predecessors too
            buffer.expect_data();
        }
        auto const request = buffer.receive(connection.device);
        if (!request.has_value()) {
            switch (request.error().code) {
            case Errno::eintr:
            case Errno::eagain:
            case Errno::enoent:  // who asked does not want to know any more
                return {};
            case Errno{ENODEV}:  // the mount has ended
                fuse_session_exit(session.get());
                return {};
            default:
                fuse_session_exit(session.get());
                return std::unexpected<Error>(request.error());
            }
        }
        return handle(fuse_buf_of(*request));
    }

    // Answers a request. Errors only where there can be no mount.
    Status handle(fuse_buf const& request) {
        fuse_in_header header{};
        std::memcpy(&header, request.mem, sizeof(header));
        Connection::request = header.unique;
        if (connection.in_hand.is_deadly(header.unique)) {
            answer_error(connection.device, header.unique, Errno::eio);
            return {};
        }
        if (header.opcode == FUSE_INIT) {
            OBLEA_TRY(look_at_init(request));
        }
        make_known(*static_cast<fuse_in_header*>(request.mem));
        connection.in_hand.begin(header.unique);
        fuse_session_process_buf(session.get(), &request);
        connection.in_hand.end();
        connection.answers_init = false;
        return {};
    }

    // What comes by read(2).
    Status serve_device() {
        RequestBuffer buffer = OBLEA_TRY(RequestBuffer::make());
        while (fuse_session_exited(session.get()) == 0) {
            if (connection.transport == TransportMode::device) {
                next_request.watch(connection.device);
            }
            OBLEA_TRY(serve_one(buffer));
        }
        return {};
    }

    void work(unsigned worker) noexcept {
        connection.in_hand.enter(worker);
        auto const served =
            worker < device_workers() ? serve_device() : serve_ring(worker - device_workers());
        if (!served.has_value()) {
            failure.store(static_cast<int>(served.error().code));
            fuse_session_exit(session.get());
        }
        running.fetch_sub(1);
        signal_main();
    }

    // Beside rings one is enough for FORGET and INTERRUPT.
    [[nodiscard]] unsigned device_workers() const {
        return connection.transport == TransportMode::io_uring ? 1 : threads;
    }
    [[nodiscard]] unsigned workers() const { return device_workers() + connection.rings.workers(); }

    Status serve_ring(unsigned worker);
    Status handle_slot(RingSlot& slot, Result<base::MutableBytes> const& message);
    Result<bool> go_on(RingSlot& slot);

    Status prepare(unsigned wanted_threads);
    void serve_union(std::unique_ptr<UnionFs> fs);
    Status open_session(MountOptions::Debug debug);
    Status negotiate_terms();
    Status negotiate_again(Handover const& handover);
    Status settle_data(MountOptions::Data wanted);
    Status choose_transport(bool offered);
    Status look_at_init(fuse_buf const& request);
    Status take_away();
    void join(std::vector<std::thread>& workers);
};

// What every server has, whatever it serves.
Status Server::Impl::prepare(unsigned wanted_threads) {
    threads = std::min(thread_count(wanted_threads), InHand::kWorkersMax);
    wake = base::UniqueFd{::eventfd(0, EFD_CLOEXEC)};
    if (!wake.valid()) {
        return fail(sys::last_errno(), "eventfd");
    }
    raise_descriptor_limit();
    return {};
}

void Server::Impl::serve_union(std::unique_ptr<UnionFs> fs) {
    fs->on_copy([this](std::uint64_t bytes) { connection.counters.add_copied(bytes); });
    connection.fs = std::move(fs);
}

Status Server::Impl::open_session(MountOptions::Debug debug) {
    std::string name = "oblea";
    std::string print_requests = "-d";
    std::array<char*, 3> arguments{name.data(), print_requests.data(), nullptr};
    fuse_args args = FUSE_ARGS_INIT(debug == MountOptions::Debug::yes ? 2 : 1, arguments.data());
    fuse_lowlevel_ops const ops = operations();
    session.reset(fuse_session_new(&args, &ops, sizeof(ops), &connection));
    fuse_opt_free_args(&args);
    if (!session) {
        return fail(Errno::einval, "fuse_session_new");
    }
    // Both ways serve a descriptor that is mounted already. A libfuse that was built without the
    // first has only its own reading and writing.
    fuse_custom_io ways{};
    ways.read = take_in;
    ways.writev = send_out;
    no_own_ways = fuse_session_custom_io(session.get(), &ways, attached.device.get()) != 0;
    std::string const path = fmt::format("/dev/fd/{}", attached.device.get());
    if (no_own_ways && fuse_session_mount(session.get(), path.c_str()) != 0) {
        return fail(Errno::eio, "fuse_session_mount");
    }
    connection.device = attached.device.release();  // the session closes it
    return {};
}

// What is left to do of what was in the slot: whether an answer is to be handed over now.
Result<bool> Server::Impl::go_on(RingSlot& slot) {
    switch (slot.left()) {
    case RingSlot::Left::nothing:
        return false;
    case RingSlot::Left::fresh:
        OBLEA_TRY(handle_slot(slot, slot.take()));
        break;
    case RingSlot::Left::request:
        OBLEA_TRY(handle_slot(slot, slot.take_again()));
        break;
    case RingSlot::Left::answer:
        slot.answer_again();
        break;
    }
    return true;
}

Status Server::Impl::handle_slot(RingSlot& slot, Result<base::MutableBytes> const& message) {
    if (!message.has_value()) {
        slot.answer(message.error().code);
        return {};
    }
    OBLEA_TRY(handle(fuse_buf_of(*message)));
    if (slot.has(slot.request())) {  // libfuse answers all that come this way
        slot.answer(Errno::eio);
    }
    return {};
}

Status Server::Impl::serve_ring(unsigned worker) {
    unsigned const queue = connection.rings.queue_of(worker);
    RingSlot& slot = connection.rings.slot(worker);
    stay_on(queue);
    light.enter(worker);
    slot.touch();
    RingSlot::current = &slot;
    Ring ring = OBLEA_TRY(Ring::make(connection.device, queue, slot));
    bool const has_answer = OBLEA_TRY(go_on(slot));
    has_answer ? ring.commit() : ring.offer();
    if (resumed && connection.rings.is_first(worker)) {
        OBLEA_TRY(ring.submit());
        if (queues_open.fetch_add(1) + 1 == connection.rings.queues()) {
            OBLEA_TRY(ask_queues(attached.mount_point, connection.rings.queues()));
        }
    }
    while (fuse_session_exited(session.get()) == 0) {
        auto const came = slot.is_large() ? ring.wait(kKeepLarge) : ring.wait();
        if (!came.has_value()) {
            bool const ended =
                came.error().code == Errno{ENOTCONN} || came.error().code == Errno{ECONNABORTED};
            fuse_session_exit(session.get());
            return ended ? Status{} : Status{std::unexpected<Error>(came.error())};
        }
        switch (*came) {
        case Ring::Came::request:
            OBLEA_TRY(handle_slot(slot, slot.take()));
            ring.commit();
            light.count(worker, slot.asker());
            break;
        case Ring::Came::not_known:
            ring.offer();
            if (resumed && connection.rings.is_first(worker)) {
                // Its queue was taken for open, and what was asked in it may be waiting.
                OBLEA_TRY(ring.submit());
                OBLEA_TRY(ask_queues(attached.mount_point, connection.rings.queues()));
            }
            break;
        case Ring::Came::nothing:
            connection.rings.shrink(worker);
            break;
        }
    }
    return {};
}

Status Server::Impl::negotiate_terms() {
    RequestBuffer buffer = OBLEA_TRY(RequestBuffer::make());
    while (!connection.negotiated) {
        if (fuse_session_exited(session.get()) != 0) {
            return fail(Errno::eio, "", "the kernel and libfuse did not agree on the protocol");
        }
        OBLEA_TRY(serve_one(buffer));
    }
    return {};
}

// Whether the kernel really takes files is known only now. Who left the choice to us gets the next
// best: what was agreed at INIT suits `cached` too.
Status Server::Impl::settle_data(MountOptions::Data wanted) {
    if (connection.mode != DataMode::passthrough) {
        return {};
    }
    connection.backing = OBLEA_TRY(BackingFiles::make(connection.device));
    auto const works = connection.terms.passthrough_offered
                           ? connection.backing->probe()
                           : Status{fail(Errno::eopnotsupp, "", "the kernel has none")};
    if (works.has_value()) {
        return {};
    }
    if (wanted == MountOptions::Data::passthrough) {
        return with_context(works, [] { return "passthrough is not possible"; });
    }
    connection.choose(DataChoice{.mode = DataMode::cached,
                                 .reason = "no passthrough: " + works.error().message()});
    return {};
}

Status Server::Impl::look_at_init(fuse_buf const& request) {
    fuse_init_in asked{};
    if (request.size < sizeof(fuse_in_header) + sizeof(asked)) {
        return {};  // of a kernel that offers none of this
    }
    auto const* const bytes = static_cast<std::byte const*>(request.mem);
    std::memcpy(&asked, bytes + sizeof(fuse_in_header), sizeof(asked));
    bool const extended = (asked.flags & FUSE_INIT_EXT) != 0;
    can_ask_again = extended && (asked.flags2 & kHasResend) != 0;
    init.assign(bytes, bytes + request.size);
    if (connection.terms.transport.empty()) {
        OBLEA_TRY(choose_transport(extended && (asked.flags2 & kOverIoUring) != 0));
    }
    connection.answers_init = true;
    return {};
}

Status Server::Impl::choose_transport(bool offered) {
    TransportFacts facts;
    if (offered) {
        facts.offered = TransportFacts::Offered::yes;
        facts.no_rings = no_own_ways ? kNoOwnWays : why_no_rings();
        facts.light =
            LightWorkers::possible() ? TransportFacts::Light::yes : TransportFacts::Light::no;
    }
    auto const choice = OBLEA_TRY(decide_transport(asked_transport, facts));
    if (choice.way == TransportMode::io_uring) {
        connection.rings = OBLEA_TRY(RingSlots::make(ring_queues()));
    }
    connection.choose(choice);
    return {};
}

// The kernel has its answer from another program. This one's libfuse learns the same by being asked
// again; what it answers, the kernel does not take (ENOENT), as nothing of that number is open.
Status Server::Impl::negotiate_again(Handover const& handover) {
    RequestBuffer const buffer = OBLEA_TRY(RequestBuffer::make());
    base::MutableBytes const memory = buffer.memory();
    if (handover.init.size() < sizeof(fuse_in_header) || handover.init.size() > memory.size()) {
        return fail(Errno::einval, "", "there is no first request");
    }
    std::ranges::copy(handover.init, memory.begin());
    fuse_buf const request = fuse_buf_of(memory.first(handover.init.size()));
    OBLEA_TRY(look_at_init(request));
    connection.answers_init = false;  // the kernel has had its answer
    fuse_session_process_buf(session.get(), &request);
    if (!connection.negotiated || connection.agreed != handover.agreed) {
        return fail(Errno::eopnotsupp, "",
                    "this program asks other things of the kernel than the one that mounted");
    }
    return {};
}

Status Server::Impl::take_away() {
    auto const ended = detach(attached, Lazy::no);
    if (!ended.has_value() && ended.error().code == Errno::ebusy) {
        return detach(attached, Lazy::yes);
    }
    return ended;
}

// A signal that comes just before read(2) is lost, so it is sent until all have ended.
void Server::Impl::join(std::vector<std::thread>& workers) {
    fuse_session_exit(session.get());
    while (running.load() > 0) {
        for (std::thread& worker : workers) {
            ::pthread_kill(worker.native_handle(), SIGUSR1);
        }
        pollfd waiting{.fd = wake.get(), .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, 10) > 0) {
            std::uint64_t count = 0;
            static_cast<void>(::read(wake.get(), &count, sizeof(count)) == 0);
        }
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::mount(std::unique_ptr<UnionFs> fs,
                                              std::string const& mount_point,
                                              MountOptions const& options) {
    DataChoice const data = OBLEA_TRY(decide_data(options.data, data_facts(*fs)));
    Counters counters = OBLEA_TRY(Counters::make());
    auto impl = std::make_unique<Impl>(std::move(counters));
    impl->connection.choose(data);
    impl->asked_data = data.mode;
    impl->asked_transport = options.transport;
    impl->connection.placeholders = OBLEA_TRY(resolve_placeholders(*fs, options.placeholders));
    impl->serve_union(std::move(fs));
    impl->connection.in_hand = OBLEA_TRY(InHand::make());
    OBLEA_TRY(impl->prepare(options.threads));
    impl->attached = OBLEA_TRY(attach(mount_point, options));
    OBLEA_TRY(impl->connection.fs->note_mount(
        {.device = impl->attached.mount_device, .path = impl->attached.mount_point}));
    OBLEA_TRY(impl->open_session(options.debug));
    OBLEA_TRY(impl->negotiate_terms());
    read_far_ahead(impl->attached, kRequestBytesMax);
    OBLEA_TRY(impl->settle_data(options.data));
    return std::unique_ptr<Server>{new Server(std::move(impl))};  // NOLINT: private constructor
}

Result<std::unique_ptr<Server>> Server::adopt(std::unique_ptr<UnionFs> fs, Handover const& handover,
                                              unsigned threads) {
    base::UniqueFd device{handover.device};
    base::UniqueFd backing{handover.backing};
    base::UniqueFd rings{handover.rings};
    auto counters = SharedMemory::adopt(base::UniqueFd{handover.counters});
    auto in_hand = SharedMemory::adopt(base::UniqueFd{handover.in_hand});
    auto counts = Counters::adopt(OBLEA_TRY(std::move(counters)));
    if (!counts.has_value()) {
        counts = Counters::make();  // requests of other kinds: nobody sees ours, and that is all
    }
    auto impl = std::make_unique<Impl>(OBLEA_TRY(std::move(counts)));
    impl->owns = Impl::Owns::nothing;
    auto const asked = mode_of(handover.asked_data);
    auto const mode = mode_of(handover.data);
    if (!asked.has_value() || !mode.has_value()) {
        return fail(Errno::eopnotsupp, "",
                    "this program does not know the data mode " + handover.data);
    }
    impl->asked_data = *asked;
    impl->connection.choose(DataChoice{.mode = *asked, .reason = handover.reason});
    impl->connection.choose(
        TransportChoice{.way = rings.valid() ? TransportMode::io_uring : TransportMode::device,
                        .reason = handover.transport_reason});
    for (Placeholders::Added const& one : handover.placeholders) {
        impl->connection.placeholders.add(one.parent, one.name, one.type, one.time);
    }
    impl->serve_union(std::move(fs));
    SharedMemory requests = OBLEA_TRY(std::move(in_hand));
    impl->connection.in_hand = OBLEA_TRY(InHand::adopt(std::move(requests)));
    OBLEA_TRY(impl->prepare(threads));
    impl->attached = {.device = std::move(device),
                      .mount_point = handover.mount_point,
                      .mount_device = handover.mount_device,
                      .mount_id = handover.mount_id};
    OBLEA_TRY(impl->open_session(MountOptions::Debug::no));
    OBLEA_TRY(impl->negotiate_again(handover));
    impl->connection.choose(DataChoice{.mode = *mode, .reason = handover.reason});
    if (rings.valid()) {
        if (auto why = impl->no_own_ways ? kNoOwnWays : why_no_rings(); !why.empty()) {
            return fail(Errno::eopnotsupp, "", "io_uring is not possible here: " + why);
        }
        impl->connection.rings =
            OBLEA_TRY(RingSlots::adopt(std::move(rings), handover.rings_at, handover.ring_queues));
    }
    if (backing.valid()) {
        auto ledger = Ledger::adopt(OBLEA_TRY(SharedMemory::adopt(std::move(backing))));
        impl->connection.backing = BackingFiles::adopt(impl->connection.device, std::move(ledger));
    }
    impl->owns = Impl::Owns::mount;
    return std::unique_ptr<Server>{new Server(std::move(impl))};  // NOLINT: private constructor
}

Handover Server::handover() const {
    Connection const& connection = impl_->connection;
    return {.device = connection.device,
            .counters = connection.counters.descriptor(),
            .in_hand = connection.in_hand.memory().descriptor(),
            .backing = connection.backing != nullptr
                           ? connection.backing->ledger().memory().descriptor()
                           : -1,
            .rings = connection.rings.descriptor(),
            .rings_at = connection.rings.address(),
            .ring_queues = connection.rings.queues(),
            .init = impl_->init,
            .agreed = connection.agreed,
            .asked_data = std::string{name_of(impl_->asked_data)},
            .data = connection.terms.mode,
            .reason = connection.terms.reason,
            .transport_reason = connection.terms.transport_reason,
            .mount_point = impl_->attached.mount_point,
            .mount_device = impl_->attached.mount_device,
            .mount_id = impl_->attached.mount_id,
            .placeholders = connection.placeholders.added()};
}

MountTerms Server::terms() const {
    return impl_->connection.terms;
}

std::string const& Server::mount_point() const {
    return impl_->attached.mount_point;
}

int Server::counters() const {
    return impl_->connection.counters.descriptor();
}

bool Server::can_resume() const {
    return impl_->can_ask_again;
}

Status Server::resume(Crashed crashed) {
    impl_->resumed = true;
    impl_->connection.in_hand.start_over(crashed == Crashed::yes ? InHand::Crashed::yes
                                                                 : InHand::Crashed::no);
    OBLEA_TRY(impl_->connection.fs->resume());
    if (impl_->connection.backing != nullptr) {
        impl_->connection.backing->resume();
    }
    return fs::ask_again(impl_->connection.device);
}

Status Server::run() {
    WakeSignal const signal;
    std::vector<std::thread> workers;
    UnionFs& fs = *impl_->connection.fs;
    OBLEA_TRY(fs.start_background());
    try {
        unsigned const count = impl_->workers();
        impl_->light.start(impl_->connection.rings.workers());
        workers.reserve(count);
        while (workers.size() < count) {
            impl_->running.fetch_add(1);
            workers.emplace_back([impl = impl_.get(), worker = static_cast<unsigned>(
                                                          workers.size())] { impl->work(worker); });
        }
    } catch (std::system_error const& failed) {
        impl_->running.fetch_sub(1);
        if (workers.empty()) {
            fs.stop_background();
            return fail(Errno::eagain, "thread", failed.what());
        }
        if (impl_->connection.transport == TransportMode::io_uring) {
            // A queue that nobody serves would make its processor's programs wait for ever.
            impl_->failure.store(static_cast<int>(Errno::eagain));
            impl_->signal_main();
        }
    }
    std::uint64_t count = 0;
    while (::read(impl_->wake.get(), &count, sizeof(count)) < 0 &&
           sys::last_errno() == Errno::eintr) {
    }
    // The other threads go on answering meanwhile: unmounting may have to write files back.
    auto const ended = impl_->take_away();
    impl_->light.stop();
    impl_->join(workers);
    static_cast<void>(fs.note_end());  // else who mounts next gives up sooner
    impl_->connection.stale_pages.stop();
    fs.stop_background();
    if (int const code = impl_->failure.load(); code != 0) {
        return fail(Errno{code}, "read", "/dev/fuse");
    }
    return ended;
}

std::unique_ptr<UnionFs> Server::take_union() {
    // Too late to report; the mount table shows it.
    static_cast<void>(detach(impl_->attached, Lazy::yes));
    impl_->connection.fs->on_copy({});  // whose counters go with the server
    return std::move(impl_->connection.fs);
}

void Server::stop() noexcept {
    impl_->signal_main();
}

}  // namespace oblea::fs
