// SPDX-License-Identifier: MIT
// Any bytes as a layer's stream: the reader says yes or no, never goes astray, and what it takes as
// a tar is, content and literals together, the tar again.
//
//   build/fuzz/bin/tar_fuzz -max_len=20000 CORPUS
#include "store/base/hash.h"
#include "store/layer/decompress.h"
#include "store/layer/tar_reader.h"

#include <cstdlib>

using namespace oblea;
using namespace oblea::store;

namespace {

constexpr std::size_t kPlainBytesMax = 4U << 20U;  // a bomb would only cost time here

class Joined final : public LiteralSink {
public:
    Status literal(base::ByteView bytes) override {
        all.insert(all.end(), bytes.begin(), bytes.end());
        return {};
    }
    base::Bytes all;
};

base::Bytes decompressed(base::ByteView data) {
    base::MemorySource source{data};
    base::BufferedChunks chunks{source, 61};
    auto const plain = make_decompressor(detect_compression(data), chunks);
    base::Bytes bytes;
    base::Bytes buffer(997);
    while (bytes.size() < kPlainBytesMax) {
        auto const count = plain->read(buffer);
        if (!count.has_value() || *count == 0) {
            break;
        }
        bytes.insert(bytes.end(), buffer.begin(),
                     buffer.begin() + static_cast<std::ptrdiff_t>(*count));
    }
    return bytes;
}

// False when the bytes are refused.
bool read_all(TarReader& tar, Joined& joined) {
    for (;;) {
        auto const member = tar.next();
        if (!member.has_value() || !member->has_value()) {
            return member.has_value();
        }
        for (std::uint64_t left = (*member)->blob_bytes; left > 0;) {
            auto const piece = tar.content();
            if (!piece.has_value() || piece->size() > left) {
                return false;
            }
            left -= piece->size();
            static_cast<void>(joined.literal(*piece));
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    base::Bytes const bytes = decompressed(std::as_bytes(std::span{data, size}));
    base::MemorySource source{bytes};
    base::BufferedChunks chunks{source, 700};
    Joined joined;
    TarReader tar{chunks, joined};
    if (read_all(tar, joined) && joined.all != bytes) {
        std::abort();
    }
    return 0;
}
