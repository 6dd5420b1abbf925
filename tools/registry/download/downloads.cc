// SPDX-License-Identifier: MIT
#include "tools/registry/download/downloads.h"

#include "store/base/boot_id.h"
#include "store/base/mutex.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <thread>

namespace oblea::registry {

namespace {

constexpr std::size_t kReadBytes = 256U << 10U;
constexpr std::chrono::milliseconds kPause{100};  // how soon a cancellation is seen

using Part = DownloadState::Part;
using Ranges = DownloadState::Ranges;

struct Blob {
    store::Digest digest;
    std::unique_ptr<PartialBlob> file;
    DownloadState state;
    std::size_t client = 0;
    std::optional<Error> failure;
};

// Who shares a server with nobody gets along; who cannot be told the reason why it ends.
std::unexpected<Error> interrupted() {
    return fail(Errno::ecanceled, "", "interrupted");
}

}  // namespace

std::optional<NextPart> plan_part(std::span<DownloadState const> blobs) {
    auto const first_missing = [](DownloadState const& blob) -> std::optional<std::size_t> {
        auto const at = std::ranges::find(blob.parts, Part::missing);
        return at == blob.parts.end()
                   ? std::nullopt
                   : std::optional{static_cast<std::size_t>(at - blob.parts.begin())};
    };
    auto const is_active = [](DownloadState const& blob) {
        return std::ranges::find(blob.parts, Part::active) != blob.parts.end();
    };
    for (std::size_t i = 0; i < blobs.size(); ++i) {
        if (auto const part = first_missing(blobs[i]); part.has_value() && !is_active(blobs[i])) {
            return NextPart{.blob = i, .part = *part};
        }
    }
    for (std::size_t i = 0; i < blobs.size(); ++i) {
        auto const part = first_missing(blobs[i]);
        if (part.has_value() && blobs[i].ranges == Ranges::known) {
            return NextPart{.blob = i, .part = *part};
        }
    }
    return std::nullopt;
}

struct Downloads::Impl {
    Impl(Clients const& all, DownloadOptions choices) : clients(all), options(choices) {}

    void start_workers();
    void work();
    void keep_durable(std::stop_token const& stop);
    void stop_keeping_durable();
    Status fetch(RegistryClient& client, Blob& blob, std::size_t part);
    Status transfer(Blob& blob, std::size_t& part, BlobRange& range);
    [[nodiscard]] std::optional<NextPart> take_part() OBLEA_REQUIRES(mutex);
    void end_part(Blob& blob, std::size_t part, Status const& outcome);
    void set_ranges(Blob& blob, Ranges ranges);
    // The part after `part`, for a stream that goes on into it; nothing at the end.
    std::optional<std::size_t> claim_next(Blob& blob, std::size_t part);
    [[nodiscard]] bool is_canceled() const {
        return stopping || (options.cancel != nullptr && *options.cancel);
    }

    Clients const& clients;
    DownloadOptions options;
    std::string boot_id = base::boot_id();
    std::atomic<bool> stopping{false};
    mutable base::Mutex mutex;                       // guards all of a blob but its file, too
    std::condition_variable arrived;                 // bytes, a failure, or work
    std::deque<Blob> blobs OBLEA_GUARDED_BY(mutex);  // never shrinks: references stay
    std::vector<std::jthread> workers;
    std::optional<Error> disk_failure OBLEA_GUARDED_BY(mutex);
    std::condition_variable_any stopped;
    std::jthread durability;
};

std::optional<NextPart> Downloads::Impl::take_part() {
    std::vector<DownloadState> states;
    for (auto const& blob : blobs) {
        states.push_back(blob.failure.has_value() ? DownloadState{} : blob.state);
    }
    auto const next = plan_part(states);
    if (next.has_value()) {
        blobs[next->blob].state.parts[next->part] = Part::active;
    }
    return next;
}

void Downloads::Impl::work() {
    for (;;) {
        Blob* blob = nullptr;
        RegistryClient* client = nullptr;
        std::size_t part = 0;
        {
            base::UniqueLock lock{mutex};
            std::optional<NextPart> next;
            arrived.wait(lock.for_wait(), [&] {
                mutex.assert_held();
                next = is_canceled() ? std::nullopt : take_part();
                return stopping || next.has_value();
            });
            if (!next.has_value()) {
                return;
            }
            blob = &blobs[next->blob];
            client = clients[blob->client].get();
            part = next->part;
        }
        Status const outcome = fetch(*client, *blob, part);
        end_part(*blob, part, outcome);
    }
}

void Downloads::Impl::end_part(Blob& blob, std::size_t part, Status const& outcome) {
    {
        base::LockGuard const lock{mutex};
        for (std::size_t i = part; i < blob.state.parts.size(); ++i) {
            bool const whole = blob.file->part_done(i) == blob.file->part_bytes(i);
            bool const ours = i == part || blob.state.ranges == Ranges::none;
            if (ours && blob.state.parts[i] == Part::active) {
                blob.state.parts[i] = whole ? Part::done : Part::missing;
            }
        }
        if (!outcome.has_value()) {
            bool const final =
                blob.client + 1 >= clients.size() || outcome.error().code == Errno::ecanceled ||
                outcome.error().code == Errno::ebadmsg || outcome.error().code == Errno::enospc;
            if (final && !blob.failure.has_value()) {
                blob.failure = outcome.error();
            } else if (!final) {
                // A mirror may have a manifest without its layers.
                ++blob.client;
                blob.state.ranges = Ranges::unknown;
            }
        }
    }
    arrived.notify_all();
}

void Downloads::Impl::set_ranges(Blob& blob, Ranges ranges) {
    {
        base::LockGuard const lock{mutex};
        if (blob.state.ranges != Ranges::unknown) {
            return;
        }
        blob.state.ranges = ranges;
    }
    arrived.notify_all();
}

std::optional<std::size_t> Downloads::Impl::claim_next(Blob& blob, std::size_t part) {
    base::LockGuard const lock{mutex};
    blob.state.parts[part] = Part::done;
    if (part + 1 == blob.state.parts.size()) {
        return std::nullopt;
    }
    blob.state.parts[part + 1] = Part::active;
    return part + 1;
}

// From the range's stream into the file, until the part is there, and on through the following
// ones when the server sends them anyway.
Status Downloads::Impl::transfer(Blob& blob, std::size_t& part, BlobRange& range) {
    base::Bytes buffer(kReadBytes);
    std::uint64_t at = range.begin;
    PartialBlob& file = *blob.file;
    while (!is_canceled()) {
        if (file.part_done(part) == file.part_bytes(part)) {
            auto const next = range.to_end ? claim_next(blob, part) : std::nullopt;
            if (!next.has_value()) {
                return range.expect_end();
            }
            part = *next;
            continue;
        }
        std::uint64_t const wanted = file.part_begin(part) + file.part_done(part);
        // What is there already is passed over where the server could not.
        std::uint64_t const room =
            at < wanted ? wanted - at : file.part_bytes(part) - file.part_done(part);
        auto const target = base::MutableBytes{buffer}.first(
            static_cast<std::size_t>(std::min<std::uint64_t>(room, buffer.size())));
        std::size_t const count = OBLEA_TRY(range.stream->read(target));
        if (count == 0) {
            return fail(network_error::kReset, "",
                        "blob " + blob.digest.short_hex() + ": the connection was cut after " +
                            std::to_string(at) + " of " + std::to_string(file.bytes()) + " bytes");
        }
        if (at >= wanted) {
            OBLEA_TRY(file.append(part, target.first(count)));
            arrived.notify_all();
        }
        at += count;
    }
    return interrupted();
}

Status Downloads::Impl::fetch(RegistryClient& client, Blob& blob, std::size_t part) {
    PartialBlob const& file = *blob.file;
    unsigned attempts = 0;
    for (;;) {
        std::uint64_t const before = file.part_done(part);
        std::uint64_t const begin = file.part_begin(part) + before;
        auto outcome = [&]() -> Status {
            auto range = OBLEA_TRY(client.blob_range(
                blob.digest, {.begin = begin,
                              .end = file.part_begin(part) + file.part_bytes(part),
                              .total_bytes = file.bytes(),
                              .stop = &stopping}));
            set_ranges(blob, range.to_end && file.parts() > 1 ? Ranges::none : Ranges::known);
            return transfer(blob, part, range);
        }();
        if (outcome.has_value() || !may_be_retried(outcome.error())) {
            return outcome;
        }
        // A connection that brought something counts as a good one.
        attempts = file.part_done(part) > before ? 1 : attempts + 1;
        if (!OBLEA_TRY(client.wait_to_retry(attempts, outcome.error()))) {
            return outcome;
        }
    }
}

// Until it is stopped.
void Downloads::Impl::keep_durable(std::stop_token const& stop) {
    base::UniqueLock lock{mutex};
    for (;;) {
        stopped.wait_for(lock.for_wait(), stop, options.durable_every, [] { return false; });
        // Whatever joins the list meanwhile has its turn the next time.
        std::size_t const count = blobs.size();
        for (std::size_t i = 0; i < count && !stop.stop_requested(); ++i) {
            Blob& blob = blobs[i];
            lock.unlock();
            Status const done = blob.file->make_durable();
            lock.lock();
            if (!done.has_value()) {
                disk_failure = done.error();
                blob.failure = blob.failure.value_or(done.error());
                arrived.notify_all();
            }
        }
        if (stop.stop_requested()) {
            return;
        }
    }
}

void Downloads::Impl::stop_keeping_durable() {
    durability = {};  // asks it to stop, and waits for it
}

void Downloads::Impl::start_workers() {
    if (!durability.joinable()) {
        durability = std::jthread{[this](std::stop_token const& stop) { keep_durable(stop); }};
    }
    while (workers.size() < options.connections) {
        workers.emplace_back([this] { work(); });
    }
}

namespace {

// The blob's file, as far as it has come.
class ArrivingSource final : public base::ByteSource {
public:
    using Wait = std::function<Result<std::uint64_t>(std::uint64_t offset)>;
    ArrivingSource(PartialBlob const& file, Wait wait) : file_(file), wait_(std::move(wait)) {}

    Result<std::size_t> read(base::MutableBytes buffer) override {
        if (offset_ == file_.bytes() || buffer.empty()) {
            return 0;
        }
        std::uint64_t const there = OBLEA_TRY(wait_(offset_));
        auto const part =
            buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(there, buffer.size())));
        base::FileRangeSource range{file_.fd(), offset_, part.size()};
        std::size_t const count = OBLEA_TRY(range.read(part));
        offset_ += count;
        return count;
    }

private:
    PartialBlob const& file_;
    Wait wait_;
    std::uint64_t offset_ = 0;
};

}  // namespace

Downloads::Downloads(Clients const& clients, DownloadOptions options)
    : impl_(std::make_unique<Impl>(clients, options)) {}

Downloads::~Downloads() {
    impl_->stopping = true;
    {
        // Who is about to wait has either seen it or is waiting.
        base::LockGuard const lock{impl_->mutex};
    }
    impl_->arrived.notify_all();
    impl_->workers.clear();
    impl_->stop_keeping_durable();
}

Result<Downloads::Opened> Downloads::open(store::Digest const& digest, std::uint64_t bytes) {
    auto file = OBLEA_TRY(PartialBlob::open({.root = impl_->options.root,
                                             .digest = digest,
                                             .bytes = bytes,
                                             .boot_id = impl_->boot_id}));
    Blob blob{.digest = digest, .file = std::move(file), .state = {}, .failure = {}};
    for (std::size_t i = 0; i < blob.file->parts(); ++i) {
        bool const whole = blob.file->part_done(i) == blob.file->part_bytes(i);
        blob.state.parts.push_back(whole ? Part::done : Part::missing);
    }
    Blob* added = nullptr;
    {
        base::LockGuard const lock{impl_->mutex};
        added = &impl_->blobs.emplace_back(std::move(blob));
        impl_->start_workers();
    }
    impl_->arrived.notify_all();
    auto const wait = [impl = impl_.get(), added](std::uint64_t offset) -> Result<std::uint64_t> {
        base::UniqueLock lock{impl->mutex};
        for (;;) {
            if (auto const there = added->file->readable_from(offset); there > 0) {
                return there;
            }
            if (added->failure.has_value()) {
                return std::unexpected<Error>(*added->failure);
            }
            if (impl->is_canceled()) {
                return interrupted();
            }
            impl->arrived.wait_for(lock.for_wait(), kPause);
        }
    };
    return Opened{.source = std::make_unique<ArrivingSource>(*added->file, wait),
                  .path = added->file->path()};
}

std::vector<DownloadProgress> Downloads::progress() const {
    base::LockGuard const lock{impl_->mutex};
    std::vector<DownloadProgress> list;
    for (auto const& blob : impl_->blobs) {
        list.push_back({.blob = blob.digest,
                        .bytes = blob.file->done_bytes(),
                        .total_bytes = blob.file->bytes()});
    }
    return list;
}

Status Downloads::finish() {
    impl_->stop_keeping_durable();
    base::LockGuard const lock{impl_->mutex};
    if (impl_->disk_failure.has_value()) {
        return std::unexpected<Error>(*impl_->disk_failure);
    }
    for (auto& blob : impl_->blobs) {
        blob.file->remove();
    }
    return {};
}

Result<bool> Downloads::discard_wrong() {
    impl_->stop_keeping_durable();
    base::LockGuard const lock{impl_->mutex};
    bool resumed = false;
    for (auto& blob : impl_->blobs) {
        bool const refuted = blob.failure.has_value() && blob.failure->code == Errno::ebadmsg;
        if (refuted || (blob.file->is_complete() && !OBLEA_TRY(blob.file->verify()))) {
            resumed = resumed || blob.file->resumed_bytes() > 0;
            blob.file->remove();
        }
    }
    return resumed;
}

}  // namespace oblea::registry
