// SPDX-License-Identifier: MIT
#include "store/inventory.h"

#include "store/base/sys.h"
#include "store/layer/layout.h"
#include "store/lease_files.h"

#include <algorithm>
#include <set>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

constexpr std::uint64_t kStatBlockBytes = 512;  // of st_blocks, on every file system
constexpr std::string_view kMergedSuffix = ".index";

using InodeSet = std::set<std::pair<dev_t, ino_t>>;

Result<std::uint64_t> count_tree(int dir, char const* path, InodeSet& seen) {
    auto const info = OBLEA_TRY(sys::stat_if_exists(dir, path));
    if (!info.has_value() || (info->st_nlink > 1 && !S_ISDIR(info->st_mode) &&
                              !seen.emplace(info->st_dev, info->st_ino).second)) {
        return 0;
    }
    std::uint64_t bytes = static_cast<std::uint64_t>(info->st_blocks) * kStatBlockBytes;
    if (!S_ISDIR(info->st_mode)) {
        return bytes;
    }
    auto const folder = sys::openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder.has_value()) {
        if (folder.error().code == Errno::enoent) {
            return 0;
        }
        return std::unexpected<Error>(with_context(folder.error(), path));
    }
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder->get()))) {
        bytes += OBLEA_TRY(count_tree(folder->get(), entry.name.c_str(), seen));
    }
    return bytes;
}

// Entries of a folder of the store, sorted; an absent folder has none.
Result<std::vector<std::string>> names_in(int root, std::string const& path) {
    auto const folder = sys::openat(root, path.c_str(), O_RDONLY | O_DIRECTORY);
    std::vector<std::string> names;
    if (!folder.has_value() && folder.error().code == Errno::enoent) {
        return names;
    }
    if (!folder.has_value()) {
        return std::unexpected<Error>(with_context(folder.error(), path));
    }
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder->get()))) {
        names.push_back(entry.name);
    }
    std::ranges::sort(names);
    return names;
}

class Collector {
public:
    explicit Collector(int root) : root_(root) {}

    Status add(std::vector<StoreItem>& list, Garbage::Kind kind, std::string path,
               std::string_view hex) {
        auto const info = OBLEA_TRY(sys::stat_if_exists(root_, path.c_str()));
        if (!info.has_value()) {
            return {};
        }
        StoreItem item;
        item.item.kind = kind;
        item.item.bytes = S_ISDIR(info->st_mode)
                              ? OBLEA_TRY(tree_bytes(root_, path.c_str()))
                              : static_cast<std::uint64_t>(info->st_blocks) * kStatBlockBytes;
        item.item.path = std::move(path);
        item.changed = {info->st_ctim.tv_sec, static_cast<std::uint32_t>(info->st_ctim.tv_nsec)};
        if (auto const digest = Digest::parse_hex(hex); digest.has_value()) {
            item.digest = *digest;
        } else if (kind != Garbage::Kind::lease) {
            // Nothing that has a place in this folder is called so.
            item.item.kind = Garbage::Kind::temporary;
        }
        list.push_back(std::move(item));
        return {};
    }

    Status add_folder(Garbage::Kind kind, std::string const& folder, std::string_view suffix = "") {
        for (std::string const& name : OBLEA_TRY(names_in(root_, folder))) {
            std::string_view stem = name;
            if (stem.ends_with(suffix)) {
                stem.remove_suffix(suffix.size());
            }
            OBLEA_TRY(add(inventory.items, kind, folder + '/' + name, stem));
        }
        return {};
    }

    Status add_objects() {
        for (std::string const& name : OBLEA_TRY(names_in(root_, layout::kObjects))) {
            std::string const folder = std::string{layout::kObjects} + '/' + name;
            std::size_t const before = inventory.items.size();
            OBLEA_TRY(add_folder(Garbage::Kind::object, folder));
            if (inventory.items.size() == before) {
                OBLEA_TRY(add(inventory.items, Garbage::Kind::temporary, folder, ""));
            }
        }
        return {};
    }

    Status add_temporaries() {
        for (std::string const& name : OBLEA_TRY(names_in(root_, layout::kTmp))) {
            std::string path = std::string{layout::kTmp} + '/' + name;
            if (path != layout::kReserve) {
                OBLEA_TRY(add(inventory.items, Garbage::Kind::temporary, std::move(path), ""));
            }
        }
        // What replace_file() leaves when it is killed.
        for (std::string const& name : OBLEA_TRY(names_in(root_, "."))) {
            if (name.find(".new.") != std::string::npos) {
                OBLEA_TRY(add(inventory.items, Garbage::Kind::temporary, name, ""));
            }
        }
        return {};
    }

    Status add_volumes() {
        inventory.volumes = OBLEA_TRY(names_in(root_, layout::kVolumes));
        return {};
    }

    // A folder without container.json is no container: it is being made, or was when somebody was
    // killed.
    Status add_containers() {
        for (std::string const& id : OBLEA_TRY(names_in(root_, layout::kContainers))) {
            std::string const path = layout::container(id);
            auto const file =
                OBLEA_TRY(sys::stat_if_exists(root_, (path + "/container.json").c_str()));
            if (file.has_value()) {
                inventory.containers.push_back(id);
            } else {
                OBLEA_TRY(add(inventory.items, Garbage::Kind::temporary, path, ""));
            }
        }
        return {};
    }

    Status add_leases() {
        for (std::string const& name : OBLEA_TRY(names_in(root_, layout::kLeases))) {
            std::string const path = std::string{layout::kLeases} + '/' + name;
            OBLEA_TRY(add(inventory.lease_files, Garbage::Kind::lease, path, ""));
            if (lease_files::lease_of(path) == path) {
                OBLEA_TRY(add_lease(path));
            }
        }
        return {};
    }

    Inventory inventory;

private:
    Status add_lease(std::string const& path) {
        auto const file = sys::openat(root_, path.c_str(), O_RDWR | O_NOFOLLOW);
        if (!file.has_value()) {
            if (file.error().code == Errno::enoent) {
                return {};
            }
            return std::unexpected<Error>(with_context(file.error(), path));
        }
        struct stat const info = OBLEA_TRY(sys::fstat(file->get()));
        bool const dead = OBLEA_TRY(sys::try_lock(file->get(), sys::LockKind::exclusive));
        inventory.leases.push_back(
            {path,
             {info.st_mtim.tv_sec, static_cast<std::uint32_t>(info.st_mtim.tv_nsec)},
             dead ? LeaseItem::State::dead : LeaseItem::State::held});
        return {};
    }

    int root_;
};

}  // namespace

std::string folder_of_object(std::string const& path) {
    return path.substr(0, path.rfind('/'));
}

Result<std::uint64_t> file_bytes(int dir, char const* path) {
    auto const info = OBLEA_TRY(sys::stat_if_exists(dir, path));
    return info.has_value() ? static_cast<std::uint64_t>(info->st_blocks) * kStatBlockBytes : 0;
}

Result<std::uint64_t> tree_bytes(int dir, char const* path) {
    InodeSet seen;
    return count_tree(dir, path, seen);
}

Result<Inventory> take_inventory(int root) {
    Collector collector{root};
    OBLEA_TRY(collector.add_folder(Garbage::Kind::merged, layout::kMerged, kMergedSuffix));
    OBLEA_TRY(collector.add_folder(Garbage::Kind::layer, layout::kLayers));
    OBLEA_TRY(collector.add_objects());
    OBLEA_TRY(collector.add_folder(Garbage::Kind::blob, layout::kBlobs));
    OBLEA_TRY(collector.add_temporaries());
    OBLEA_TRY(collector.add_leases());
    OBLEA_TRY(collector.add_containers());
    OBLEA_TRY(collector.add_volumes());
    return std::move(collector.inventory);
}

}  // namespace oblea::store
