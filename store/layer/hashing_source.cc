// SPDX-License-Identifier: MIT
#include "store/layer/hashing_source.h"

namespace oblea::store {

Result<std::size_t> HashingSource::read(base::MutableBytes buffer) {
    std::size_t const count = OBLEA_TRY(source_.read(buffer));
    hash_.update(buffer.first(count));
    bytes_ += count;
    return count;
}

}  // namespace oblea::store
