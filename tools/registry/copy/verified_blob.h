// SPDX-License-Identifier: MIT
// A blob on its way into a file: read from its source, its digest and size compared at the end.
#pragma once
#include "store/layer/hashing_source.h"
#include "tools/registry/client/push_blob.h"

#include <functional>
#include <memory>

namespace oblea::registry {

class VerifiedBlob final : public base::ByteSource {
public:
    // `blob` is borrowed; what was read is told to its progress. Errors: those of its source.
    static Result<std::unique_ptr<VerifiedBlob>> open(BlobUpload const& blob);
    VerifiedBlob(BlobUpload const& blob, std::unique_ptr<base::ByteSource> source)
        : blob_(blob), source_(std::move(source)), hashing_(*source_) {}

    // Errors: EBADMSG for more bytes than there should be.
    Result<std::size_t> read(base::MutableBytes buffer) override;

    // After the last read. Errors: EBADMSG for other bytes than the digest names, or fewer.
    [[nodiscard]] Status expect_whole();

private:
    BlobUpload const& blob_;
    std::unique_ptr<base::ByteSource> source_;
    store::HashingSource hashing_;
};

// All of it, piece by piece. Errors: as above, and those of `take`.
using TakePiece = std::function<Status(base::ByteView)>;
Status read_verified(BlobUpload const& blob, TakePiece const& take);

}  // namespace oblea::registry
