// SPDX-License-Identifier: MIT
#include "store/image/layer_importer.h"

#include "store/base/mutex.h"
#include "store/base/sys.h"
#include "store/image/layer_index.h"
#include "store/image/merged_index.h"
#include "store/index/index.h"
#include "store/layer/layout.h"
#include "store/publish.h"
#include "store/sync.h"

#include <fmt/format.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

// Fails as soon as somebody wants an end.
class StoppableSource final : public base::ByteSource {
public:
    StoppableSource(base::ByteSource& source, std::atomic<bool> const* one,
                    std::atomic<bool> const* other)
        : source_(source), one_(one), other_(other) {}

    Result<std::size_t> read(base::MutableBytes buffer) override {
        if ((one_ != nullptr && *one_) || (other_ != nullptr && *other_)) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        return source_.read(buffer);
    }

private:
    base::ByteSource& source_;
    std::atomic<bool> const* one_;
    std::atomic<bool> const* other_;
};

char const* media_type_of(Compression compression) {
    switch (compression) {
    case Compression::gzip:
        return media_type::kOciLayerGzip;
    case Compression::zstd:
        return media_type::kOciLayerZstd;
    case Compression::none:
        break;
    }
    return media_type::kOciLayer;
}

// Of a blob that the store has: by its first bytes, as the layer library sees it.
Result<char const*> media_type_in_store(int root, Digest const& blob) {
    UniqueFd const file =
        OBLEA_TRY(sys::openat(root, layout::blob(blob).c_str(), O_RDONLY | O_NOFOLLOW));
    base::Bytes head(2);
    std::size_t const count = OBLEA_TRY(sys::pread_full(file.get(), head, 0));
    bool const gzip = count == 2 && head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b};
    return gzip ? media_type::kOciLayerGzip : media_type::kOciLayerZstd;
}

Result<std::uint64_t> content_bytes_of(Roots const& roots, Digest const& diff_id) {
    Index const index = OBLEA_TRY(open_layer_index(roots, diff_id));
    return index.content_bytes();
}

// So that the longest is not still at work when all others are done.
Result<std::vector<PlannedLayer>> largest_first(SeekableFiles const& files,
                                                std::vector<PlannedLayer> layers) {
    std::multimap<std::uint64_t, PlannedLayer, std::greater<>> by_bytes;
    for (PlannedLayer& layer : layers) {
        std::uint64_t bytes = layer.claims.blob_bytes.value_or(0);
        if (!layer.claims.blob_bytes.has_value()) {
            bytes = OBLEA_TRY(files.open(layer.member)).bytes;
        }
        by_bytes.emplace(bytes, std::move(layer));
    }
    layers.clear();
    for (auto& [bytes, layer] : by_bytes) {
        layers.push_back(std::move(layer));
    }
    return layers;
}

std::string progress_id(std::string const& name, LayerClaims const& claims) {
    if (claims.blob.has_value()) {
        return claims.blob->short_hex();
    }
    return claims.diff_id.has_value() ? claims.diff_id->short_hex() : name;
}

}  // namespace

Result<LayerImporter> LayerImporter::create(Store const& store, ProgressBoard& progress,
                                            std::atomic<bool> const* cancel,
                                            StagingOptions options) {
    auto staging = OBLEA_TRY(ImportStaging::create(store.root(), std::move(options)));
    LayerImporter importer{store, std::move(staging), progress, cancel};
    Images const images = OBLEA_TRY(store.images());
    for (Image const& image : images.all()) {
        for (ImageLayer const& layer : image.layers) {
            importer.by_diff_id_.try_emplace(layer.diff_id, layer);
            importer.by_blob_.try_emplace(layer.blob, layer);
        }
    }
    return importer;
}

std::optional<ImageLayer> LayerImporter::claimed_layer(LayerClaims const& claims) const {
    ImageLayer layer;
    if (claims.diff_id.has_value()) {
        auto const same = by_diff_id_.find(*claims.diff_id);
        layer.diff_id = *claims.diff_id;
        layer.blob = claims.blob.has_value()     ? *claims.blob
                     : same != by_diff_id_.end() ? same->second.blob
                                                 : layer.diff_id;
        return layer;
    }
    auto const same = by_blob_.find(*claims.blob);
    layer.blob = *claims.blob;
    // An uncompressed layer has its diff ID for a name, if the store has a layer of this name.
    layer.diff_id = same == by_blob_.end() ? layer.blob : same->second.diff_id;
    return layer;
}

Result<std::optional<LayerOutcome>> LayerImporter::find_known(std::string const& name,
                                                              LayerClaims const& claims) const {
    std::optional<LayerOutcome> none;
    if (!claims.diff_id.has_value() && !claims.blob.has_value()) {
        return none;
    }
    int const root = store_->root();
    LayerOutcome known;
    known.state = LayerOutcome::State::known;
    known.layer = *claimed_layer(claims);
    bool const compressed = known.layer.blob != known.layer.diff_id;
    Distrust const& distrust = staging_->distrust();
    if (distrust.layers.contains(known.layer.diff_id) ||
        distrust.blobs.contains(known.layer.blob)) {
        return none;
    }
    if (!OBLEA_TRY(refresh_published(root, layout::layer(known.layer.diff_id).c_str())) ||
        (compressed &&
         !OBLEA_TRY(refresh_published(root, layout::blob(known.layer.blob).c_str()))) ||
        !OBLEA_TRY(has_layer(root, known.layer.diff_id))) {
        return find_shared(name, claims);
    }
    if (!by_diff_id_.contains(known.layer.diff_id)) {
        // Published by one who has not finished, or never did: its names may not be on disk yet.
        auto const folders = OBLEA_TRY(folders_of_layer(root, known.layer.diff_id));
        OBLEA_TRY(sync_paths(root, folders, sync_threads()));
    }
    known.layer.media_type =
        compressed ? OBLEA_TRY(media_type_in_store(root, known.layer.blob)) : media_type::kOciLayer;
    if (compressed) {
        auto const info = OBLEA_TRY(sys::fstatat(root, layout::blob(known.layer.blob).c_str()));
        known.layer.blob_bytes = static_cast<std::uint64_t>(info.st_size);
    } else {
        known.layer.blob_bytes = claims.blob_bytes.value_or(0);
    }
    known.content_bytes = OBLEA_TRY(content_bytes_of(root, known.layer.diff_id));
    show_known(name, claims, known);
    return std::optional{std::move(known)};
}

// A layer of a shared store is used where it lies. Its compressed form may be missing there, as it
// may be missing here.
Result<std::optional<LayerOutcome>> LayerImporter::find_shared(std::string const& name,
                                                               LayerClaims const& claims) const {
    std::optional<LayerOutcome> none;
    ImageLayer const layer = *claimed_layer(claims);
    auto const shared = by_diff_id_.find(layer.diff_id);
    if (store_->roots().shared().empty() || shared == by_diff_id_.end() ||
        (claims.blob.has_value() && shared->second.blob != *claims.blob) ||
        OBLEA_TRY(has_layer(store_->root(), layer.diff_id)) ||
        !OBLEA_TRY(has_layer(store_->roots(), layer.diff_id))) {
        return none;
    }
    LayerOutcome known;
    known.state = LayerOutcome::State::known;
    known.layer = shared->second;
    known.content_bytes = OBLEA_TRY(content_bytes_of(store_->roots(), layer.diff_id));
    show_known(name, claims, known);
    return std::optional{std::move(known)};
}

void LayerImporter::show_known(std::string const& name, LayerClaims const& claims,
                               LayerOutcome const& known) const {
    ProgressBoard::Slot& slot = progress_->add(progress_id(name, claims), known.layer.blob_bytes);
    slot.bytes = known.layer.blob_bytes;
    slot.state = ImportProgress::State::already_there;
}

Result<LayerOutcome> LayerImporter::import(std::string const& name, base::ByteSource& source,
                                           std::uint64_t total_bytes, LayerClaims const& claims,
                                           std::atomic<bool> const* stop,
                                           std::string stream_file) const {
    ProgressBoard::Slot& slot = progress_->add(progress_id(name, claims), total_bytes);
    slot.state = ImportProgress::State::reading;
    StoppableSource stoppable{source, cancel_, stop};
    LayerImportOptions options;
    options.limits = store_->options().limits;
    options.stream_file = std::move(stream_file);
    options.progress_bytes = &slot.bytes;
    ImportedLayer const layer =
        OBLEA_TRY(with_context(stage_layer(store_->root(), *staging_, stoppable, claims, options),
                               [&] { return "layer " + name; }));
    slot.state = ImportProgress::State::done;
    LayerOutcome outcome;
    outcome.layer = {layer.diff_id, layer.blob, layer.blob_bytes, media_type_of(layer.compression)};
    outcome.content_bytes = layer.content_bytes;
    return outcome;
}

Result<LayerOutcome> LayerImporter::import_planned(SeekableFiles const& files,
                                                   PlannedLayer const& layer,
                                                   std::atomic<bool> const& stop) const {
    if (auto known = OBLEA_TRY(find_known(layer.member, layer.claims))) {
        return *std::move(known);
    }
    auto const file = OBLEA_TRY(files.open(layer.member));
    return import(layer.member, *file.source, file.bytes, layer.claims, &stop, file.stream_file);
}

// The right to work on a layer, between processes: a lock on a file in tmp/ that is removed with
// it. Whoever holds one waits for no other, so that nobody waits for himself.
class LayerImporter::Turn {
public:
    // Nullopt while another process has it.
    static Result<std::optional<Turn>> try_take(int root, Digest const& diff_id) {
        std::string path = fmt::format("{}/turn.{}", layout::kTmp, diff_id.hex());
        for (;;) {
            UniqueFd file =
                OBLEA_TRY(sys::openat(root, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
            if (!OBLEA_TRY(sys::try_lock(file.get(), sys::LockKind::exclusive))) {
                return std::optional<Turn>{};
            }
            // The file may have been removed before it was locked: then another one counts. Being
            // young keeps gc from an old one.
            if (OBLEA_TRY(refresh_published(root, path.c_str())) &&
                OBLEA_TRY(is_same(root, path, file.get()))) {
                return std::optional{Turn{root, std::move(file), std::move(path)}};
            }
        }
    }

    Turn(Turn&&) noexcept = default;
    Turn& operator=(Turn&&) = delete;
    Turn(Turn const&) = delete;
    Turn& operator=(Turn const&) = delete;
    ~Turn() {
        if (file_.valid()) {
            static_cast<void>(sys::unlink_if_exists(root_, path_.c_str()));
        }
    }

private:
    Turn(int root, UniqueFd file, std::string path)
        : root_(root), file_(std::move(file)), path_(std::move(path)) {}

    static Result<bool> is_same(int root, std::string const& path, int file) {
        struct stat const own = OBLEA_TRY(sys::fstat(file));
        auto const named = OBLEA_TRY(sys::stat_if_exists(root, path.c_str()));
        return named.has_value() && named->st_ino == own.st_ino;
    }

    int root_;
    UniqueFd file_;
    std::string path_;
};

struct LayerImporter::Turns {
    base::Mutex mutex;
    std::map<Digest, Turn> held OBLEA_GUARDED_BY(mutex);
};

LayerImporter::LayerImporter(Store const& store, std::unique_ptr<ImportStaging> staging,
                             ProgressBoard& progress, std::atomic<bool> const* cancel)
    : store_(&store), staging_(std::move(staging)), turns_(std::make_unique<Turns>()),
      progress_(&progress), cancel_(cancel) {}
LayerImporter::LayerImporter(LayerImporter&&) noexcept = default;
LayerImporter::~LayerImporter() = default;

Status LayerImporter::add_documents(PlannedImage const& image) const {
    OBLEA_TRY(staging_->add_document(image.config_bytes, image.id));
    if (image.manifest_bytes.has_value()) {
        std::string const& manifest = *image.manifest_bytes;
        OBLEA_TRY(staging_->add_document(manifest, base::sha256(manifest)));
    }
    return {};
}

Status LayerImporter::add_merged_tree(PlannedImage const& image) const {
    return stage_merged_index(*staging_, store_->roots(), image.config.diff_ids);
}

Status LayerImporter::publish() const {
    OBLEA_TRY(staging_->publish(sync_threads()));
    base::LockGuard const lock{turns_->mutex};
    turns_->held.clear();
    return {};
}

Result<LayerOutcomes> LayerImporter::import_all(SeekableFiles const& files,
                                                std::vector<PlannedImage> const& images,
                                                unsigned jobs) const {
    std::map<std::string, PlannedLayer> wanted;
    for (PlannedImage const& image : images) {
        for (PlannedLayer const& layer : image.layers) {
            wanted.try_emplace(layer.member, layer);
        }
    }
    // Members of one layer twice: the turn is taken once.
    base::UniqueLock turns_lock{turns_->mutex};
    std::map<Digest, Turn>& turns = turns_->held;
    std::vector<PlannedLayer> layers;
    std::vector<PlannedLayer> elsewhere;
    for (auto& [member, layer] : wanted) {
        if (!turns.contains(layer.diff_id)) {
            auto turn = OBLEA_TRY(Turn::try_take(store_->root(), layer.diff_id));
            if (!turn.has_value()) {
                elsewhere.push_back(std::move(layer));
                continue;
            }
            turns.emplace(layer.diff_id, *std::move(turn));
        }
        layers.push_back(std::move(layer));
    }
    turns_lock.unlock();
    layers = OBLEA_TRY(largest_first(files, std::move(layers)));
    LayerOutcomes outcomes;
    std::mutex mutex;
    std::optional<Error> failure;
    std::atomic<bool> stop{false};
    auto const one = [&](std::size_t position) {
        if (stop) {
            return;
        }
        PlannedLayer const& layer = layers[position];
        auto outcome = import_planned(files, layer, stop);
        std::lock_guard const guard{mutex};
        if (outcome.has_value()) {
            outcomes[layer.member] = *std::move(outcome);
        } else if (!failure.has_value()) {
            failure = std::move(outcome).error();  // those that follow are but interrupted by it
            stop = true;
        }
    };
    // In that order, while parallel_for begins with the middle as well.
    std::atomic<std::size_t> next{0};
    tbb::task_arena arena{jobs == 0 ? tbb::task_arena::automatic : static_cast<int>(jobs)};
    arena.execute([&] {
        tbb::parallel_for(std::size_t{0}, layers.size(), [&](std::size_t) { one(next++); });
    });
    if (failure.has_value()) {
        return std::unexpected<Error>(*std::move(failure));
    }
    // Whoever waits for another one holds no turn himself.
    for (PlannedLayer const& layer : elsewhere) {
        OBLEA_TRY(publish());
        Turn turn = OBLEA_TRY(wait_for_turn(layer.diff_id));
        outcomes[layer.member] = OBLEA_TRY(import_planned(files, layer, stop));
        turns_lock.lock();
        turns.emplace(layer.diff_id, std::move(turn));
        turns_lock.unlock();
    }
    return outcomes;
}

Result<LayerImporter::Turn> LayerImporter::wait_for_turn(Digest const& diff_id) const {
    constexpr std::chrono::milliseconds kPause{20};
    for (;;) {
        if (is_canceled()) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        auto turn = OBLEA_TRY(Turn::try_take(store_->root(), diff_id));
        if (turn.has_value()) {
            return *std::move(turn);
        }
        std::this_thread::sleep_for(kPause);
    }
}

Status verify_outcomes(PlannedImage const& image, LayerOutcomes const& outcomes) {
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
        PlannedLayer const& planned = image.layers[i];
        auto const at = outcomes.find(planned.member);
        if (at == outcomes.end()) {
            return fail(Errno::einval, "",
                        planned.member + " is no layer: neither tar nor gzip nor zstd");
        }
        ImageLayer const& layer = at->second.layer;
        if (layer.diff_id != planned.diff_id) {
            return fail(Errno::ebadmsg, "",
                        fmt::format("invalid diffID for layer {}: expected \"{}\", got \"{}\"", i,
                                    planned.diff_id.to_string(), layer.diff_id.to_string()));
        }
        if (planned.claims.blob.has_value() && layer.blob != *planned.claims.blob) {
            return fail(
                Errno::ebadmsg, "",
                fmt::format("{}: its SHA-256 is {}", planned.member, layer.blob.to_string()));
        }
        bool const fresh = at->second.state == LayerOutcome::State::fresh;
        if (fresh && planned.claims.blob_bytes.has_value() &&
            layer.blob_bytes != *planned.claims.blob_bytes) {
            return fail(Errno::ebadmsg, "",
                        fmt::format("{} has {} bytes, and the manifest says {}", planned.member,
                                    layer.blob_bytes, *planned.claims.blob_bytes));
        }
    }
    return {};
}

}  // namespace oblea::store
