// SPDX-License-Identifier: MIT
// The images that the steps of a build give, one for each, and the cache that they are.
//
// An image's parent is the one of the step before. A step whose parent, text for the history and
// config are those of an image that an earlier build has left needs not be carried out: the text
// names everything else that it depends on, digests of files too. So the cache is nothing but
// images: prune and rmi free it, gc keeps it, history shows it.
#pragma once
#include "store/image/commit_image.h"
#include "store/store.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace oblea::tools::build {

// What a stage has got to. An id of zeros: nothing yet, FROM scratch.
struct BuildImage {
    store::Image image;
    std::string config_bytes;

    [[nodiscard]] bool is_nothing() const { return image.id == store::Digest{}; }
};

BuildImage nothing_yet(store::Platform const& platform);
// Errors: ENOENT when the store has no such image; EIO when its config is missing.
Result<BuildImage> load_image(store::Store const& store, store::Digest const& id);

// The object "config" of its config. Errors: EINVAL.
Result<nlohmann::json> run_config_of(BuildImage const& image);

struct StepFacts {
    std::string created;     // RFC 3339
    std::string created_by;  // for the history
    std::string author;
    nlohmann::json config;  // the object "config" afterwards
};

struct NextImage {
    store::PlannedImage planned;  // without a manifest: it is made for what gets a name
    BuildImage image;
};
// What messages call a layer that is being made.
inline constexpr char const* kStepMember = "the step's changes";
// Without a layer nothing but the config was changed. Pure. Errors: EINVAL.
Result<NextImage> next_image(BuildImage const& parent, StepFacts const& facts,
                             std::optional<store::ImageLayer> const& layer);

// The image that this step has given before, the newest of them; nullopt: none.
Result<std::optional<BuildImage>> find_cached(store::Store const& store, BuildImage const& parent,
                                              StepFacts const& facts);

// The same by an image that somebody else has built (--cache-from): one that begins as `parent`
// does and goes on with this step. What comes is to be published.
Result<std::optional<NextImage>> find_in_history(BuildImage const& other, BuildImage const& parent,
                                                 StepFacts const& facts);

// Publishes the images of a stage so far, and the step's own with what `tar` holds; a null `tar` is
// a step that changed no file. Uses threads. Errors: as LayerImporter and publish_images; nothing
// stays then.
struct PublishStep {
    BuildImage const& parent;
    std::vector<store::PlannedImage> pending;
    StepFacts const& facts;
};
Result<store::Digest> publish_step(store::Store const& store, PublishStep const& step,
                                   base::ByteSource* tar);
// Only those so far.
Status publish_pending(store::Store const& store, std::vector<store::PlannedImage> const& pending);

// Gives a build's last image its manifest, if it has none, and its names. Uses threads.
Status publish_names(store::Store const& store, store::Digest const& id,
                     std::vector<std::string> const& canonical_names);

}  // namespace oblea::tools::build
