// SPDX-License-Identifier: MIT
#include "store/layer/read_ahead.h"

#include "store/base/mutex.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace oblea::store {

namespace {

using base::ByteView;

class InlineStage final : public ReadAhead {
public:
    InlineStage(base::ByteSource& source, ReadAheadOptions options, Observer observer)
        : source_(source), observer_(std::move(observer)), buffer_(options.chunk_bytes) {}

    Result<ByteView> next() override {
        std::size_t const count = OBLEA_TRY(base::read_full(source_, buffer_));
        ByteView const chunk = ByteView{buffer_}.first(count);
        if (observer_ && !chunk.empty()) {
            observer_(chunk);
        }
        return chunk;
    }

    void finish() override {}

private:
    base::ByteSource& source_;
    Observer observer_;
    base::Bytes buffer_;
};

// A ring of chunks with one writer and two readers (observer and caller), each with a count of the
// chunks that it is done with. Chunk n lies in slot n % slots; the writer may fill it again when
// both readers are past it.
class ThreadedStage final : public ReadAhead {
public:
    ThreadedStage(base::ByteSource& source, ReadAheadOptions options, Observer observer)
        : source_(source), observer_(std::move(observer)) {
        slots_.resize(std::max<std::size_t>(options.chunks, 2));
        for (Slot& slot : slots_) {
            slot.buffer.resize(options.chunk_bytes);
        }
        reader_ =
            std::jthread{[this](std::stop_token const& stop) { guarded([&] { read(stop); }); }};
        if (observer_) {
            watcher_ = std::jthread{
                [this](std::stop_token const& stop) { guarded([&] { watch(stop); }); }};
        }
    }

    ~ThreadedStage() override {
        reader_.request_stop();
        watcher_.request_stop();
    }

    Result<ByteView> next() override {
        base::UniqueLock lock{mutex_};
        if (held_) {
            held_ = false;
            ++used_;
            changed_.notify_all();
        }
        changed_.wait(lock.for_wait(), [&] {
            mutex_.assert_held();
            return used_ < filled_ || ended_;
        });
        if (used_ == filled_) {
            if (failure_.has_value()) {
                return std::unexpected<Error>(*failure_);
            }
            return ByteView{};
        }
        held_ = true;
        return chunk(used_);
    }

    void finish() override {
        base::UniqueLock lock{mutex_};
        changed_.wait(lock.for_wait(), [&] {
            mutex_.assert_held();
            return ended_ && (!observer_ || observed_ == filled_ || failed_);
        });
    }

private:
    struct Slot {
        base::Bytes buffer;
        std::size_t bytes = 0;
    };

    [[nodiscard]] ByteView chunk(std::uint64_t number) const {
        Slot const& slot = slots_[static_cast<std::size_t>(number % slots_.size())];
        return ByteView{slot.buffer}.first(slot.bytes);
    }

    // No exception may leave a thread: it becomes the stage's error, as the only ones are
    // bad_alloc and those of third parties.
    template <typename F>
    void guarded(F&& body) {
        try {
            body();
        } catch (std::exception const& thrown) {
            base::LockGuard const lock{mutex_};
            failure_ = Error{Errno::enomem, "", thrown.what()};
            ended_ = true;
            failed_ = true;
            changed_.notify_all();
        }
    }

    void read(std::stop_token const& stop) {
        for (;;) {
            base::UniqueLock lock{mutex_};
            bool const room = changed_.wait(lock.for_wait(), stop, [&] {
                mutex_.assert_held();
                std::uint64_t const oldest = observer_ ? std::min(used_, observed_) : used_;
                return ended_ || filled_ - oldest < slots_.size();
            });
            if (!room || ended_) {
                return;
            }
            Slot& slot = slots_[static_cast<std::size_t>(filled_ % slots_.size())];
            lock.unlock();
            auto const count = base::read_full(source_, slot.buffer);
            lock.lock();
            if (count.has_value() && *count > 0) {
                slot.bytes = *count;
                ++filled_;
            } else {
                if (!count.has_value()) {
                    failure_ = count.error();
                }
                ended_ = true;
            }
            changed_.notify_all();
            if (ended_) {
                return;
            }
        }
    }

    void watch(std::stop_token const& stop) {
        for (;;) {
            base::UniqueLock lock{mutex_};
            bool const more = changed_.wait(lock.for_wait(), stop, [&] {
                mutex_.assert_held();
                return observed_ < filled_ || ended_;
            });
            if (!more || observed_ == filled_) {
                return;
            }
            ByteView const seen = chunk(observed_);
            lock.unlock();
            observer_(seen);
            lock.lock();
            ++observed_;
            changed_.notify_all();
        }
    }

    base::ByteSource& source_;
    Observer observer_;
    std::vector<Slot> slots_;  // a slot is the writer's, or the readers', by the counts below

    base::Mutex mutex_;
    std::condition_variable_any changed_;
    std::uint64_t filled_ OBLEA_GUARDED_BY(mutex_) = 0;
    std::uint64_t used_ OBLEA_GUARDED_BY(mutex_) = 0;      // by the caller
    std::uint64_t observed_ OBLEA_GUARDED_BY(mutex_) = 0;  // by the observer
    bool held_ OBLEA_GUARDED_BY(mutex_) = false;           // the caller has a view of chunk used_
    bool ended_ OBLEA_GUARDED_BY(mutex_) = false;
    bool failed_ OBLEA_GUARDED_BY(mutex_) = false;  // a thread died: nobody may wait for it
    std::optional<Error> failure_ OBLEA_GUARDED_BY(mutex_);

    // Last: they stop and join before anything that they use is gone.
    std::jthread reader_;
    std::jthread watcher_;
};

}  // namespace

Threading threading_by_environment() {
    char const* const threads = std::getenv("OBLEA_THREADS");
    return threads != nullptr && std::string_view{threads} == "1" ? Threading::caller
                                                                  : Threading::own;
}

std::unique_ptr<ReadAhead> ReadAhead::make(base::ByteSource& source, ReadAheadOptions options,
                                           Observer observer) {
    if (options.threading == Threading::caller) {
        return std::make_unique<InlineStage>(source, options, std::move(observer));
    }
    return std::make_unique<ThreadedStage>(source, options, std::move(observer));
}

}  // namespace oblea::store
