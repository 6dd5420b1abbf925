// SPDX-License-Identifier: MIT
#include "store/gc_plan.h"

#include "store/layer/layout.h"

#include <algorithm>
#include <ranges>
#include <set>

namespace oblea::store {

namespace {

bool is_reached(StoreItem const& item, Reached const& reached) {
    if (!item.digest.has_value()) {
        return false;
    }
    switch (item.item.kind) {
    case Garbage::Kind::layer:
        return reached.layers.contains(*item.digest);
    case Garbage::Kind::object:
        return reached.objects_state == Reached::Objects::unknown ||
               reached.objects.contains(*item.digest);
    case Garbage::Kind::blob:
        return reached.blobs.contains(*item.digest);
    case Garbage::Kind::merged:
        return reached.merged.contains(*item.digest);
    case Garbage::Kind::lease:
    case Garbage::Kind::temporary:
        break;
    }
    return false;
}

bool is_waiting_download(StoreItem const& item, GcScope const& scope) {
    return item.item.path.starts_with(layout::kDownloads) &&
           (!scope.downloads_since.has_value() || item.changed >= *scope.downloads_since);
}

int removal_rank(Garbage::Kind kind) {
    switch (kind) {
    case Garbage::Kind::merged:
        return 0;
    case Garbage::Kind::layer:
        return 1;
    case Garbage::Kind::object:
        return 2;
    case Garbage::Kind::blob:
        return 3;
    case Garbage::Kind::temporary:
        return 4;
    case Garbage::Kind::lease:
        return 5;
    }
    return 6;
}

void add_dead_leases(Inventory const& inventory, std::vector<Garbage>& removed) {
    std::set<std::string> held;
    for (LeaseItem const& lease : inventory.leases) {
        if (lease.state == LeaseItem::State::held) {
            held.insert(lease.path);
        }
    }
    // Backwards, so that the locked file goes after those that belong to it.
    for (StoreItem const& file : inventory.lease_files | std::views::reverse) {
        std::string const& path = file.item.path;
        bool const in_use = std::ranges::any_of(held, [&](std::string const& lease) {
            return path == lease || path.starts_with(lease + '.');
        });
        if (!in_use) {
            removed.push_back(file.item);
        }
    }
}

}  // namespace

bool is_young(StoreItem const& item, GcScope const& scope) {
    return scope.spare_since.has_value() && item.changed >= *scope.spare_since;
}

GcReport plan_gc(Inventory const& inventory, Reached const& reached, GcScope const& scope) {
    GcReport report;
    for (StoreItem const& item : inventory.items) {
        bool const in_scope = !scope.only_since.has_value() || item.changed >= *scope.only_since;
        if (is_reached(item, reached) || is_waiting_download(item, scope) || !in_scope) {
            continue;
        }
        if (is_young(item, scope)) {
            ++report.kept_for_leases;
        } else {
            report.removed.push_back(item.item);
        }
    }
    std::ranges::stable_sort(report.removed, {},
                             [](Garbage const& garbage) { return removal_rank(garbage.kind); });
    if (!scope.only_since.has_value()) {
        add_dead_leases(inventory, report.removed);
    }
    for (Garbage const& garbage : report.removed) {
        report.bytes += garbage.bytes;
    }
    return report;
}

}  // namespace oblea::store
