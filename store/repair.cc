// SPDX-License-Identifier: MIT
#include "store/repair.h"

#include "store/base/sys.h"
#include "store/image/import_image.h"
#include "store/layer/file_sink.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/shared_store.h"
#include "store/sync.h"

#include <algorithm>
#include <optional>
#include <set>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;
using Kind = Fault::Kind;

namespace {

// Layers that must be built again so that no fault is left; of each object, one that has it.
std::set<Digest> layers_to_rebuild(std::vector<Fault> const& faults) {
    std::set<Digest> layers;
    for (Fault const& fault : faults) {
        if (!fault.digest.has_value()) {
            continue;
        }
        bool const of_a_layer = fault.kind == Kind::index || fault.kind == Kind::pack ||
                                fault.kind == Kind::recipe || fault.kind == Kind::layer;
        if (of_a_layer) {
            layers.insert(*fault.digest);
        }
    }
    for (Fault const& fault : faults) {
        bool const covered = std::ranges::any_of(
            fault.layers, [&](Digest const& layer) { return layers.contains(layer); });
        if (fault.kind == Kind::object && !covered && !fault.layers.empty()) {
            layers.insert(fault.layers.front());
        }
    }
    return layers;
}

Distrust distrust_of(std::vector<Fault> const& faults, std::set<Digest> const& layers) {
    Distrust distrust;
    distrust.layers.insert(layers.begin(), layers.end());
    for (Fault const& fault : faults) {
        if (!fault.digest.has_value()) {
            continue;
        }
        if (fault.kind == Kind::object) {
            distrust.objects.insert(*fault.digest);
        }
        if (fault.kind == Kind::blob || fault.kind == Kind::config ||
            fault.kind == Kind::manifest) {
            distrust.blobs.insert(*fault.digest);
        }
    }
    return distrust;
}

class Repair {
public:
    Repair(Store const& store, std::vector<Fault> const& faults, RepairOptions const& options)
        : store_(store), faults_(faults), options_(options) {}

    Status run() {
        images_ = OBLEA_TRY(store_.own_images());
        OBLEA_TRY(drop_merged());
        layers_ = layers_to_rebuild(faults_);
        rebuild_from({.roots = store_.root(), .images = images_, .is_own = true},
                     distrust_of(faults_, layers_).blobs);
        OBLEA_TRY(rewrite_tar_blobs());
        for (std::string const& source : options_.from) {
            if (options_.cancel != nullptr && *options_.cancel) {
                return fail(Errno::ecanceled, "", "interrupted");
            }
            auto helped = use_source(source);
            if (!helped.has_value()) {
                messages.push_back(with_context(helped.error(), source).message());
            }
        }
        return fetch_images();
    }

    std::vector<std::string> messages;

private:
    // A cache: the next use builds it.
    Status drop_merged() {
        for (Fault const& fault : faults_) {
            if (fault.kind == Kind::merged) {
                OBLEA_TRY(sys::unlink_if_exists(store_.root(), fault.path.c_str()));
            }
        }
        return {};
    }

    // Every blob that a layer came as, in any image of that store.
    static std::vector<ImageLayer> forms_of(Images const& images, Digest const& diff_id) {
        std::vector<ImageLayer> forms;
        for (Image const& image : images.all()) {
            for (ImageLayer const& layer : image.layers) {
                bool const known =
                    std::ranges::find(forms, layer.blob, &ImageLayer::blob) != forms.end();
                if (layer.diff_id == diff_id && !known) {
                    forms.push_back(layer);
                }
            }
        }
        return forms;
    }

    // A store to take from: this one, another one, or a published one.
    struct Source {
        Roots roots;
        Images images;
        bool is_own = false;
    };

    // Rebuilds what it can from its blobs and layers.
    void rebuild_from(Source const& source, std::unordered_set<Digest> const& bad_blobs) {
        std::set<Digest> left;
        for (Digest const& layer : layers_) {
            auto const done = rebuild(source, layer, bad_blobs);
            if (!done.has_value()) {
                messages.push_back(
                    with_context(done.error(), "layer " + layer.to_string()).message());
            }
            if (!done.has_value() || !*done) {
                left.insert(layer);
            }
        }
        layers_ = std::move(left);
    }

    // False when the source does not have it.
    Result<bool> rebuild(Source const& source, Digest const& diff_id,
                         std::unordered_set<Digest> const& bad_blobs) {
        int const root = source.roots.own();
        for (ImageLayer const& form : forms_of(source.images, diff_id)) {
            if (bad_blobs.contains(form.blob)) {
                continue;
            }
            auto file = sys::openat(root, layout::blob(form.blob).c_str(), O_RDONLY | O_NOFOLLOW);
            if (file.has_value()) {
                OBLEA_TRY(take(*std::move(file), {.blob = form.blob, .diff_id = diff_id}));
                return true;
            }
        }
        if (source.is_own || !OBLEA_TRY(has_layer(source.roots, diff_id))) {
            return false;
        }
        UniqueFd tar =
            OBLEA_TRY(sys::openat(store_.root(), layout::kTmp, O_TMPFILE | O_RDWR, mode_t{0600}));
        FileSink sink{tar.get()};
        OBLEA_TRY(export_layer(source.roots, diff_id, sink));
        OBLEA_TRY(sys::lseek(tar.get(), 0, SEEK_SET));
        OBLEA_TRY(take(std::move(tar), {.diff_id = diff_id}));
        return true;
    }

    Status take(UniqueFd file, LayerClaims const& claims) {
        auto const staging = OBLEA_TRY(
            ImportStaging::create(store_.root(), {.distrust = distrust_of(faults_, layers_)}));
        base::FdSource stream{std::move(file)};
        OBLEA_TRY(stage_layer(store_.root(), *staging, stream, claims, {}));
        return staging->publish(sync_threads());
    }

    // Uncompressed layers that are kept as blobs are what their layers export.
    Status rewrite_tar_blobs() {
        for (Fault const& fault : faults_) {
            bool const is_tar = fault.kind == Kind::blob && fault.digest.has_value() &&
                                OBLEA_TRY(has_layer(store_.root(), *fault.digest)) &&
                                !layers_.contains(*fault.digest);
            if (!is_tar) {
                continue;
            }
            auto const file = OBLEA_TRY(
                sys::openat(store_.root(), layout::kTmp, O_TMPFILE | O_RDWR, mode_t{0600}));
            FileSink sink{file.get()};
            OBLEA_TRY(export_layer(store_.root(), *fault.digest, sink));
            OBLEA_TRY(sys::lseek(file.get(), 0, SEEK_SET));
            UniqueFd copy = OBLEA_TRY(sys::duplicate(file.get()));
            auto const staging = OBLEA_TRY(
                ImportStaging::create(store_.root(), {.distrust = distrust_of(faults_, layers_)}));
            base::FdSource stream{std::move(copy)};
            OBLEA_TRY(stage_layer(store_.root(), *staging, stream, {.diff_id = *fault.digest},
                                  {.keep_blob = LayerImportOptions::KeepBlob::always}));
            OBLEA_TRY(staging->publish(sync_threads()));
        }
        return {};
    }

    // Documents of images, and layers as they came.
    Status copy_blobs(Source const& source) {
        for (Fault const& fault : faults_) {
            bool const document = fault.kind == Kind::config || fault.kind == Kind::manifest;
            if (!fault.digest.has_value() || !document) {
                continue;
            }
            auto const bytes = OBLEA_TRY(
                source.roots.read_file_if_exists(layout::blob(*fault.digest), kDocumentBytesMax));
            if (bytes.has_value() && base::sha256(*bytes) != *fault.digest) {
                messages.push_back(fault.path + " is damaged there, too");
            } else if (bytes.has_value()) {
                OBLEA_TRY(store_.replace_blob(*bytes, *fault.digest));
            }
        }
        return {};
    }

    // Blobs of layers come back with their layers.
    void add_layers_of_blobs() {
        for (Fault const& fault : faults_) {
            for (Image const& image : images_.all()) {
                for (ImageLayer const& layer : image.layers) {
                    bool const compressed = layer.blob != layer.diff_id;
                    if (fault.kind == Kind::blob && layer.blob == fault.digest && compressed) {
                        layers_.insert(layer.diff_id);
                    }
                }
            }
        }
    }

    Status use_store(Source const& source) {
        rebuild_from(source, {});
        return copy_blobs(source);
    }

    Status use_source(std::string const& source) {
        add_layers_of_blobs();
        auto const other = Store::open(source, Store::Create::no);
        if (other.has_value()) {
            Lease const lease = OBLEA_TRY(other->take_lease("repair"));
            Images images = OBLEA_TRY(other->own_images());
            return use_store({.roots = other->root(),
                              .images = std::move(images),
                              .is_own = other->path() == store_.path()});
        }
        auto published = read_shared_store(source);
        if (published.has_value()) {
            return use_store(
                {.roots = published->root.get(), .images = std::move(published->images)});
        }
        Distrust const distrust = distrust_of(faults_, layers_);
        ImportRequest request;
        request.source = source;
        request.jobs = options_.jobs;
        request.cancel = options_.cancel;
        request.repair = &distrust;
        OBLEA_TRY(import_image(store_, request, {}));
        return {};
    }

    // Whether something of the image is still as the faults say.
    [[nodiscard]] bool lacks_something(Image const& image) const {
        bool const layer = std::ranges::any_of(
            image.layers, [&](ImageLayer const& one) { return layers_.contains(one.diff_id); });
        return layer || std::ranges::any_of(faults_, [&](Fault const& fault) {
                   bool const document = fault.kind == Kind::config || fault.kind == Kind::manifest;
                   if (!document ||
                       std::ranges::find(fault.images, image.id) == fault.images.end()) {
                       return false;
                   }
                   auto const bytes = store_.read_blob(*fault.digest, kDocumentBytesMax);
                   return !bytes.has_value() || !bytes->has_value();
               });
    }

    Status fetch_images() {
        if (!options_.fetch) {
            return {};
        }
        add_layers_of_blobs();
        for (Image const& image : images_.all()) {
            if (!lacks_something(image)) {
                continue;
            }
            auto fetched = options_.fetch(image, distrust_of(faults_, layers_));
            if (!fetched.has_value() && fetched.error().code == Errno::ecanceled) {
                return fetched;
            }
            if (!fetched.has_value()) {
                messages.push_back(fetched.error().message());
                continue;
            }
            for (ImageLayer const& layer : image.layers) {
                layers_.erase(layer.diff_id);  // other images need not bring it again
            }
        }
        return {};
    }

    static constexpr std::size_t kDocumentBytesMax = 64U << 20U;

    Store const& store_;
    std::vector<Fault> const& faults_;
    RepairOptions const& options_;
    Images images_;
    std::set<Digest> layers_;  // still to be rebuilt
};

bool same_place(Fault const& one, Fault const& other) {
    return one.path == other.path;
}

}  // namespace

Status restore_blob(Store const& store, std::string_view bytes, Distrust const& distrust) {
    Digest const digest = base::sha256(bytes);
    return distrust.blobs.contains(digest) ? store.replace_blob(bytes, digest)
                                           : store.write_blob(bytes, digest);
}

Result<RepairReport> repair_store(Store const& store, VerifyReport const& found,
                                  RepairOptions const& options) {
    RepairReport report;
    {
        Lease const lease = OBLEA_TRY(store.take_lease("repair"));
        Repair repair{store, found.faults, options};
        OBLEA_TRY(repair.run());
        report.messages = std::move(repair.messages);
    }
    VerifyOptions const again{
        .depth = VerifyOptions::Depth::contents, .jobs = options.jobs, .cancel = options.cancel};
    report.left = OBLEA_TRY(verify_store(store, again, {})).faults;
    for (Fault const& fault : found.faults) {
        bool const left = std::ranges::any_of(
            report.left, [&](Fault const& other) { return same_place(fault, other); });
        if (!left) {
            report.repaired.push_back(fault);
        }
    }
    return report;
}

}  // namespace oblea::store
