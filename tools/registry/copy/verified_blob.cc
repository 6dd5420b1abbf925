// SPDX-License-Identifier: MIT
#include "tools/registry/copy/verified_blob.h"

#include "store/base/buffer_bytes.h"

namespace oblea::registry {

namespace {

std::unexpected<Error> refuted(base::Digest const& digest) {
    return fail(Errno::ebadmsg, "", "blob verification failed for digest " + digest.to_string());
}

}  // namespace

Result<std::unique_ptr<VerifiedBlob>> VerifiedBlob::open(BlobUpload const& blob) {
    auto source = OBLEA_TRY(blob.open(0));
    return std::make_unique<VerifiedBlob>(blob, std::move(source));
}

Result<std::size_t> VerifiedBlob::read(base::MutableBytes buffer) {
    std::size_t const count = OBLEA_TRY(hashing_.read(buffer));
    if (hashing_.bytes() > blob_.bytes) {
        return refuted(blob_.digest);
    }
    if (blob_.progress_bytes != nullptr) {
        blob_.progress_bytes->store(hashing_.bytes(), std::memory_order_relaxed);
    }
    return count;
}

Status VerifiedBlob::expect_whole() {
    if (hashing_.bytes() != blob_.bytes || hashing_.finish() != blob_.digest) {
        return refuted(blob_.digest);
    }
    return {};
}

Status read_verified(BlobUpload const& blob, TakePiece const& take) {
    auto const source = OBLEA_TRY(VerifiedBlob::open(blob));
    base::Bytes buffer(base::kBufferBytes);
    for (;;) {
        std::size_t const count = OBLEA_TRY(source->read(buffer));
        if (count == 0) {
            return source->expect_whole();
        }
        OBLEA_TRY(take(base::ByteView{buffer}.first(count)));
    }
}

}  // namespace oblea::registry
