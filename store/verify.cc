// SPDX-License-Identifier: MIT
#include "store/verify.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "store/image/manifest.h"
#include "store/index/index.h"
#include "store/index/merge.h"
#include "store/inventory.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/layer/recipe.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;
using nlohmann::json;
using Kind = Fault::Kind;
using State = Fault::State;
using Depth = VerifyOptions::Depth;

namespace {

constexpr std::size_t kReadBytes = 1U << 20U;
constexpr std::size_t kContainerBytesMax = 4U << 20U;
constexpr std::uint64_t kToldStep = 8U << 20U;

// What is found while things are looked at side by side.
class Findings {
public:
    Findings(VerifyOptions const& options,
             std::function<void(VerifyProgress const&)> const& progress, std::uint64_t total_bytes)
        : options_(options), progress_(progress), total_bytes_(total_bytes) {}

    void add(Kind kind, State state, std::string path, std::string what,
             std::optional<Digest> const& digest) {
        std::lock_guard const lock{mutex_};
        faults_.push_back({kind, state, std::move(path), std::move(what), digest, {}, {}});
    }

    // ECANCELED when somebody wants an end.
    Status read(std::uint64_t bytes) {
        if (options_.cancel != nullptr && *options_.cancel) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        std::lock_guard const lock{mutex_};
        bytes_ += bytes;
        if (progress_ && (bytes_ - told_ >= kToldStep || bytes_ >= total_bytes_)) {
            told_ = bytes_;
            progress_({.bytes = std::min(bytes_, total_bytes_), .total_bytes = total_bytes_});
        }
        return {};
    }

    [[nodiscard]] bool contents() const { return options_.depth == Depth::contents; }
    std::vector<Fault> take_faults() { return std::move(faults_); }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    VerifyOptions const& options_;
    std::function<void(VerifyProgress const&)> const& progress_;
    std::uint64_t total_bytes_;
    std::mutex mutex_;
    std::vector<Fault> faults_;
    std::uint64_t bytes_ = 0;
    std::uint64_t told_ = 0;
};

// What is wrong with a file whose SHA-256 should be `digest`; nullopt: nothing. Fails only when it
// is interrupted, with what made it unreadable as the answer else.
Result<std::optional<std::string>> hash_fault(int root, std::string const& path,
                                              Digest const& digest, Findings& findings) {
    auto const file = sys::openat(root, path.c_str(), O_RDONLY | O_NOFOLLOW);
    if (!file.has_value()) {
        return std::optional{file.error().message()};
    }
    base::Bytes buffer(kReadBytes);
    base::Sha256 hash;
    for (std::uint64_t offset = 0;;) {
        auto const count = sys::pread_full(file->get(), buffer, offset);
        if (!count.has_value()) {
            return std::optional{count.error().message()};
        }
        if (*count == 0) {
            break;
        }
        hash.update(base::ByteView{buffer}.first(*count));
        offset += *count;
        OBLEA_TRY(findings.read(*count));
    }
    return hash.finish() == digest ? std::nullopt
                                   : std::optional<std::string>{"its SHA-256 is not its name"};
}

// References of a recipe against what is there.
class RecipeChecker final : public RecipeVisitor {
public:
    explicit RecipeChecker(std::uint64_t pack_bytes) : pack_bytes_(pack_bytes) {}

    Status literal(base::ByteView) override { return {}; }
    Status pack(std::uint64_t offset, std::uint64_t bytes) override {
        if (offset > pack_bytes_ || bytes > pack_bytes_ - offset) {
            return fail(Errno::euclean, "", "it refers to more than the pack has");
        }
        return {};
    }
    Status object(Digest const& digest, std::uint64_t) override {
        objects.insert(digest);
        return {};
    }

    std::unordered_set<Digest> objects;

private:
    std::uint64_t pack_bytes_;
};

class NullSink final : public TarSink {
public:
    Status write(base::ByteView) override { return {}; }
};

// One layer: index, recipe, pack.
class LayerChecker {
public:
    LayerChecker(int root, Digest const& diff_id, Findings& findings)
        : root_(root), diff_id_(diff_id), findings_(findings) {}

    // The objects that it needs.
    Result<std::unordered_set<Digest>> run() {
        pack_path_ = layout::layer_pack(diff_id_);
        auto const pack_info = sys::stat_if_exists(root_, pack_path_.c_str());
        if (!pack_info.has_value() || !pack_info->has_value()) {
            found(Kind::pack, State::missing, pack_path_, "it is missing");
        } else {
            pack_bytes_ = static_cast<std::uint64_t>((*pack_info)->st_size);
        }
        auto const index = check_index();
        auto objects = check_recipe();
        if (index.has_value()) {
            for (std::uint32_t i = 0; i < index->object_count(); ++i) {
                objects.insert(OBLEA_TRY(index->object(i)));
            }
            if (pack_bytes_.has_value()) {
                OBLEA_TRY(check_pack(*index));
            }
        }
        return objects;
    }

private:
    void found(Kind kind, State state, std::string const& path, std::string what) {
        findings_.add(kind, state, path, std::move(what), diff_id_);
        sound_ = false;
    }

    std::optional<Index> check_index() {
        std::string const path = layout::layer_index(diff_id_);
        auto file = sys::openat(root_, path.c_str(), O_RDONLY | O_NOFOLLOW);
        if (!file.has_value()) {
            bool const missing = file.error().code == Errno::enoent;
            found(Kind::index, missing ? State::missing : State::damaged, path,
                  missing ? "it is missing" : file.error().message());
            return std::nullopt;
        }
        auto index = Index::open(*std::move(file), path);
        Status const checked = [&]() -> Status {
            Index const& opened = OBLEA_TRY(view_of(index));
            OBLEA_TRY(opened.check());
            bool const right = opened.kind() == IndexKind::layer &&
                               OBLEA_TRY(opened.layer(LayerPos::bottom)) == diff_id_;
            return right ? Status{} : fail(Errno::euclean, "", "it is of another layer");
        }();
        if (!checked.has_value()) {
            found(Kind::index, State::damaged, path, checked.error().message());
            return std::nullopt;
        }
        return *std::move(index);
    }

    static Result<std::reference_wrapper<Index const>> view_of(Result<Index> const& index) {
        if (!index.has_value()) {
            return std::unexpected<Error>(index.error());
        }
        return std::cref(*index);
    }

    std::unordered_set<Digest> check_recipe() {
        std::string const path = layout::layer_recipe(diff_id_);
        RecipeChecker checker{pack_bytes_.value_or(std::numeric_limits<std::uint64_t>::max())};
        auto const file = sys::openat(root_, path.c_str(), O_RDONLY | O_NOFOLLOW);
        if (!file.has_value()) {
            bool const missing = file.error().code == Errno::enoent;
            found(Kind::recipe, missing ? State::missing : State::damaged, path,
                  missing ? "it is missing" : file.error().message());
            return {};
        }
        auto const summary = read_recipe(file->get(), checker);
        if (!summary.has_value()) {
            found(Kind::recipe, State::damaged, path, summary.error().message());
            return {};
        }
        if (summary->diff_id != diff_id_) {
            found(Kind::recipe, State::damaged, path, "it is of another layer");
        }
        return std::move(checker.objects);
    }

    // Every content by the hash that the index has of it. What the index does not know, because a
    // later member replaced it, only the tar as a whole can prove.
    Status check_pack(Index const& index) {
        auto const file = sys::openat(root_, pack_path_.c_str(), O_RDONLY | O_NOFOLLOW);
        if (!file.has_value()) {
            found(Kind::pack, State::damaged, pack_path_, file.error().message());
            return {};
        }
        std::uint64_t covered = 0;
        base::Bytes buffer;
        for (std::uint32_t i = 1; i <= index.inode_count(); ++i) {
            InodeNo const ino{i};
            if (OBLEA_TRY(index.attr(ino)).type != FileType::regular) {
                continue;
            }
            ContentView const content = OBLEA_TRY(index.content(ino));
            if (content.kind != ContentKind::pack) {
                continue;
            }
            covered += content.blob_bytes;
            if (!OBLEA_TRY(check_content(file->get(), content, buffer))) {
                return {};  // one fault tells enough of a pack
            }
        }
        if (findings_.contents() && sound_ && covered < *pack_bytes_) {
            return check_tar();
        }
        return {};
    }

    Result<bool> check_content(int file, ContentView const& content, base::Bytes& buffer) {
        if (content.pack_offset > *pack_bytes_ ||
            content.blob_bytes > *pack_bytes_ - content.pack_offset) {
            found(Kind::pack, State::damaged, pack_path_, "it is shorter than the index says");
            return false;
        }
        if (!findings_.contents()) {
            return true;
        }
        buffer.resize(static_cast<std::size_t>(content.blob_bytes));
        auto const count = sys::pread_full(file, buffer, content.pack_offset);
        bool const right = count.has_value() && *count == buffer.size() &&
                           base::xxh3_128(buffer) == content.pack_check;
        OBLEA_TRY(findings_.read(buffer.size()));
        if (!right) {
            found(Kind::pack, State::damaged, pack_path_,
                  count.has_value()
                      ? fmt::format("the content at byte {} is not what the index says",
                                    content.pack_offset)
                      : count.error().message());
        }
        return right;
    }

    Status check_tar() {
        NullSink sink;
        auto const exported = export_layer(root_, diff_id_, sink);
        if (!exported.has_value() && exported.error().code == Errno::euclean) {
            found(Kind::pack, State::damaged, pack_path_, exported.error().message());
        }
        return {};
    }

    int root_;
    Digest const& diff_id_;
    Findings& findings_;
    std::string pack_path_;
    std::optional<std::uint64_t> pack_bytes_;
    bool sound_ = true;
};

void check_merged(int root, StoreItem const& item, Findings& findings) {
    auto const checked = [&]() -> Status {
        UniqueFd file = OBLEA_TRY(sys::openat(root, item.item.path.c_str(), O_RDONLY | O_NOFOLLOW));
        Index const index = OBLEA_TRY(Index::open(std::move(file), item.item.path));
        OBLEA_TRY(index.check());
        std::vector<Digest> chain;
        for (std::uint32_t i = 0; i < index.layer_count(); ++i) {
            chain.push_back(OBLEA_TRY(index.layer(LayerPos{i})));
        }
        bool const right =
            index.kind() == IndexKind::merged && !chain.empty() && chain_id(chain) == item.digest;
        return right ? Status{} : fail(Errno::euclean, "", "it is of another chain of layers");
    }();
    bool const gone = !checked.has_value() && checked.error().code == Errno::enoent;
    if (!checked.has_value() && !gone) {
        findings.add(Kind::merged, State::damaged, item.item.path, checked.error().message(),
                     item.digest);
    }
}

// Everything, once it is known what there is.
class Verification {
public:
    Verification(Store const& store, Inventory const& inventory, Images const& images,
                 Findings& findings)
        : root_(store.root()), inventory_(inventory), images_(images), findings_(findings) {
        for (StoreItem const& item : inventory.items) {
            if (!item.digest.has_value()) {
                continue;
            }
            if (item.item.kind == Garbage::Kind::layer) {
                layers_.insert(*item.digest);
            } else if (item.item.kind == Garbage::Kind::object) {
                objects_.insert(*item.digest);
            } else if (item.item.kind == Garbage::Kind::blob) {
                blobs_.insert(*item.digest);
            }
        }
    }

    // One item of the inventory; from any thread.
    Status check(StoreItem const& item) {
        if (!item.digest.has_value()) {
            return {};
        }
        switch (item.item.kind) {
        case Garbage::Kind::layer: {
            auto objects = OBLEA_TRY(LayerChecker(root_, *item.digest, findings_).run());
            std::lock_guard const lock{mutex_};
            needed_.emplace(*item.digest, std::move(objects));
            return {};
        }
        case Garbage::Kind::object:
            return check_hash(Kind::object, item);
        case Garbage::Kind::blob:
            return check_hash(Kind::blob, item);
        case Garbage::Kind::merged:
            check_merged(root_, item, findings_);
            return {};
        case Garbage::Kind::lease:
        case Garbage::Kind::temporary:
            break;
        }
        return {};
    }

    // What should be there and is not; after all items.
    Status check_presence() {
        for (auto const& [layer, objects] : needed_) {
            for (Digest const& object : objects) {
                if (!objects_.contains(object) && missing_.insert(object).second) {
                    findings_.add(Kind::object, State::missing, layout::object(object),
                                  "it is missing", object);
                }
            }
        }
        for (Image const& image : images_.all()) {
            check_image(image);
        }
        for (std::string const& id : inventory_.containers) {
            OBLEA_TRY(check_container(id));
        }
        return {};
    }

    [[nodiscard]] bool hurts_container(Fault const& fault) const {
        return fault.digest.has_value() &&
               std::ranges::any_of(container_layers_, [&](Digest const& layer) {
                   return layer == *fault.digest || needs(layer, *fault.digest);
               });
    }

    // Which images each fault hurts.
    void name_images(std::vector<Fault>& faults) const {
        for (Fault& fault : faults) {
            for (Image const& image : images_.all()) {
                if (hurts(fault, image)) {
                    fault.images.push_back(image.id);
                }
            }
            if (fault.kind == Kind::blob) {
                refine_blob(fault);
            }
            if (fault.kind == Kind::object) {
                name_layers(fault);
            }
        }
    }

private:
    Status check_hash(Kind kind, StoreItem const& item) {
        if (!findings_.contents()) {
            return {};
        }
        auto const what = OBLEA_TRY(hash_fault(root_, item.item.path, *item.digest, findings_));
        if (what.has_value()) {
            findings_.add(kind, State::damaged, item.item.path, *what, item.digest);
        }
        return {};
    }

    void check_blob(Kind kind, Digest const& digest) {
        if (!blobs_.contains(digest) && missing_.insert(digest).second) {
            findings_.add(kind, State::missing, layout::blob(digest), "it is missing", digest);
        }
    }

    // Layers as they came may be dropped, so their absence is no fault.
    void check_image(Image const& image) {
        check_blob(Kind::config, image.id);
        if (image.manifest.has_value()) {
            check_blob(Kind::manifest, *image.manifest);
        }
        for (ImageLayer const& layer : image.layers) {
            check_layer(layer.diff_id);
        }
    }

    void check_layer(Digest const& diff_id) {
        if (!layers_.contains(diff_id) && missing_.insert(diff_id).second) {
            findings_.add(Kind::layer, State::missing, layout::layer(diff_id), "it is missing",
                          diff_id);
        }
    }

    Status check_container(std::string const& id) {
        std::string const path = layout::container(id) + "/container.json";
        auto const text = sys::read_file(root_, path.c_str(), kContainerBytesMax);
        if (!text.has_value() && text.error().code == Errno::enoent) {
            return {};  // being made, or debris
        }
        auto const checked = [&]() -> Status {
            std::string const bytes = OBLEA_TRY(Result<std::string>{text});
            json const document =
                OBLEA_TRY(json_fields::parse_object(bytes, path, kContainerBytesMax));
            for (json const& layer : *OBLEA_TRY(json_fields::array(document, "layers", path))) {
                Digest const diff_id = OBLEA_TRY(
                    Digest::parse(layer.is_string() ? layer.get<std::string>() : std::string{}));
                container_layers_.insert(diff_id);
                check_layer(diff_id);
            }
            return {};
        }();
        if (!checked.has_value()) {
            findings_.add(Kind::container, State::damaged, path, checked.error().message(),
                          std::nullopt);
        }
        return {};
    }

    [[nodiscard]] bool needs(Digest const& layer, Digest const& object) const {
        auto const at = needed_.find(layer);
        return at != needed_.end() && at->second.contains(object);
    }

    [[nodiscard]] bool hurts(Fault const& fault, Image const& image) const {
        if (!fault.digest.has_value()) {
            return false;
        }
        switch (fault.kind) {
        case Kind::index:
        case Kind::pack:
        case Kind::recipe:
        case Kind::layer:
            return std::ranges::find(image.layers, *fault.digest, &ImageLayer::diff_id) !=
                   image.layers.end();
        case Kind::object:
            return std::ranges::any_of(image.layers, [&](ImageLayer const& layer) {
                return needs(layer.diff_id, *fault.digest);
            });
        case Kind::config:
        case Kind::manifest:
        case Kind::blob:
            return image.id == *fault.digest || image.manifest == *fault.digest ||
                   std::ranges::find(image.layers, *fault.digest, &ImageLayer::blob) !=
                       image.layers.end();
        case Kind::merged:
        case Kind::container:
            break;
        }
        return false;
    }

    void name_layers(Fault& fault) const {
        for (auto const& [layer, objects] : needed_) {
            if (objects.contains(*fault.digest)) {
                fault.layers.push_back(layer);
            }
        }
        std::ranges::sort(fault.layers);
    }

    void refine_blob(Fault& fault) const {
        for (Image const& image : images_.all()) {
            if (image.id == *fault.digest) {
                fault.kind = Kind::config;
            } else if (image.manifest == *fault.digest) {
                fault.kind = Kind::manifest;
            }
        }
    }

    int root_;
    Inventory const& inventory_;
    Images const& images_;
    Findings& findings_;
    std::unordered_set<Digest> layers_;
    std::unordered_set<Digest> objects_;
    std::unordered_set<Digest> blobs_;
    std::unordered_set<Digest> missing_;  // told already
    std::unordered_set<Digest> container_layers_;
    std::mutex mutex_;  // guards needed_ while items are checked
    std::unordered_map<Digest, std::unordered_set<Digest>> needed_;
};

std::uint64_t bytes_to_read(Inventory const& inventory, Depth depth) {
    std::uint64_t bytes = 0;
    for (StoreItem const& item : inventory.items) {
        bool const read = item.digest.has_value() && depth == Depth::contents &&
                          item.item.kind != Garbage::Kind::merged;
        bytes += read ? item.item.bytes : 0;
    }
    return bytes;
}

}  // namespace

Result<VerifyReport> verify_store(Store const& store, VerifyOptions const& options,
                                  std::function<void(VerifyProgress const&)> const& progress) {
    Lease const lease = OBLEA_TRY(store.take_lease("verify"));
    Images const images = OBLEA_TRY(store.images());
    Inventory const inventory = OBLEA_TRY(take_inventory(store.root()));
    Findings findings{options, progress, bytes_to_read(inventory, options.depth)};
    Verification verification{store, inventory, images, findings};

    std::mutex mutex;
    std::optional<Error> failure;
    auto const one = [&](std::size_t position) {
        auto checked = verification.check(inventory.items[position]);
        if (!checked.has_value()) {
            std::lock_guard const lock{mutex};
            failure = std::move(checked).error();
        }
    };
    tbb::task_arena arena{options.jobs == 0 ? tbb::task_arena::automatic
                                            : static_cast<int>(options.jobs)};
    arena.execute([&] { tbb::parallel_for(std::size_t{0}, inventory.items.size(), one); });
    if (failure.has_value()) {
        return std::unexpected<Error>(*std::move(failure));
    }
    OBLEA_TRY(verification.check_presence());
    VerifyReport report;
    report.bytes = findings.bytes();
    report.things = inventory.items.size() + images.all().size() + inventory.containers.size();
    report.faults = findings.take_faults();
    verification.name_images(report.faults);
    // What nobody needs may vanish at any time, and its absence is no fault.
    std::erase_if(report.faults, [&](Fault const& fault) {
        auto const there = sys::stat_if_exists(store.root(), fault.path.c_str());
        return fault.images.empty() && !verification.hurts_container(fault) && there.has_value() &&
               !there->has_value();
    });
    std::ranges::sort(report.faults, {}, &Fault::path);
    return report;
}

}  // namespace oblea::store
