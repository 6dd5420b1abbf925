// SPDX-License-Identifier: MIT
#include "store/base/byte_source.h"

#include "store/base/sys.h"

#include <algorithm>

namespace oblea::base {

Result<std::size_t> FileRangeSource::read(MutableBytes buffer) {
    auto const room = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left_));
    std::size_t const count = OBLEA_TRY(sys::pread_full(fd_, buffer.first(room), offset_));
    if (count < room) {
        return fail(Errno::eio, "",
                    "the file ends " + std::to_string(left_ - count) + " bytes early");
    }
    offset_ += count;
    left_ -= count;
    return count;
}

Result<std::size_t> FdSource::read(MutableBytes buffer) {
    return sys::read_some(fd_.get(), buffer);
}

Result<std::size_t> MemorySource::read(MutableBytes buffer) {
    std::size_t const count = std::min(buffer.size(), rest_.size());
    std::copy_n(rest_.begin(), count, buffer.begin());
    rest_ = rest_.subspan(count);
    return count;
}

Result<ByteView> BufferedChunks::next() {
    std::size_t const count = OBLEA_TRY(source_.read(buffer_));
    return ByteView{buffer_}.first(count);
}

Result<std::size_t> read_full(ByteSource& source, MutableBytes buffer) {
    std::size_t done = 0;
    while (done < buffer.size()) {
        std::size_t const count = OBLEA_TRY(source.read(buffer.subspan(done)));
        if (count == 0) {
            break;
        }
        done += count;
    }
    return done;
}

}  // namespace oblea::base
