// SPDX-License-Identifier: MIT
// Imports images from what people have: OCI layouts, docker archives, root file systems.
//
// All layers of an image are imported side by side, each verified while it streams; layers that the
// store has are skipped without reading them where the input can seek. The image appears in
// images.json only when everything of it is durable. Spec: OCI image-spec image-layout.md,
// manifest.md, config.md; docker image-spec v1.2 "Combined Image JSON + Filesystem".
#pragma once
#include "store/layer/staging.h"
#include "store/store.h"

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oblea::store {

// What an import has recognised, in the words of skopeo and policy.json.
struct ImportOrigin {
    // "oci", "oci-archive", "docker-archive", "containers-storage"; "tarball" for a root file
    // system.
    std::string transport;
    std::string path;  // of the file or folder as it was named; empty for standard input
    std::string name;  // which of its images was asked for; empty: all
};

struct ImportRequest {
    // A path, "-" for standard input, or one of skopeo's forms: oci:DIR[:TAG],
    // oci-archive:FILE[:TAG], docker-archive:FILE, dir:DIR is not one of them.
    std::string source;
    std::optional<std::string>
        name;  // of the image, where the source has exactly one; else its own names are used
    enum class As { automatic, image, rootfs } as = As::automatic;
    // Of a root file system: what its history says, and its config's object of that name.
    std::string comment = {};
    std::string config = "{}";
    std::string platform;  // "os/arch[/variant]"; empty: the machine's
    unsigned jobs = 0;     // threads; 0: one for each processor
    // May be set at any time, from a signal handler too: the import then unwinds and fails with
    // ECANCELED. May be null.
    std::atomic<bool> const* cancel = nullptr;
    // For repair: the layers, configs and manifests of images that the store has already, replacing
    // what is distrusted; names and the list of images stay as they are. May be null.
    Distrust const* repair = nullptr;
    std::uint64_t sync_step_bytes = Writeback::kSyncStepBytes;  // as of StagingOptions
    // Asked once it is known what comes, before anything of it can be seen; its error ends the
    // import. May be empty.
    std::function<Status(ImportOrigin const&)> allow = {};
};

struct ImportProgress {
    enum class State { waiting, reading, done, already_there };
    struct Layer {
        std::string
            id;  // short hex of blob or diff ID, or the member's name while that is not known
        State state = State::waiting;
        std::uint64_t bytes = 0;
        std::uint64_t total_bytes = 0;  // 0: not known
    };
    std::vector<Layer> layers;
};

struct ImportedImage {
    Digest id;
    std::vector<std::string> names;
    std::size_t layers_new = 0;
    std::size_t layers_known = 0;
    std::vector<std::string> warnings;
};

struct ImportReport {
    std::string recognised;  // "OCI image layout", "docker archive, gzip", "root file system (cpio,
                             // xz)", ...
    std::vector<ImportedImage> images;
};

// `progress` may be empty; it is called from any thread, one call at a time, at most some times a
// second. Errors name the source and the member: EINVAL for what is not recognised (saying what was
// looked for), EBADMSG for a digest or diff ID that does not hold, ENOENT for a missing blob, tag
// or platform (listing those that are there). On failure the store is as it was: no image, no
// visible layer of it, nothing in tmp.
Result<ImportReport> import_image(Store const& store, ImportRequest const& request,
                                  std::function<void(ImportProgress const&)> const& progress);

}  // namespace oblea::store
