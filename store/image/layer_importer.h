// SPDX-License-Identifier: MIT
// Brings the layers of planned images into the store: skips those that are there, imports the
// others, verifies all.
//
// What import() takes is seen and durable after publish(), all at once. import() and find_known()
// may be called from several threads at once.
#pragma once
#include "store/image/import_plan.h"
#include "store/image/progress_board.h"
#include "store/layer/staging.h"
#include "store/store.h"

#include <atomic>
#include <map>
#include <unordered_map>

namespace oblea::store {

struct LayerOutcome {
    ImageLayer layer;
    std::uint64_t content_bytes = 0;
    enum class State { fresh, known } state = State::fresh;
};

// By the member that holds the layer.
using LayerOutcomes = std::map<std::string, LayerOutcome>;

class LayerImporter {
public:
    LayerImporter(LayerImporter&&) noexcept;
    LayerImporter& operator=(LayerImporter&&) = delete;
    LayerImporter(LayerImporter const&) = delete;
    LayerImporter& operator=(LayerImporter const&) = delete;
    ~LayerImporter();

    // `cancel` may be null. What is distrusted counts as not there, and is replaced.
    static Result<LayerImporter> create(Store const& store, ProgressBoard& progress,
                                        std::atomic<bool> const* cancel,
                                        StagingOptions options = {});

    // All layers side by side by `jobs` threads (0: one for each processor), still to be published;
    // until then no other process works on them. The first failure stops the others. A layer that
    // another process is working on is waited for, after all others are published, and not read
    // twice.
    Result<LayerOutcomes> import_all(SeekableFiles const& files,
                                     std::vector<PlannedImage> const& images, unsigned jobs) const;

    // One layer, still to be published. `name` is for messages and progress, `stream_file` as in
    // LayerImportOptions. Errors: as import_layer; ECANCELED.
    Result<LayerOutcome> import(std::string const& name, base::ByteSource& source,
                                std::uint64_t total_bytes, LayerClaims const& claims,
                                std::atomic<bool> const* stop = nullptr,
                                std::string stream_file = {}) const;

    // The layer, when the store has all of it that the claims name, so that it need not be read. At
    // least a diff ID or a blob must be claimed.
    Result<std::optional<LayerOutcome>> find_known(std::string const& name,
                                                   LayerClaims const& claims) const;

    // The image's documents, and its merged tree, come along with its layers. To be called when all
    // of these are imported or found.
    Status add_documents(PlannedImage const& image) const;
    Status add_merged_tree(PlannedImage const& image) const;

    // Everything that was imported and added becomes durable, then visible.
    Status publish() const;

private:
    class Turn;
    struct Turns;
    LayerImporter(Store const& store, std::unique_ptr<ImportStaging> staging,
                  ProgressBoard& progress, std::atomic<bool> const* cancel);
    [[nodiscard]] std::optional<ImageLayer> claimed_layer(LayerClaims const& claims) const;
    Result<std::optional<LayerOutcome>> find_shared(std::string const& name,
                                                    LayerClaims const& claims) const;
    void show_known(std::string const& name, LayerClaims const& claims,
                    LayerOutcome const& known) const;
    Result<LayerOutcome> import_planned(SeekableFiles const& files, PlannedLayer const& layer,
                                        std::atomic<bool> const& stop) const;
    Result<Turn> wait_for_turn(Digest const& diff_id) const;
    [[nodiscard]] bool is_canceled() const { return cancel_ != nullptr && *cancel_; }

    Store const* store_;
    std::unique_ptr<ImportStaging> staging_;
    std::unique_ptr<Turns> turns_;  // of what is not published yet
    ProgressBoard* progress_;
    std::atomic<bool> const* cancel_;
    // What the images of the store tell of their layers.
    std::unordered_map<Digest, ImageLayer> by_diff_id_;
    std::unordered_map<Digest, ImageLayer> by_blob_;
};

// Each planned layer has an outcome that fulfils its claims. Errors: EBADMSG; EINVAL for a member
// that is no layer.
Status verify_outcomes(PlannedImage const& image, LayerOutcomes const& outcomes);

}  // namespace oblea::store
