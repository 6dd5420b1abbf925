// SPDX-License-Identifier: MIT
// The folder in tmp/ in which the layers of one import are put together, with the documents and the
// merged trees of its images, and the way from there into the store, all of it at once.
//
//   tmp/import-<pid>-<random>/
//     <n>/{index,pack,recipe}     becomes layers/<diffID> as a whole
//     <n>.blob                    becomes blobs/sha256/<digest>
//     objects/<n>                 become objects/<aa>/<sha256>
//     <n>.file                    become blobs/sha256/<digest>, merged/<chainID>.index
//
// Nothing of it is seen by readers before publish() has everything on disk. The folder is removed
// when its owner goes, whatever happened; what a crash leaves is removed by gc. DURABILITY.md
// "Import" has the order and the reasons.
#pragma once
#include "store/base/mutex.h"
#include "store/base/unique_fd.h"
#include "store/index/types.h"
#include "store/layer/writeback.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

namespace oblea::store {

class LayerStaging;

// What the store has and is known to be damaged: an import that brings it anew replaces it.
struct Distrust {
    std::unordered_set<Digest> layers;
    std::unordered_set<Digest> objects;
    std::unordered_set<Digest> blobs;
};

struct StagingOptions {
    Distrust distrust = {};
    std::uint64_t sync_step_bytes = Writeback::kSyncStepBytes;
};

// Safe from any thread; outlives the LayerStagings that it made.
class ImportStaging {
public:
    // `root` is the store's, borrowed.
    static Result<std::unique_ptr<ImportStaging>> create(int root, StagingOptions options = {});
    ImportStaging(ImportStaging const&) = delete;
    ImportStaging& operator=(ImportStaging const&) = delete;
    ~ImportStaging();

    Result<LayerStaging> begin_layer();

    [[nodiscard]] Distrust const& distrust() const { return distrust_; }

    // A config or a manifest, of that digest. One that the store has is used, and its name made
    // durable by publish().
    Status add_document(std::string_view bytes, Digest const& digest);
    // merged/<chainID>.index, `path`, in place of any that is there.
    Status add_merged(std::string const& path, base::ByteView bytes);
    // Where the index of a layer lies that was finished and is not published yet; relative to the
    // root.
    [[nodiscard]] std::optional<std::string> find_index(Digest const& diff_id);

    // Makes everything that was finished durable, then visible, and those names durable too. A
    // whole layer that is there already, from another process, is left as it is; one that lacks
    // something is replaced. What is not finished is left out. To be called once no layer is being
    // worked on; it may be called again after more were finished.
    Status publish(unsigned sync_threads);

private:
    friend class LayerStaging;
    enum class Object { added, known };

    struct Layer {
        std::string folder;  // relative to the store's root
        Digest diff_id;
        std::string blob_file;  // empty: none was written
        Digest blob;
    };
    struct StagedObject {
        std::string file;
        Digest digest;
    };
    struct StagedFile {
        std::string file;
        std::string target;
    };

    ImportStaging(int root, std::string name, StagingOptions options)
        : root_(root), name_(std::move(name)), distrust_(std::move(options.distrust)),
          writeback_(threading_by_environment(), options.sync_step_bytes) {}
    std::string next_object_file();
    Status add_file(std::string target, base::ByteView bytes);
    Result<Object> take_object(std::string file, Digest const& digest);
    void take_layer(Layer layer);

    [[nodiscard]] std::vector<std::string> staged_paths() const OBLEA_REQUIRES(mutex_);
    Status publish_objects(std::set<std::string>& folders) OBLEA_REQUIRES(mutex_);
    Status publish_layer(Layer const& layer);

    int root_;
    std::string name_;  // relative to the root
    Distrust const distrust_;
    Writeback writeback_;

    base::Mutex mutex_;
    std::size_t numbers_ OBLEA_GUARDED_BY(mutex_) = 0;
    std::vector<Layer> layers_ OBLEA_GUARDED_BY(mutex_);
    std::vector<StagedObject> objects_ OBLEA_GUARDED_BY(mutex_);
    std::vector<StagedFile> files_ OBLEA_GUARDED_BY(mutex_);
    std::unordered_set<Digest> known_objects_ OBLEA_GUARDED_BY(mutex_);
    // Folders of what others have published.
    std::set<std::string> relied_on_ OBLEA_GUARDED_BY(mutex_);
};

// One layer's part of it. Not thread-safe. Dropped without finish() it leaves nothing but objects,
// which other layers may have found there.
class LayerStaging {
public:
    LayerStaging(LayerStaging&& other) noexcept;
    LayerStaging& operator=(LayerStaging&&) = delete;
    LayerStaging(LayerStaging const&) = delete;
    LayerStaging& operator=(LayerStaging const&) = delete;
    ~LayerStaging();

    // New files, for reading and writing by their owner only: "index", "pack", "recipe"; the blob.
    [[nodiscard]] Result<base::UniqueFd> create_file(char const* part) const;
    [[nodiscard]] Result<base::UniqueFd> create_blob() const;
    // The blob is a file that is there already, relative to the root. False where the file system
    // has no links.
    [[nodiscard]] Result<bool> link_blob(char const* path) const;

    // An object is written to the file that begin_object opens, and then named, or dropped because
    // the store or this import has it already. One at a time.
    [[nodiscard]] Result<base::UniqueFd> begin_object();
    using Object = ImportStaging::Object;
    Result<Object> end_object(Digest const& digest);

    // Of the import's files, to have them written out.
    [[nodiscard]] Writeback& writeback() const { return import_.writeback_; }

    // Complete: publish() takes it along. `blob` is null when none was written.
    void finish(Digest const& diff_id, Digest const* blob);

private:
    friend class ImportStaging;
    LayerStaging(ImportStaging& import, std::string folder)
        : import_(import), folder_(std::move(folder)) {}
    [[nodiscard]] std::string blob_file() const { return folder_ + ".blob"; }

    ImportStaging& import_;
    std::string folder_;  // empty: nothing to remove
    std::string object_file_;
};

}  // namespace oblea::store
