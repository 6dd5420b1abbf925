// SPDX-License-Identifier: MIT
#include "store/expiry.h"

#include "store/base/sys.h"
#include "store/disk_use.h"
#include "store/index/merge.h"
#include "store/inventory.h"
#include "store/layer/layout.h"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace oblea::store {

namespace sys = base::sys;

std::vector<ExpiredImage> plan_expiry(std::vector<ExpiryCandidate> const& candidates,
                                      std::uint64_t total_bytes, ExpiryLimits const& limits) {
    std::unordered_map<std::string, std::size_t> needed;
    std::vector<ExpiryCandidate const*> order;
    for (ExpiryCandidate const& candidate : candidates) {
        for (auto const& thing : candidate.things) {
            ++needed[thing.path];
        }
        if (candidate.state == ExpiryCandidate::State::free) {
            order.push_back(&candidate);
        }
    }
    std::ranges::stable_sort(order, {}, &ExpiryCandidate::last_used);
    std::vector<ExpiredImage> expired;
    for (ExpiryCandidate const* const candidate : order) {
        bool const old =
            limits.used_before.has_value() && candidate->last_used < *limits.used_before;
        bool const too_much = limits.keep_bytes.has_value() && total_bytes > *limits.keep_bytes;
        if (!old && !too_much) {
            break;  // the others were used later
        }
        ExpiredImage image{.id = candidate->id};
        for (auto const& thing : candidate->things) {
            image.freed_bytes += --needed[thing.path] == 0 ? thing.bytes : 0;
        }
        total_bytes -= std::min(total_bytes, image.freed_bytes);
        expired.push_back(image);
    }
    return expired;
}

namespace {

// The merged tree is touched by every use, the config by every import.
std::int64_t last_used(int root, Image const& image) {
    std::vector<Digest> chain;
    for (ImageLayer const& layer : image.layers) {
        chain.push_back(layer.diff_id);
    }
    std::vector<std::string> paths{layout::blob(image.id)};
    if (!chain.empty()) {
        paths.push_back(layout::merged(chain_id(chain)));
    }
    std::int64_t used = 0;
    for (std::string const& path : paths) {
        auto const info = sys::stat_if_exists(root, path.c_str());
        if (info.has_value() && info->has_value()) {
            used = std::max<std::int64_t>(used, (*info)->st_mtim.tv_sec);
        }
    }
    return used;
}

}  // namespace

Result<ExpiryState> expiry_state(Store const& store, std::unordered_set<Digest> const& in_use) {
    ExpiryState state;
    Images const images = OBLEA_TRY(store.own_images());
    Inventory const inventory = OBLEA_TRY(take_inventory(store.root()));
    std::unordered_map<std::string, std::uint64_t> sizes;
    for (StoreItem const& item : inventory.items) {
        sizes.emplace(item.item.path, item.item.bytes);
    }
    for (Image const& image : images.all()) {
        ExpiryCandidate candidate;
        candidate.id = image.id;
        candidate.last_used = last_used(store.root(), image);
        candidate.state = in_use.contains(image.id) ? ExpiryCandidate::State::in_use
                                                    : ExpiryCandidate::State::free;
        std::set<std::string> folders;  // which go with the last object in them
        for (std::string& path : paths_of_image(store.root(), image)) {
            auto const size = sizes.find(path);
            std::uint64_t const bytes = size == sizes.end() ? 0 : size->second;
            if (path.starts_with(std::string{layout::kObjects} + '/')) {
                folders.insert(folder_of_object(path));
            }
            candidate.things.push_back({std::move(path), bytes});
        }
        for (std::string const& folder : folders) {
            std::uint64_t const bytes = OBLEA_TRY(file_bytes(store.root(), folder.c_str()));
            candidate.things.push_back({folder, bytes});
        }
        state.candidates.push_back(std::move(candidate));
    }
    DiskUse const use = OBLEA_TRY(measure_disk_use(store));
    state.total_bytes = use.total_bytes - std::min(use.total_bytes, use.garbage_bytes);
    return state;
}

}  // namespace oblea::store
