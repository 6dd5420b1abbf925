// SPDX-License-Identifier: MIT
// Brings an image from a registry into a store.
//
// Every layer is imported while it comes, side by side; layers that the store has are not asked
// for. All digests and sizes are verified. The image appears only when everything of it is durable;
// after a failure the store is as it was, but for what has come of layers, with which the next pull
// goes on. Processes that pull the same layer share one download.
// Spec: OCI distribution-spec "Pull".
#pragma once
#include "store/image/import_image.h"
#include "store/image/reference.h"
#include "tools/registry/registry_session.h"
#include "tools/registry/signature/check_signatures.h"

#include <functional>
#include <string>
#include <vector>

namespace oblea::registry {

struct PullRequest {
    store::Reference reference;  // with a tag or a digest; the digest decides
    std::string platform;        // "os/arch[/variant]"; empty: the machine's
    unsigned jobs = 0;           // threads; 0: one for each processor
    std::atomic<bool> const* cancel = nullptr;
    // For repair: layers, config and manifest of an image that the store has already, replacing
    // what is distrusted; names and the list of images stay as they are. May be null.
    store::Distrust const* repair = nullptr;
};

struct PullProgress {
    enum class State { waiting, downloading, downloaded, extracting, done, already_there };
    struct Layer {
        std::string id;  // short hex of the blob
        State state = State::waiting;
        std::uint64_t bytes = 0;  // downloaded, then extracted
        std::uint64_t total_bytes = 0;
    };
    std::vector<Layer> layers;  // bottom first
};

struct PulledImage {
    enum class Outcome { downloaded, up_to_date } outcome = Outcome::downloaded;
    store::Digest id;
    store::Digest digest;  // of what the name stands for: an index or a manifest
};

// `progress` may be empty; it is called from any thread, one call at a time, some times a second.
// What policy.json does not allow is refused (EACCES) before its layers are asked for. Errors:
// those of RegistryClient::manifest and blob, of the parsers of store/image/manifest.h, and of
// import_layer(); all name the image.
Result<PulledImage> pull_image(store::Store const& store, RegistrySession& session,
                               PullRequest const& request,
                               std::function<void(PullProgress const&)> const& progress);

// What a registry says of an image.
struct RemoteImage {
    store::Digest digest;  // of what the name stands for: an index or a manifest
    std::string manifest;  // the platform's
    std::string config;
};

// Without pulling it. Errors: as pull_image().
Result<RemoteImage> inspect_remote(RegistrySession& session, PullRequest const& request);

struct VerifiedImage {
    store::Digest digest;                       // of what the name stands for
    std::vector<AcceptedSignature> signatures;  // none when the policy demands none
};

// Without pulling it: whether the signatures of the image fulfil the requirement, or without one
// what policy.json demands. Errors: as pull_image(), and check_signed().
Result<VerifiedImage> verify_remote(RegistrySession& session, PullRequest const& request,
                                    std::optional<PolicyRequirement> const& requirement);

// All tags of the repository that `reference` names.
Result<std::vector<std::string>> list_tags(RegistrySession& session,
                                           store::Reference const& reference);

}  // namespace oblea::registry
