// SPDX-License-Identifier: MIT
// Any bytes as a framed pack: its table is refused, or every read within what it says gives the
// same bytes, whole or in pieces, or says that it is damaged.
//
//   build/fuzz/bin/pack_fuzz -max_len=20000 CORPUS
#include "store/base/sys.h"
#include "store/layer/framed_pack.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

using namespace oblea;
using namespace oblea::store;

namespace {

constexpr std::uint64_t kReadBytesMax = 4U << 20U;  // frames of zeros are small, and may be many
constexpr std::size_t kPieceBytes = 997;

void require(bool fact) {
    if (!fact) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    base::UniqueFd file{::memfd_create("pack", MFD_CLOEXEC)};
    require(base::sys::write_all(file.get(), std::as_bytes(std::span{data, size})).has_value());
    FrameCache cache{0};
    auto const pack = FramedPack::open(std::move(file), "pack", cache);
    if (!pack.has_value()) {
        return 0;
    }
    require(pack->bytes() > 0);
    base::Bytes whole(static_cast<std::size_t>(std::min(pack->bytes(), kReadBytesMax)));
    bool const sound = pack->read(whole, 0).has_value();
    base::Bytes piece;
    for (std::size_t at = 0; at < whole.size(); at += kPieceBytes) {
        piece.resize(std::min(kPieceBytes, whole.size() - at));
        bool const read = pack->read(piece, at).has_value();
        require(read || !sound);
        require(!sound ||
                std::ranges::equal(piece, base::ByteView{whole}.subspan(at, piece.size())));
    }
    require(!pack->read(piece, pack->bytes()).has_value());
    return 0;
}
