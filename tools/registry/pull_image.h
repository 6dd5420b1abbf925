// SPDX-License-Identifier: MIT
// Brings an image from a registry into a store.
//
// Every layer streams straight into its import, side by side; layers that the store has are not
// asked for. All digests and sizes are verified. The image appears only when everything of it is
// durable; after a failure the store is as it was.
// Spec: OCI distribution-spec "Pull".
#pragma once
#include "store/image/import_image.h"
#include "store/image/reference.h"
#include "tools/registry/registry_session.h"

#include <functional>
#include <string>
#include <vector>

namespace oblea::registry {

struct PullRequest {
    store::Reference reference;  // with a tag or a digest; the digest decides
    std::string platform;        // "os/arch[/variant]"; empty: the machine's
    unsigned jobs = 0;           // threads; 0: one for each processor
    std::atomic<bool> const* cancel = nullptr;
};

struct PulledImage {
    enum class Outcome { downloaded, up_to_date } outcome = Outcome::downloaded;
    store::Digest id;
    store::Digest digest;  // of what the name stands for: an index or a manifest
};

// `progress` may be empty; as import_image() calls it. Errors: those of RegistryClient::manifest
// and blob, of the parsers of store/image/manifest.h, and of import_layer(); all name the image.
Result<PulledImage> pull_image(store::Store const& store, RegistrySession& session,
                               PullRequest const& request,
                               std::function<void(store::ImportProgress const&)> const& progress);

// All tags of the repository that `reference` names.
Result<std::vector<std::string>> list_tags(RegistrySession& session,
                                           store::Reference const& reference);

}  // namespace oblea::registry
