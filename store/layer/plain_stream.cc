// SPDX-License-Identifier: MIT
#include "store/layer/plain_stream.h"

#include "store/base/buffer_bytes.h"
#include "store/layer/read_ahead.h"

#include <algorithm>

namespace oblea::store {

namespace {

using base::ByteView;

constexpr std::size_t kPlainChunkBytes = 512U << 10U;

class PlainStream final : public base::ByteSource {
public:
    PlainStream(base::ByteSource& source, Compression compression)
        : compressed_(make_read_ahead(source, {.threading = threading_by_environment()})),
          decompressor_(make_decompressor(compression, *compressed_, threading_by_environment())),
          plain_(make_read_ahead(*decompressor_, {.threading = threading_by_environment(),
                                                  .chunk_bytes = kPlainChunkBytes})) {}

    Result<std::size_t> read(base::MutableBytes buffer) override {
        if (rest_.empty()) {
            rest_ = OBLEA_TRY(plain_->next());
        }
        std::size_t const count = std::min(buffer.size(), rest_.size());
        std::copy_n(rest_.begin(), count, buffer.begin());
        rest_ = rest_.subspan(count);
        return count;
    }

private:
    // Destroyed from the end, so that each stage stops before what it reads.
    std::unique_ptr<base::ChunkSource> compressed_;
    std::unique_ptr<base::ByteSource> decompressor_;
    std::unique_ptr<base::ChunkSource> plain_;
    ByteView rest_;
};

}  // namespace

std::unique_ptr<base::ByteSource> make_plain_stream(base::ByteSource& source,
                                                    Compression compression) {
    return std::make_unique<PlainStream>(source, compression);
}

}  // namespace oblea::store
