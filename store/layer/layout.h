// SPDX-License-Identifier: MIT
// Where things lie in a store, as paths relative to its root. The one place that knows.
#pragma once
#include "store/index/types.h"

#include <sys/types.h>

#include <string>

namespace oblea::store::layout {

inline constexpr char const* kImages = "images.json";
inline constexpr char const* kOciLayout = "oci-layout";
inline constexpr char const* kOciIndex = "index.json";
inline constexpr char const* kBlobsParent = "blobs";
inline constexpr char const* kBlobs = "blobs/sha256";
inline constexpr char const* kLayers = "layers";
inline constexpr char const* kObjects = "objects";
inline constexpr char const* kMerged = "merged";
inline constexpr char const* kContainers = "containers";
inline constexpr char const* kVolumes = "volumes";
inline constexpr char const* kLeases = "leases";
inline constexpr char const* kTmp = "tmp";
inline constexpr char const* kDownloads = "tmp/download.";  // the beginning of their names
inline constexpr char const* kLock = "lock";  // flock: exclusive to change images.json or to delete
// Of published stores only.
inline constexpr char const* kPublished = "published";      // marks one
inline constexpr char const* kPublisherLock = "publisher";  // flock: held by who publishes into it
inline constexpr char const* kUnused = "unused.json";       // since when nothing refers to what

inline constexpr char const* kReserve = "tmp/reserve";  // space to delete with on a full disk

// What `oci-layout` says.
inline constexpr char const* kOciLayoutText = "{\"imageLayoutVersion\":\"1.0.0\"}\n";

// Of a store, which is its owner's alone; and of what is written for others to read: published
// stores, archives and layouts.
inline constexpr mode_t kFolderMode = 0700;
inline constexpr mode_t kFileMode = 0600;
inline constexpr mode_t kSharedFolderMode = 0755;
inline constexpr mode_t kSharedFileMode = 0644;

inline std::string blob(Digest const& digest) {
    return std::string{kBlobs} + '/' + digest.hex();
}
inline std::string layer(Digest const& diff_id) {
    return std::string{kLayers} + '/' + diff_id.hex();
}
inline std::string layer_index(Digest const& diff_id) {
    return layer(diff_id) + "/index";
}
inline std::string layer_pack(Digest const& diff_id) {
    return layer(diff_id) + "/pack";
}
// In published stores, instead of the other.
inline std::string layer_framed_pack(Digest const& diff_id) {
    return layer(diff_id) + "/pack.zst";
}
inline std::string layer_recipe(Digest const& diff_id) {
    return layer(diff_id) + "/recipe";
}
inline std::string object(Digest const& digest) {
    std::string const hex = digest.hex();
    return std::string{kObjects} + '/' + hex.substr(0, 2) + '/' + hex;
}
inline std::string merged(Digest const& chain_id) {
    return std::string{kMerged} + '/' + chain_id.hex() + ".index";
}
inline std::string download(Digest const& blob) {
    return kDownloads + blob.hex();
}
inline std::string container(std::string const& id) {
    return std::string{kContainers} + '/' + id;
}
inline std::string volume(std::string const& name) {
    return std::string{kVolumes} + '/' + name;
}

}  // namespace oblea::store::layout
