// SPDX-License-Identifier: MIT
// Copies an image from one registry to another, or within one, without storing it.
//
// Everything that the name stands for goes along, byte for byte: an index with all its platforms,
// attestations and other companions in it too. Blobs pass through; the target checks their digests.
// Spec: OCI distribution-spec "Pull", "Push".
#pragma once
#include "store/image/reference.h"
#include "tools/registry/registry_session.h"

#include <functional>
#include <string>

namespace oblea::registry {

struct CopyRequest {
    store::Reference source;  // with a tag or a digest
    store::Reference target;  // with a tag
    // A blob, by the short form of its digest, has come to a state in docker's words. May be empty;
    // calls come one at a time, from any thread.
    std::function<void(std::string const& blob, std::string const& state)> event{};
};

// The digest of what was copied. Errors: as RegistryClient::manifest, push_blob() and
// push_manifest(); EINVAL for what is neither manifest nor index; E2BIG past a limit.
Result<store::Digest> copy_image(RegistrySession& session, CopyRequest const& request);

// What a manifest or an index refers to.
struct ReferredBlob {
    store::Digest digest;
    std::uint64_t bytes = 0;
    bool operator==(ReferredBlob const&) const = default;
};
struct Referred {
    std::vector<ReferredBlob> blobs;      // config and layers, each once
    std::vector<ReferredBlob> manifests;  // of an index
};
// Of artifacts too. Layers that are not distributed are left out. Errors: EINVAL, E2BIG.
Result<Referred> parse_referred(std::string_view manifest, std::string_view what);

}  // namespace oblea::registry
