// SPDX-License-Identifier: MIT
// Looks at everything in a store, and says what is damaged and whom it hurts.
//
// What containers have written is for who knows file systems to judge
// (tools/container/check_containers.h). // Reads only. A lease keeps gc from what is looked at;
// whatever is neither in use nor there any more is left out. Debris of killed operations is no
// fault: gc removes it.
#pragma once
#include "store/store.h"

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oblea::store {

struct SharedStore;

struct Fault {
    enum class Kind {
        index,      // layers/<diffID>/index
        pack,       // layers/<diffID>/pack
        recipe,     // layers/<diffID>/recipe: image and mounts are whole, but the tar is not
        object,     // objects/<aa>/<sha256>
        layer,      // layers/<diffID> is missing
        config,     // of an image: a blob that is missing or damaged
        manifest,   // the same
        blob,       // any other blob: layers as they came
        merged,     // merged/<chainID>.index: rebuilt at any time
        container,  // of a container: its record, or what was written to it
    };
    Kind kind = Kind::object;
    enum class State { missing, damaged } state = State::damaged;
    std::string path;  // relative to the store's root
    std::string what;  // one sentence without full stop
    // Of the thing: the diff ID of a layer's parts, the name of an object or a blob. None of
    // containers.
    std::optional<Digest> digest;
    std::vector<Digest> layers;  // whose index or recipe names it, for an object
    // Ids of the images that cannot be read, saved or pushed whole because of it, in the order of
    // images.json; empty when nothing but gc would miss it.
    std::vector<Digest> images;
    // Ids of the containers that cannot be used whole because of it, sorted.
    std::vector<std::string> containers = {};
};

struct VerifyOptions {
    // Structure: that all is there, has its length, and that indexes, recipes and lists make sense.
    // Contents: also every byte of packs, objects and blobs against its digest.
    enum class Depth { structure, contents } depth = Depth::contents;
    unsigned jobs = 0;                          // threads; 0: one for each processor
    std::atomic<bool> const* cancel = nullptr;  // as of ImportRequest
};

struct VerifyProgress {
    std::uint64_t bytes = 0;
    std::uint64_t total_bytes = 0;
};

struct VerifyReport {
    std::size_t things = 0;     // layers, objects, blobs, merged trees, images, containers
    std::uint64_t bytes = 0;    // read and checked
    std::vector<Fault> faults;  // sorted by path
};

// `progress` may be empty; it is called from any thread, one call at a time. Errors: those of
// reading the list of images and of folders; ECANCELED. A file that cannot be read is a fault.
Result<VerifyReport> verify_store(Store const& store, VerifyOptions const& options,
                                  std::function<void(VerifyProgress const&)> const& progress);

// The same of a published store, of which nothing holds anything: what a sweep removes meanwhile is
// no fault where no image needs it.
Result<VerifyReport>
verify_shared_store(SharedStore const& store, VerifyOptions const& options,
                    std::function<void(VerifyProgress const&)> const& progress);

}  // namespace oblea::store
