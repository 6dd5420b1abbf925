// SPDX-License-Identifier: MIT
// The folder in tmp/ in which a layer is put together, and the way from there into the store.
//
//   tmp/layer-<pid>-<random>/
//     layer/{index,pack,recipe}   becomes layers/<diffID> as a whole
//     objects/<number>            become objects/<aa>/<sha256>
//     blob                        becomes blobs/sha256/<digest>
//
// Nothing of it is seen by readers before publish() has everything on disk. The folder is removed
// when its owner goes, whatever happened; what a crash leaves is removed by gc. Not thread-safe.
#pragma once
#include "store/base/unique_fd.h"
#include "store/index/types.h"

#include <string>
#include <unordered_set>
#include <vector>

namespace oblea::store {

class LayerStaging {
public:
    // `root` is the store's, borrowed.
    static Result<LayerStaging> create(int root);
    LayerStaging(LayerStaging&& other) noexcept;
    LayerStaging& operator=(LayerStaging&&) = delete;
    LayerStaging(LayerStaging const&) = delete;
    LayerStaging& operator=(LayerStaging const&) = delete;
    ~LayerStaging();

    // A new file, relative to the folder, for reading and writing by its owner only.
    [[nodiscard]] Result<base::UniqueFd> create_file(char const* path) const;

    // An object is written to the file that begin_object opens, and then named, or dropped because
    // the store or this layer has it already. One at a time.
    [[nodiscard]] Result<base::UniqueFd> begin_object() const;
    enum class Object { added, known };
    Result<Object> end_object(Digest const& digest);

    struct Publication {
        Digest diff_id;
        Digest const* blob = nullptr;  // null: none was written
        unsigned sync_threads = 1;     // files that are synced at the same time
    };
    // Makes everything durable, then visible, the layer last. A layer that is there already, from
    // another process, is left as it is, and so are objects and blobs.
    Status publish(Publication const& publication);

private:
    LayerStaging(int root, std::string name, base::UniqueFd folder)
        : root_(root), name_(std::move(name)), folder_(std::move(folder)) {}

    Status sync_files(std::vector<std::string> const& paths, unsigned threads) const;
    Status publish_objects();
    Status publish_blob(Digest const& blob);
    Status publish_layer(Digest const& diff_id);

    int root_;
    std::string name_;  // relative to the root; empty: nothing to remove
    base::UniqueFd folder_;
    std::vector<Digest> objects_;  // object n is the file objects/<n>
    std::unordered_set<Digest> known_;
};

}  // namespace oblea::store
