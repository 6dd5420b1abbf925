// SPDX-License-Identifier: MIT
#include "store/gc.h"

#include "store/base/limits.h"
#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/gc_reach.h"
#include "store/image/json_fields.h"
#include "store/image/rfc3339.h"
#include "store/inventory.h"
#include "store/layer/layout.h"
#include "store/lease_files.h"
#include "store/parallel.h"
#include "store/publish.h"
#include "store/store_setup.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <unordered_map>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;
using nlohmann::json;

namespace {

// Who has not gone on with a download after this will hardly do so.
constexpr std::int64_t kDownloadSecondsMax = std::int64_t{7} * 24 * 3600;

Status reach_container(int root, std::string const& id, Reached& reached) {
    std::string const path = layout::container(id) + "/container.json";
    auto text = sys::read_file(root, path.c_str(), limits::kContainerFileBytesMax);
    if (!text.has_value() && text.error().code == Errno::enoent) {
        return {};  // being made, by one who holds a lease
    }
    std::string const bytes = OBLEA_TRY(with_context(std::move(text), [&] { return path; }));
    json const document =
        OBLEA_TRY(json_fields::parse_object(bytes, path, limits::kContainerFileBytesMax));
    if (auto const image = OBLEA_TRY(json_fields::digest_if(document, "image", path))) {
        reached.blobs.insert(*image);
    }
    std::vector<Digest> chain;
    for (json const& layer : *OBLEA_TRY(json_fields::array(document, "layers", path))) {
        chain.push_back(
            OBLEA_TRY(with_context(Digest::parse(layer.is_string() ? layer.get<std::string>() : ""),
                                   [&] { return path; })));
    }
    reach_chain(reached, chain);
    return {};
}

// Errors of a container become EUCLEAN: without it nothing is known to be unreachable.
Status reach_containers(int root, Inventory const& inventory, Reached& reached) {
    for (std::string const& id : inventory.containers) {
        auto done = reach_container(root, id, reached);
        if (!done.has_value()) {
            Error error =
                with_context(std::move(done).error(), "nothing is removed, since container " + id +
                                                          " cannot be read; repair or remove it");
            error.code = Errno::euclean;
            return std::unexpected<Error>(std::move(error));
        }
    }
    return {};
}

struct LeaseScope {
    std::optional<Timestamp> oldest;  // of those that are not narrowed
};

// A lease that cannot be understood holds everything: time began before it.
Status reach_leases(int root, Inventory const& inventory, std::string const& except,
                    Reached& reached, LeaseScope& scope) {
    for (LeaseItem const& lease : inventory.leases) {
        if (lease.state == LeaseItem::State::dead || lease.path == except) {
            continue;
        }
        auto const read = lease_files::read(root, lease.path);
        Timestamp since{std::numeric_limits<std::int64_t>::min(), 0};
        if (read.has_value()) {
            lease_files::Held const& held = *read;
            if (held.layers.has_value()) {
                reach_chain(reached, *held.layers);
                continue;
            }
            reach_images(reached, held.images);
            since = lease.taken;
        }
        scope.oldest = std::min(scope.oldest.value_or(since), since);
    }
    return {};
}

// Of every layer that stays, for whatever reason.
void reach_objects(int root, Inventory const& inventory, GcScope const& scope, Reached& reached,
                   std::vector<std::string>& warnings) {
    std::vector<StoreItem const*> staying;
    for (StoreItem const& item : inventory.items) {
        bool const stays = item.item.kind == Garbage::Kind::layer && item.digest.has_value() &&
                           (reached.layers.contains(*item.digest) || is_young(item, scope) ||
                            (scope.only_since.has_value() && item.changed < *scope.only_since));
        if (stays) {
            staying.push_back(&item);
        }
    }
    std::vector<Result<std::vector<Digest>>> objects(staying.size());
    for_each_position(staying.size(), [&](std::size_t at) {
        objects[at] = objects_of_layer(root, *staying[at]->digest);
    });
    for (std::size_t at = 0; at < staying.size(); ++at) {
        if (objects[at].has_value()) {
            reached.objects.insert(objects[at]->begin(), objects[at]->end());
            continue;
        }
        reached.objects_state = Reached::Objects::unknown;
        warnings.push_back(fmt::format("{} is damaged ({}): no object is removed until it is "
                                       "repaired or its images are removed",
                                       staying[at]->item.path, objects[at].error().message()));
    }
}

// The last object of a folder takes that with it (remove_object_folder).
Status count_object_folders(int root, Inventory const& inventory, GcReport& report) {
    std::unordered_map<std::string, std::size_t> left;
    for (StoreItem const& item : inventory.items) {
        if (item.item.path.starts_with(std::string{layout::kObjects} + '/')) {
            ++left[folder_of_object(item.item.path)];
        }
    }
    for (Garbage& garbage : report.removed) {
        if (garbage.kind != Garbage::Kind::object || --left[folder_of_object(garbage.path)] != 0) {
            continue;
        }
        std::uint64_t const bytes =
            OBLEA_TRY(file_bytes(root, folder_of_object(garbage.path).c_str()));
        garbage.bytes += bytes;
        report.bytes += bytes;
    }
    return {};
}

struct Judged {
    Inventory inventory;
    GcReport report;
    // Nobody publishes anything while the lock is held.
    enum class Publishers { none, some } publishers = Publishers::none;
};

// `failed`: the lease of an import that failed; only what came since is judged. `gone`: images that
// count as removed.
Result<Judged> judge(Store const& store, Lease const* failed, LayerBlobs blobs = LayerBlobs::keep,
                     std::unordered_set<Digest> const& gone = {}) {
    int const root = store.root();
    Judged judged;
    judged.inventory = OBLEA_TRY(take_inventory(root));
    Reached reached;
    Images images = OBLEA_TRY(store.own_images());
    for (Digest const& image : gone) {
        static_cast<void>(images.remove(image));
    }
    reach_images(reached, images, blobs);
    OBLEA_TRY(reach_containers(root, judged.inventory, reached));
    LeaseScope leases;
    std::string const except = failed != nullptr ? failed->path() : "";
    OBLEA_TRY(reach_leases(root, judged.inventory, except, reached, leases));
    GcScope scope{.spare_since = leases.oldest};
    if (failed == nullptr) {
        scope.downloads_since = Timestamp{now_seconds() - kDownloadSecondsMax, 0};
    }
    if (leases.oldest.has_value()) {
        judged.publishers = Judged::Publishers::some;
        // Somebody may be about to put an object into a folder that is empty now.
        std::erase_if(judged.inventory.items, [](StoreItem const& item) {
            return item.item.kind == Garbage::Kind::temporary &&
                   item.item.path.starts_with(std::string{layout::kObjects} + '/');
        });
    }
    if (failed != nullptr) {
        auto const own = std::ranges::find(judged.inventory.leases, except, &LeaseItem::path);
        if (own == judged.inventory.leases.end()) {
            return fail(Errno::estale, "", "the lease " + except + " is gone");
        }
        scope.only_since = own->taken;
    }
    std::vector<std::string> warnings;
    reach_objects(root, judged.inventory, scope, reached, warnings);
    judged.report = plan_gc(judged.inventory, reached, scope);
    if (judged.publishers == Judged::Publishers::none) {
        OBLEA_TRY(count_object_folders(root, judged.inventory, judged.report));
    }
    judged.report.warnings = std::move(warnings);
    return judged;
}

Status sync_folder(int root, char const* path) {
    UniqueFd const folder = OBLEA_TRY(sys::openat(root, path, O_RDONLY | O_DIRECTORY));
    return sys::fsync(folder.get());
}

// A layer disappears by one rename: it is there whole or not at all.
Status remove_layer(int root, std::string const& path) {
    std::string const doomed =
        fmt::format("{}/gc.{}.{}", layout::kTmp, ::getpid(), path.substr(path.rfind('/') + 1));
    OBLEA_TRY(sys::remove_tree(root, doomed.c_str()));
    auto const moved = sys::renameat2(root, path.c_str(), root, doomed.c_str());
    if (!moved.has_value() && moved.error().code == Errno::enoent) {
        return {};
    }
    OBLEA_TRY(moved);
    // A crash here leaves debris in tmp/, which the next gc removes.
    return sys::remove_tree(root, doomed.c_str());
}

// The folder of an object that is gone, if that was the last one in it.
Status remove_object_folder(int root, std::string const& object) {
    std::string const folder = folder_of_object(object);
    auto removed = sys::unlinkat(root, folder.c_str(), AT_REMOVEDIR);
    bool const stays = !removed.has_value() && (removed.error().code == Errno::enotempty ||
                                                removed.error().code == Errno::eexist ||
                                                removed.error().code == Errno::enoent);
    return stays ? Status{} : std::move(removed);
}

Status remove_all(int root, Judged const& judged) {
    bool layers_pending = false;
    for (Garbage const& garbage : judged.report.removed) {
        bool const is_layer = garbage.kind == Garbage::Kind::layer;
        if (layers_pending && !is_layer) {
            // A layer that power loss brought back must find its objects.
            OBLEA_TRY(sync_folder(root, layout::kLayers));
            layers_pending = false;
        }
        layers_pending |= is_layer;
        auto removed = is_layer ? remove_layer(root, garbage.path)
                                : sys::remove_tree(root, garbage.path.c_str());
        OBLEA_TRY(with_context(std::move(removed), [&] { return "removing " + garbage.path; }));
        // Not while somebody may be about to put an object there.
        if (garbage.kind == Garbage::Kind::object &&
            judged.publishers == Judged::Publishers::none) {
            OBLEA_TRY(remove_object_folder(root, garbage.path));
        }
    }
    return {};
}

// Renames may need a block that a full disk does not have.
Status remove_with_reserve(int root, Judged const& judged) {
    if (!judged.report.removed.empty()) {
        OBLEA_TRY(drop_reserve(root));
        OBLEA_TRY(remove_all(root, judged));
    }
    // Also one that was given up when the disk was full, or when somebody was killed.
    auto reserved = make_reserve(root);
    bool const still_full = !reserved.has_value() && (reserved.error().code == Errno::enospc ||
                                                      reserved.error().code == Errno::edquot);
    return still_full ? Status{} : std::move(reserved);
}

}  // namespace

Result<GcReport> foresee_garbage(Store const& store, std::unordered_set<Digest> const& gone,
                                 LayerBlobs blobs) {
    UniqueFd const lock = OBLEA_TRY(lock_store(store.root(), StoreLock::shared));
    return std::move(OBLEA_TRY(judge(store, nullptr, blobs, gone)).report);
}

Result<GcReport> collect_garbage(Store const& store, GcMode mode, LayerBlobs blobs) {
    if (mode == GcMode::dry_run) {
        return foresee_garbage(store, {}, blobs);
    }
    UniqueFd lock = OBLEA_TRY(lock_store(store.root(), StoreLock::exclusive));
    Judged judged = OBLEA_TRY(judge(store, nullptr, blobs));
    OBLEA_TRY(remove_with_reserve(store.root(), judged));
    lock.reset();
    bool const any_blob = std::ranges::any_of(
        judged.report.removed, [](Garbage const& one) { return one.kind == Garbage::Kind::blob; });
    if (blobs == LayerBlobs::drop || any_blob) {
        // Images without their blobs leave the list for other tools. One that a power loss kept
        // out of images.json may be there, too.
        OBLEA_TRY(store.change_images([](Images&) -> Status { return {}; }));
    }
    return std::move(judged.report);
}

Status discard_since(Store const& store, Lease const& lease) {
    UniqueFd const lock = OBLEA_TRY(lock_store(store.root(), StoreLock::exclusive));
    Judged const judged = OBLEA_TRY(judge(store, &lease));
    return remove_with_reserve(store.root(), judged);
}

namespace {

void count_item(StoreItem const& item, StoreUsage& usage) {
    switch (item.item.kind) {
    case Garbage::Kind::object:
        ++usage.objects;
        usage.object_bytes += item.item.bytes;
        break;
    case Garbage::Kind::blob:
        ++usage.blobs;
        usage.blob_bytes += item.item.bytes;
        break;
    case Garbage::Kind::merged:
        usage.merged_bytes += item.item.bytes;
        break;
    case Garbage::Kind::layer:
    case Garbage::Kind::lease:
    case Garbage::Kind::temporary:
        break;
    }
}

Status count_layer(int root, Digest const& layer, StoreUsage& usage) {
    ++usage.layers;
    usage.pack_bytes += OBLEA_TRY(tree_bytes(root, layout::layer_pack(layer).c_str()));
    usage.pack_bytes += OBLEA_TRY(tree_bytes(root, layout::layer_framed_pack(layer).c_str()));
    usage.index_bytes += OBLEA_TRY(tree_bytes(root, layout::layer_index(layer).c_str()));
    usage.index_bytes += OBLEA_TRY(tree_bytes(root, layout::layer_recipe(layer).c_str()));
    return {};
}

}  // namespace

Result<StoreUsage> measure_usage(Store const& store) {
    StoreUsage usage;
    Images const images = OBLEA_TRY(store.own_images());
    for (Image const& image : images.all()) {
        ++usage.images;
        usage.referenced_bytes += image.size_bytes;
    }
    Inventory const inventory = OBLEA_TRY(take_inventory(store.root()));
    for (StoreItem const& item : inventory.items) {
        count_item(item, usage);
        if (item.item.kind == Garbage::Kind::layer && item.digest.has_value()) {
            OBLEA_TRY(count_layer(store.root(), *item.digest, usage));
        }
    }
    usage.containers = inventory.containers.size();
    usage.container_bytes = OBLEA_TRY(tree_bytes(store.root(), layout::kContainers));
    usage.disk_bytes = OBLEA_TRY(tree_bytes(store.root(), "."));
    return usage;
}

}  // namespace oblea::store
