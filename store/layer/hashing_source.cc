// SPDX-License-Identifier: MIT
#include "store/layer/hashing_source.h"

namespace oblea::store {

Result<std::size_t> HashingSource::read(base::MutableBytes buffer) {
    std::size_t const count = OBLEA_TRY(source_.read(buffer));
    base::ByteView const passed = buffer.first(count);
    hash_.update(passed);
    bytes_ += count;
    if (watcher_ && count > 0) {
        OBLEA_TRY(watcher_(passed));
    }
    return count;
}

}  // namespace oblea::store
