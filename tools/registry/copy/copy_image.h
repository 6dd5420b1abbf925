// SPDX-License-Identifier: MIT
// Copies images from place to place without storing them.
//
// Everything that a name stands for goes along, byte for byte: an index with all its platforms,
// attestations and other companions in it too, and the signatures that cosign keeps beside it.
// Blobs pass through; who takes them checks their digests. Spec: OCI distribution-spec "Pull",
// "Push".
#pragma once
#include "store/image/platform.h"
#include "tools/registry/copy/copy_place.h"
#include "tools/registry/signature/attachment.h"
#include "tools/registry/transfer_blobs.h"

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oblea::registry {

struct CopyRequest {
    std::string source;  // as CopySource::manifest() takes it
    CopyName target;
    // Of an index the one image, instead of all.
    std::optional<store::Platform> platform{};
    // Whether this may be copied, by its digest and that of the index it is from; may be empty.
    std::function<Status(SignaturePlace const&, std::vector<store::Digest> const&)> allow{};
    std::atomic<bool> const* cancel = nullptr;  // may be set at any time; may be null
};

// The digest of what was copied. `listener` knows blobs by their digests. Errors: those of both
// places; EINVAL for what is neither manifest nor index; E2BIG past a limit; ENOENT for a platform
// that is not there.
Result<store::Digest> copy_image(CopySource& source, CopyTarget& target, CopyRequest const& request,
                                 TransferListener const& listener);

}  // namespace oblea::registry
