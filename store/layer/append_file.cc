// SPDX-License-Identifier: MIT
#include "store/layer/append_file.h"

#include "store/base/sys.h"

#include <algorithm>

namespace oblea::store {

AppendFile::AppendFile(base::UniqueFd file, Writeback* writeback, std::size_t buffer_bytes)
    : file_(std::move(file)), writeback_(writeback), buffer_(buffer_bytes) {}

Status AppendFile::append(base::ByteView data) {
    if (data.size() >= buffer_.size()) {
        OBLEA_TRY(flush());
        return write_through(data);
    }
    std::size_t const room = std::min(data.size(), buffer_.size() - used_);
    std::copy_n(data.begin(), room, buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += room;
    if (used_ == buffer_.size()) {
        OBLEA_TRY(flush());
        base::ByteView const rest = data.subspan(room);
        std::copy(rest.begin(), rest.end(), buffer_.begin());
        used_ = rest.size();
    }
    return {};
}

Status AppendFile::flush() {
    std::size_t const count = std::exchange(used_, 0);
    return write_through(base::ByteView{buffer_}.first(count));
}

Status AppendFile::write_through(base::ByteView data) {
    OBLEA_TRY(base::sys::pwrite_all(file_.get(), data, written_));
    written_ += data.size();
    writeback_.has_grown(file_.get(), written_);
    return {};
}

Status AppendFile::sync() {
    OBLEA_TRY(flush());
    return base::sys::fdatasync(file_.get());
}

}  // namespace oblea::store
