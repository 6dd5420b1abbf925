// SPDX-License-Identifier: MIT
#include "store/layer/append_file.h"

#include "store/base/sys.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace oblea::store {

namespace {

constexpr std::size_t kZeroStepBytes = 4U << 10U;
constexpr std::size_t kHoleBytesMin = 64U << 10U;  // shorter ones would cut a file to pieces

bool is_zero(base::ByteView bytes) {
    return bytes.front() == std::byte{0} &&
           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// How many of the first bytes are zeros, or are none, by steps.
std::size_t run_bytes(base::ByteView data, bool zeros) {
    std::size_t end = 0;
    while (end < data.size()) {
        std::size_t const step = std::min(kZeroStepBytes, data.size() - end);
        if (is_zero(data.subspan(end, step)) != zeros) {
            break;
        }
        end += step;
    }
    return end;
}

}  // namespace

AppendFile::AppendFile(base::UniqueFd file, Writeback* writeback, std::size_t buffer_bytes)
    : file_(std::move(file)), writeback_(writeback), buffer_(buffer_bytes) {}

Status AppendFile::append(base::ByteView data) {
    if (data.size() >= buffer_.size()) {
        OBLEA_TRY(write_buffer());
        return write_through(data);
    }
    std::size_t const room = std::min(data.size(), buffer_.size() - used_);
    std::copy_n(data.begin(), room, buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += room;
    if (used_ == buffer_.size()) {
        OBLEA_TRY(write_buffer());
        base::ByteView const rest = data.subspan(room);
        std::copy(rest.begin(), rest.end(), buffer_.begin());
        used_ = rest.size();
    }
    return {};
}

Status AppendFile::append_sparse(base::ByteView data) {
    while (!data.empty()) {
        std::size_t const zeros = run_bytes(data, true);
        // What follows a hole may be the rest of the same zeros, in the next piece.
        bool const hole = zeros >= kHoleBytesMin || (ends_in_hole_ && used_ == 0 && zeros > 0);
        std::size_t const count = hole ? zeros : zeros + run_bytes(data.subspan(zeros), false);
        OBLEA_TRY(hole ? leave_hole(count) : append(data.first(count)));
        data = data.subspan(count);
    }
    return {};
}

Status AppendFile::flush() {
    OBLEA_TRY(write_buffer());
    if (std::exchange(ends_in_hole_, false)) {
        return base::sys::ftruncate(file_.get(), written_);
    }
    return {};
}

Status AppendFile::write_buffer() {
    std::size_t const count = std::exchange(used_, 0);
    return write_through(base::ByteView{buffer_}.first(count));
}

Status AppendFile::leave_hole(std::uint64_t bytes) {
    OBLEA_TRY(write_buffer());
    written_ += bytes;
    ends_in_hole_ = true;
    return {};
}

Status AppendFile::write_through(base::ByteView data) {
    if (data.empty()) {
        return {};
    }
    OBLEA_TRY(base::sys::pwrite_all(file_.get(), data, written_));
    ends_in_hole_ = false;
    written_ += data.size();
    writeback_.has_grown(file_.get(), written_);
    return {};
}

Status AppendFile::sync() {
    OBLEA_TRY(flush());
    return base::sys::fdatasync(file_.get());
}

}  // namespace oblea::store
