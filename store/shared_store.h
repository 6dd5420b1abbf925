// SPDX-License-Identifier: MIT
// Stores that are published for others to read: what makes a folder one, and publishing into it.
//
// A published store has images, layers, objects, blobs and merged trees as every store has
// (FORMAT.md "Published stores"), and nothing that changes: no leases, containers or temporary
// files, no lock that a reader takes. It is readable by everybody. Readers only open, read and map
// its files; they never write, lock or create anything there, so it may lie on any file system, and
// be mounted read-only. Files appear by rename, whole and in the order in which they refer to each
// other, images.json last.
#pragma once
#include "store/base/unique_fd.h"
#include "store/image/images.h"

#include <atomic>
#include <span>
#include <string>
#include <vector>

namespace oblea::store {

class Store;

// The root of a published store, for reading. Errors: ENOENT; EUCLEAN for a folder that is none.
Result<base::UniqueFd> open_shared_store(std::string const& path);

// One by itself, not as a place where a store looks too: to be checked, or repaired from.
struct SharedStore {
    base::UniqueFd root;
    Images images;  // those of the moment
};
Result<SharedStore> read_shared_store(std::string const& path);

// Whether the folder is a published store.
Result<bool> is_published(int root);

struct PublishRequest {
    std::string folder;              // made when it is missing
    std::vector<Image> images = {};  // with the names that they shall have there
    std::vector<std::string> remove =
        {};  // canonical names that go; their images with the last one
    enum class Blobs { no, yes } blobs = Blobs::no;  // compressed layers too
    // How packs of layers that are new there are stored (FORMAT.md "Framed packs").
    enum class Packs { plain, framed } packs = Packs::plain;
    // What nothing there refers to for longer than this is deleted; none: nothing is.
    std::optional<std::int64_t> sweep_after_seconds = {};
    std::atomic<bool> const* cancel = nullptr;
};

struct PublishReport {
    std::size_t layers_new = 0;
    std::size_t layers_known = 0;
    std::uint64_t bytes = 0;              // written
    std::vector<std::string> swept = {};  // relative to the folder
    std::size_t waiting = 0;              // unreferenced, but not for long enough yet
};

// Copies images with all that they need into the published store `request.folder`. Every layer is
// proven by its diff ID before it is copied. What is there already stays as it is. Publishers
// exclude each other by a lock there; readers are never in the way. A crash leaves what `tmp` there
// has, which the next publisher removes. The caller holds a lease. Errors: EUCLEAN when the folder
// holds something else, or a layer is damaged; ENOENT for a name to be removed that is not there;
// EOPNOTSUPP where the file system has no locks; ECANCELED.
Result<PublishReport> publish_into(Store const& store, PublishRequest const& request);

}  // namespace oblea::store
