// SPDX-License-Identifier: MIT
#include "fs/lower/numbering_log.h"

#include "store/base/sys.h"

#include <sys/random.h>

#include <utility>

namespace oblea::fs {

namespace {

// Address space only; memory is taken as records are used.
constexpr std::size_t kRecordsMax = std::size_t{1} << 26U;
constexpr std::size_t kRecordsMin = std::size_t{1} << 16U;

}  // namespace

Result<NumberingLog> NumberingLog::make() {
    static_assert(sizeof(Head) <= sizeof(Record));
    auto memory = OBLEA_TRY(
        SharedMemory::make_records("oblea-numbering", sizeof(Record), kRecordsMax, kRecordsMin));
    NumberingLog log{std::move(memory)};
    std::uint64_t& session = log.head_->session;
    if (::getrandom(&session, sizeof(session), 0) != sizeof(session)) {
        return fail(base::sys::last_errno(), "getrandom");
    }
    return log;
}

Result<NumberingLog> NumberingLog::adopt(SharedMemory memory) {
    auto const records = memory.as<Record>();
    if (records.size() < 2 || memory.as<Head>().front().count.load() >= records.size()) {
        return fail(Errno::einval, "", "the memory in which inodes are numbered is none");
    }
    return NumberingLog{std::move(memory)};
}

NumberingLog::NumberingLog(SharedMemory memory)
    : memory_(std::move(memory)), head_(memory_.as<Head>().data()), records_(memory_.as<Record>()) {
}

// Only before threads use it.
NumberingLog::NumberingLog(NumberingLog&& other) noexcept
    : memory_(std::move(other.memory_)), head_(other.head_), records_(other.records_) {}

void NumberingLog::note(Event const& event) {
    base::LockGuard const lock{mutex_};
    if (auto const before = next_of_predecessor()) {
        differs_ = differs_ || *before != event;
        ++seen_;
        return;
    }
    if (seen_ + 1 == records_.size()) {
        head_->is_short.store(1, std::memory_order_release);
        return;
    }
    records_[++seen_] = {.number = event.number,
                         .birth = event.birth,
                         .device = event.device,
                         .kind = static_cast<std::uint16_t>(event.kind),
                         .type = static_cast<std::uint16_t>(event.type)};
    head_->count.store(seen_, std::memory_order_release);
}

std::optional<NumberingLog::Event> NumberingLog::unseen() {
    base::LockGuard const lock{mutex_};
    return next_of_predecessor();
}

std::optional<NumberingLog::Event> NumberingLog::next_of_predecessor() const {
    if (seen_ == head_->count.load(std::memory_order_acquire)) {
        return std::nullopt;
    }
    Record const& record = records_[seen_ + 1];
    return Event{.kind = Event::Kind{record.kind},
                 .type = store::FileType{static_cast<std::uint8_t>(record.type)},
                 .device = record.device,
                 .number = record.number,
                 .birth = record.birth};
}

Status NumberingLog::is_same() {
    base::LockGuard const lock{mutex_};
    if (head_->is_short.load(std::memory_order_acquire) != 0) {
        return fail(Errno::enomem, "", "more folders were read than could be noted");
    }
    if (differs_) {
        return fail(Errno::estale, "lower", "a lower folder was changed");
    }
    return {};
}

}  // namespace oblea::fs
