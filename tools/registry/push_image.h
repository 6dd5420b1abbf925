// SPDX-License-Identifier: MIT
// Brings an image of the store to a registry.
//
// Layers and config first, side by side, the manifest last: whoever pulls sees the whole image or
// the one that was there before. Spec: OCI distribution-spec "Push".
#pragma once
#include "store/image/reference.h"
#include "store/layer/decompress.h"
#include "tools/registry/registry_session.h"
#include "tools/registry/transfer_blobs.h"

#include <optional>

namespace oblea::registry {

struct PushRequest {
    store::Reference target;                          // with a tag
    std::optional<store::Compression> compression{};  // none: as the layers are
    std::atomic<bool> const* cancel = nullptr;
};

struct PushedImage {
    store::Digest digest;  // of the manifest
    std::size_t manifest_bytes = 0;
    // The image came with another manifest, whose blobs are gone or were not wanted.
    bool digest_changed = false;
};

// `listener` knows layers by their diff IDs. The image is the one that has the name `target` in the
// store. Errors: ENOENT "An image does not exist locally with the tag: ..."; as prepare_push(),
// push_blob() and push_manifest().
Result<PushedImage> push_image(store::Store const& store, RegistrySession& session,
                               PushRequest const& request, TransferListener const& listener);

}  // namespace oblea::registry
