// SPDX-License-Identifier: MIT
// Brings an image of the store to a registry.
//
// Layers and config first, side by side, the manifest last: whoever pulls sees the whole image or
// the one that was there before. Spec: OCI distribution-spec "Push".
#pragma once
#include "store/image/import_image.h"
#include "store/image/reference.h"
#include "store/layer/decompress.h"
#include "tools/registry/registry_session.h"

#include <functional>
#include <optional>
#include <string>

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

// Both may be empty. Calls come one at a time, from any thread.
struct PushListener {
    // A layer, by its diff ID's short form, has come to a state in docker's words: "Preparing",
    // "Layer already exists", "Mounted from library/debian", "Pushed".
    std::function<void(std::string const& layer, std::string const& state)> event;
    std::function<void(store::ImportProgress const&)> progress;
};

// The image is the one that has the name `target` in the store. Errors: ENOENT "An image does not
// exist locally with the tag: ..."; as prepare_push(), push_blob() and push_manifest().
Result<PushedImage> push_image(store::Store const& store, RegistrySession& session,
                               PushRequest const& request, PushListener const& listener);

}  // namespace oblea::registry
