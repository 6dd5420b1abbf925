// SPDX-License-Identifier: MIT
#include "store/verify.h"

#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/base/limits.h"
#include "store/base/mutex.h"
#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "store/image/manifest.h"
#include "store/index/index.h"
#include "store/index/merge.h"
#include "store/inventory.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/shared_store.h"
#include "store/verify_layer.h"

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

// What is wrong with a file whose SHA-256 should be `digest`; nullopt: nothing. Fails only when it
// is interrupted, with what made it unreadable as the answer else.
Result<std::optional<std::string>> hash_fault(int root, std::string const& path,
                                              Digest const& digest, Findings& findings) {
    auto const file = sys::openat(root, path.c_str(), O_RDONLY | O_NOFOLLOW);
    if (!file.has_value()) {
        return std::optional{file.error().message()};
    }
    base::Bytes buffer(base::kLargeBufferBytes);
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
    Verification(Roots const& roots, Inventory const& inventory, Images const& images,
                 Findings& findings)
        : roots_(roots), root_(roots.own()), inventory_(inventory), images_(images),
          findings_(findings) {
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
            auto objects = OBLEA_TRY(verify_layer(root_, *item.digest, findings_));
            base::LockGuard const lock{needed_.mutex};
            needed_.objects.emplace(*item.digest, std::move(objects));
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
        {
            base::LockGuard const lock{needed_.mutex};
            for (auto const& [layer, objects] : needed_.objects) {
                for (Digest const& object : objects) {
                    if (!objects_.contains(object) && missing_.insert(object).second) {
                        findings_.add(Kind::object, State::missing, layout::object(object),
                                      "it is missing", object);
                    }
                }
            }
        }
        for (Image const& image : images_.all()) {
            OBLEA_TRY(check_image(image));
        }
        for (std::string const& id : inventory_.containers) {
            OBLEA_TRY(check_container(id));
        }
        return {};
    }

    // Which images and containers each fault hurts.
    void name_hurt(std::vector<Fault>& faults) const {
        for (Fault& fault : faults) {
            for (auto const& [container, layers] : container_layers_) {
                if (hurts_layers(fault, layers)) {
                    fault.containers.push_back(container);
                }
            }
            if (fault.kind == Kind::container) {
                name_container(fault);
            }
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
    [[nodiscard]] bool hurts_layers(Fault const& fault, std::vector<Digest> const& layers) const {
        return fault.digest.has_value() && std::ranges::any_of(layers, [&](Digest const& layer) {
                   return layer == *fault.digest || needs(layer, *fault.digest);
               });
    }

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
    Status check_image(Image const& image) {
        check_blob(Kind::config, image.id);
        if (image.manifest.has_value()) {
            check_blob(Kind::manifest, *image.manifest);
        }
        for (ImageLayer const& layer : image.layers) {
            OBLEA_TRY(check_layer(layer.diff_id));
        }
        return {};
    }

    // A layer of a shared store is only looked for.
    Status check_layer(Digest const& diff_id) {
        if (layers_.contains(diff_id) || missing_.contains(diff_id)) {
            return {};
        }
        bool const shared = !roots_.shared().empty() && OBLEA_TRY(has_layer(roots_, diff_id));
        if (!shared) {
            missing_.insert(diff_id);
            findings_.add(Kind::layer, State::missing, layout::layer(diff_id), "it is missing",
                          diff_id);
        }
        return {};
    }

    Status check_container(std::string const& id) {
        std::string const path = layout::container(id) + "/container.json";
        auto const text = sys::read_file(root_, path.c_str(), limits::kContainerFileBytesMax);
        if (!text.has_value() && text.error().code == Errno::enoent) {
            return {};  // being made, or debris
        }
        auto const checked = [&]() -> Status {
            std::string const bytes = OBLEA_TRY(Result<std::string>{text});
            json const document =
                OBLEA_TRY(json_fields::parse_object(bytes, path, limits::kContainerFileBytesMax));
            for (json const& layer : *OBLEA_TRY(json_fields::array(document, "layers", path))) {
                Digest const diff_id = OBLEA_TRY(
                    Digest::parse(layer.is_string() ? layer.get<std::string>() : std::string{}));
                container_layers_[id].push_back(diff_id);
                OBLEA_TRY(check_layer(diff_id));
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
        base::LockGuard const lock{needed_.mutex};
        auto const at = needed_.objects.find(layer);
        return at != needed_.objects.end() && at->second.contains(object);
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
        base::LockGuard const lock{needed_.mutex};
        for (auto const& [layer, objects] : needed_.objects) {
            if (objects.contains(*fault.digest)) {
                fault.layers.push_back(layer);
            }
        }
        std::ranges::sort(fault.layers);
    }

    // By its record's path.
    void name_container(Fault& fault) const {
        for (std::string const& id : inventory_.containers) {
            if (fault.path.starts_with(layout::container(id) + '/') &&
                std::ranges::find(fault.containers, id) == fault.containers.end()) {
                fault.containers.push_back(id);
            }
        }
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

    Roots const& roots_;
    int root_;
    Inventory const& inventory_;
    Images const& images_;
    Findings& findings_;
    std::unordered_set<Digest> layers_;
    std::unordered_set<Digest> objects_;
    std::unordered_set<Digest> blobs_;
    std::unordered_set<Digest> missing_;                           // told already
    std::map<std::string, std::vector<Digest>> container_layers_;  // by ids
    struct Needed {                                                // by layers
        mutable base::Mutex mutex;
        std::unordered_map<Digest, std::unordered_set<Digest>> objects OBLEA_GUARDED_BY(mutex);
    } needed_;
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

// Of the first of the roots; the others only have what it may refer to.
Result<VerifyReport> verify_root(Roots const& roots, Images const& images,
                                 VerifyOptions const& options,
                                 std::function<void(VerifyProgress const&)> const& progress) {
    Inventory const inventory = OBLEA_TRY(take_inventory(roots.own()));
    Findings findings{options, progress, bytes_to_read(inventory, options.depth)};
    Verification verification{roots, inventory, images, findings};

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
    verification.name_hurt(report.faults);
    // What nobody needs may vanish at any time, and its absence is no fault.
    std::erase_if(report.faults, [&](Fault const& fault) {
        auto const there = sys::stat_if_exists(roots.own(), fault.path.c_str());
        return fault.images.empty() && fault.containers.empty() && there.has_value() &&
               !there->has_value();
    });
    std::ranges::sort(report.faults, {}, &Fault::path);
    return report;
}

}  // namespace

Result<VerifyReport> verify_store(Store const& store, VerifyOptions const& options,
                                  std::function<void(VerifyProgress const&)> const& progress) {
    Lease const lease = OBLEA_TRY(store.take_lease("verify"));
    Images const images = OBLEA_TRY(store.own_images());
    return verify_root(store.roots(), images, options, progress);
}

Result<VerifyReport>
verify_shared_store(SharedStore const& store, VerifyOptions const& options,
                    std::function<void(VerifyProgress const&)> const& progress) {
    return verify_root(store.root.get(), store.images, options, progress);
}

}  // namespace oblea::store
