// SPDX-License-Identifier: MIT
#include "store/layer/zstd_source.h"

#include "store/base/limits.h"
#include "store/layer/decompressor.h"
#include "store/layer/zstd_context.h"

#include <oneapi/tbb/task_group.h>
#include <zstd_errors.h>

#include <algorithm>
#include <deque>
#include <new>
#include <utility>

namespace oblea::store {

namespace {

using base::ByteView;
using base::MutableBytes;

constexpr char const* kDamaged = "zstd data is damaged";

// Frames are put together until a batch has one of these sizes. A frame that is larger than them
// may still be part of one, up to a limit that keeps a batch below 1.25 and 3 MiB.
constexpr std::size_t kBatchInputBytes = 256U << 10U;
constexpr std::size_t kBatchOutputBytes = 1U << 20U;
constexpr std::size_t kFrameInputBytesMax = 1U << 20U;
constexpr std::size_t kFrameOutputBytesMax = 2U << 20U;
constexpr std::size_t kBatchesMax = 4;
constexpr std::size_t kFrameHeaderBytesMax = 18;  // magic number and RFC 8878 3.1.1.1

ZstdDecompressor make_context() {
    ZstdDecompressor context{ZSTD_createDCtx()};
    if (context == nullptr ||
        ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax,
                                            limits::kZstdWindowLogMax)) != 0) {
        throw std::bad_alloc();
    }
    return context;
}

// What the first bytes of a frame tell.
struct Frame {
    enum class Kind { fits_a_batch, unfinished, for_itself };
    Kind kind = Kind::unfinished;
    std::size_t bytes = 0;
    std::size_t content_bytes = 0;
};

Frame look_at(ByteView input) {
    unsigned long long const content = ZSTD_getFrameContentSize(input.data(), input.size());
    std::size_t const bytes = ZSTD_findFrameCompressedSize(input.data(), input.size());
    if (content == ZSTD_CONTENTSIZE_ERROR) {
        // Its header is cut off, or none at all: then decompressing says so.
        return {.kind = input.size() < kFrameHeaderBytesMax ? Frame::Kind::unfinished
                                                            : Frame::Kind::for_itself};
    }
    if (content == ZSTD_CONTENTSIZE_UNKNOWN || content > kFrameOutputBytesMax) {
        return {.kind = Frame::Kind::for_itself};
    }
    if (ZSTD_isError(bytes) == 0) {
        return {.kind = bytes <= kFrameInputBytesMax ? Frame::Kind::fits_a_batch
                                                     : Frame::Kind::for_itself,
                .bytes = bytes,
                .content_bytes = static_cast<std::size_t>(content)};
    }
    bool const cut_off = ZSTD_getErrorCode(bytes) == ZSTD_error_srcSize_wrong;
    return {.kind = cut_off && input.size() < kFrameInputBytesMax ? Frame::Kind::unfinished
                                                                  : Frame::Kind::for_itself};
}

// Whole frames, decompressed at once by some thread.
class Batch {
public:
    Batch(base::Bytes input, std::size_t content_bytes, std::uint64_t position)
        : input_(std::move(input)), content_bytes_(content_bytes), position_(position) {
        task_.run([this] { decompress(); });
    }
    Batch(Batch const&) = delete;
    Batch& operator=(Batch const&) = delete;
    ~Batch() {
        task_.cancel();
        task_.wait();
    }

    // Why it failed, or nothing. Takes part in the work while it waits.
    std::string_view wait() {
        task_.wait();
        return fault_;
    }
    [[nodiscard]] std::uint64_t position() const { return position_; }

    // After wait(): copies from where it stopped; 0 at the end.
    std::size_t take(MutableBytes buffer) {
        std::size_t const count = std::min(buffer.size(), output_.size() - taken_);
        std::copy_n(output_.begin() + static_cast<std::ptrdiff_t>(taken_), count, buffer.begin());
        taken_ += count;
        return count;
    }

private:
    void decompress() noexcept {
        try {
            output_.resize(content_bytes_);
            std::size_t const count = ZSTD_decompressDCtx(
                make_context().get(), output_.data(), output_.size(), input_.data(), input_.size());
            if (ZSTD_isError(count) != 0) {
                fault_ = ZSTD_getErrorName(count);
            } else if (count != content_bytes_) {
                fault_ = "its frames hold less than they say";
            }
        } catch (std::bad_alloc const&) {
            fault_ = "no memory is left";
        }
    }

    base::Bytes input_, output_;
    std::size_t content_bytes_;
    std::size_t taken_ = 0;
    std::uint64_t position_;
    std::string_view fault_;
    tbb::task_group task_;
};

class ZstdSource final : public Decompressor {
public:
    ZstdSource(base::ChunkSource& input, Threading threading)
        : Decompressor(input), threading_(threading), context_(make_context()) {}

private:
    Result<std::size_t> produce(MutableBytes buffer) override {
        for (;;) {
            if (!in_frame_) {
                OBLEA_TRY(threading_ == Threading::own ? gather() : begin_frame());
            }
            if (!batches_.empty()) {
                std::size_t const count = OBLEA_TRY(take(buffer));
                if (count > 0) {
                    return count;
                }
            } else if (in_frame_) {
                std::size_t const count = OBLEA_TRY(stream(buffer));
                if (count > 0) {
                    return count;
                }
            } else if (!OBLEA_TRY(has_input())) {
                return 0;
            }
        }
    }

    // --- one frame after the other

    Status begin_frame() {
        in_frame_ = OBLEA_TRY(has_input());
        return {};
    }

    // Bytes that were looked at come before rest_.
    Result<bool> has_input() { return !held_.empty() || OBLEA_TRY(refill()); }

    Result<std::size_t> stream(MutableBytes buffer) {
        for (;;) {
            bool const more = OBLEA_TRY(has_input());
            ByteView const from = held_.empty() ? rest_ : ByteView{held_}.subspan(used_);
            ZSTD_inBuffer input{from.data(), from.size(), 0};
            ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
            std::size_t const hint = ZSTD_decompressStream(context_.get(), &output, &input);
            use(input.pos);
            if (ZSTD_isError(hint) != 0) {
                return failed(hint);
            }
            in_frame_ = hint != 0;
            if (output.pos > 0 || !in_frame_) {
                return output.pos;
            }
            if (!more) {
                return damaged(kDamaged, "it ends in the middle of a frame", position());
            }
        }
    }

    void use(std::size_t bytes) {
        if (held_.empty()) {
            rest_ = rest_.subspan(bytes);
            return;
        }
        used_ += bytes;
        if (used_ == held_.size()) {
            held_.clear();
            used_ = 0;
        }
    }

    std::unexpected<Error> failed(std::size_t outcome) const {
        if (ZSTD_getErrorCode(outcome) == ZSTD_error_frameParameter_windowTooLarge) {
            return damaged("zstd data needs too much memory",
                           "a window of more than 128 MiB is asked for", held_position() + used_,
                           Errno::e2big);
        }
        return damaged(kDamaged, ZSTD_getErrorName(outcome), held_position() + used_);
    }

    // --- side by side

    [[nodiscard]] std::uint64_t held_position() const { return position() - held_.size(); }

    // Makes batches until there are enough, the input ends, or a frame comes that is none for them.
    Status gather() {
        while (batches_.size() < kBatchesMax && !in_frame_ && OBLEA_TRY(has_input())) {
            drop_used();
            OBLEA_TRY(gather_batch());
        }
        return {};
    }

    Status gather_batch() {
        std::size_t bytes = 0;
        std::size_t content_bytes = 0;
        while (bytes < kBatchInputBytes && content_bytes < kBatchOutputBytes) {
            Frame const frame = look_at(ByteView{held_}.subspan(bytes));
            if (frame.kind == Frame::Kind::for_itself) {
                in_frame_ = true;
                break;
            }
            if (frame.kind == Frame::Kind::fits_a_batch) {
                bytes += frame.bytes;
                content_bytes += frame.content_bytes;
            } else if (OBLEA_TRY(refill())) {
                held_.insert(held_.end(), rest_.begin(), rest_.end());
                rest_ = {};
            } else {
                in_frame_ = bytes < held_.size();  // what cannot be is told by decompressing it
                break;
            }
        }
        if (bytes > 0) {
            std::uint64_t const at = held_position();
            auto const end = held_.begin() + static_cast<std::ptrdiff_t>(bytes);
            base::Bytes tail(end, held_.end());
            held_.resize(bytes);
            batches_.push_back(
                std::make_unique<Batch>(std::exchange(held_, std::move(tail)), content_bytes, at));
        }
        return {};
    }

    void drop_used() {
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ = 0;
    }

    // From the first batch; 0 when that is done with.
    Result<std::size_t> take(MutableBytes buffer) {
        Batch& first = *batches_.front();
        std::string_view const fault = first.wait();
        if (!fault.empty()) {
            return damaged(kDamaged, fault, first.position());
        }
        std::size_t const count = first.take(buffer);
        if (count == 0) {
            batches_.pop_front();
        }
        return count;
    }

    Threading threading_;
    ZstdDecompressor context_;
    bool in_frame_ = false;  // of one that is decompressed piece by piece, after all batches
    base::Bytes held_;       // input that was looked at; its first used_ bytes are done with
    std::size_t used_ = 0;
    std::deque<std::unique_ptr<Batch>> batches_;
};

}  // namespace

std::unique_ptr<base::ByteSource> make_zstd_source(base::ChunkSource& compressed,
                                                   Threading threading) {
    return std::make_unique<ZstdSource>(compressed, threading);
}

}  // namespace oblea::store
