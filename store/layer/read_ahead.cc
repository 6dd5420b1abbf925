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

class InlineStage final : public base::ChunkSource {
public:
    InlineStage(base::ByteSource& source, ReadAheadOptions options)
        : source_(source), buffer_(options.chunk_bytes) {}

    Result<ByteView> next() override {
        std::size_t const count = OBLEA_TRY(base::read_full(source_, buffer_));
        return ByteView{buffer_}.first(count);
    }

private:
    base::ByteSource& source_;
    base::Bytes buffer_;
};

// A ring of chunks with one writer and one reader. Chunk n lies in slot n % slots; the writer may
// fill it again when the reader is past it.
class ThreadedStage final : public base::ChunkSource {
public:
    ThreadedStage(base::ByteSource& source, ReadAheadOptions options) : source_(source) {
        slots_.resize(std::max<std::size_t>(options.chunks, 2));
        for (Slot& slot : slots_) {
            slot.buffer.resize(options.chunk_bytes);
        }
        reader_ = std::jthread{[this](std::stop_token const& stop) { run(stop); }};
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
        Slot const& slot = slot_of(used_);
        return ByteView{slot.buffer}.first(slot.bytes);
    }

private:
    struct Slot {
        base::Bytes buffer;
        std::size_t bytes = 0;
    };

    [[nodiscard]] Slot& slot_of(std::uint64_t chunk) {
        return slots_[static_cast<std::size_t>(chunk % slots_.size())];
    }

    // No exception may leave a thread: it becomes the stage's error, as the only ones are
    // bad_alloc and those of third parties.
    void run(std::stop_token const& stop) {
        try {
            read(stop);
        } catch (std::exception const& thrown) {
            base::LockGuard const lock{mutex_};
            failure_ = Error{Errno::enomem, "", thrown.what()};
            ended_ = true;
            changed_.notify_all();
        }
    }

    void read(std::stop_token const& stop) {
        base::UniqueLock lock{mutex_};
        while (!ended_) {
            bool const room = changed_.wait(lock.for_wait(), stop, [&] {
                mutex_.assert_held();
                return filled_ - used_ < slots_.size();
            });
            if (!room) {
                return;
            }
            Slot& slot = slot_of(filled_);
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
        }
    }

    base::ByteSource& source_;
    std::vector<Slot> slots_;  // a slot is the writer's or the reader's, by the counts below

    base::Mutex mutex_;
    std::condition_variable_any changed_;
    std::uint64_t filled_ OBLEA_GUARDED_BY(mutex_) = 0;
    std::uint64_t used_ OBLEA_GUARDED_BY(mutex_) = 0;
    bool held_ OBLEA_GUARDED_BY(mutex_) = false;  // the reader has a view of chunk used_
    bool ended_ OBLEA_GUARDED_BY(mutex_) = false;
    std::optional<Error> failure_ OBLEA_GUARDED_BY(mutex_);

    std::jthread reader_;  // last: it stops and joins before anything that it uses is gone
};

}  // namespace

Threading threading_by_environment() {
    char const* const threads = std::getenv("OBLEA_THREADS");
    return threads != nullptr && std::string_view{threads} == "1" ? Threading::caller
                                                                  : Threading::own;
}

std::unique_ptr<base::ChunkSource> make_read_ahead(base::ByteSource& source,
                                                   ReadAheadOptions options) {
    if (options.threading == Threading::caller) {
        return std::make_unique<InlineStage>(source, options);
    }
    return std::make_unique<ThreadedStage>(source, options);
}

}  // namespace oblea::store
