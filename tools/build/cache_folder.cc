// SPDX-License-Identifier: MIT
#include "tools/build/cache_folder.h"

#include "store/base/hash.h"
#include "store/base/sys.h"
#include "tools/mount/user_namespace.h"

namespace oblea::tools::build {
namespace {

namespace sys = base::sys;
using base::UniqueFd;
using Sharing = dockerfile::Mount::Sharing;

constexpr char const* kFolder = "caches";
constexpr std::string_view kLock = ".lock";

Result<UniqueFd> open_lock(store::Store const& store, std::string const& name) {
    std::string const path = std::string{kFolder} + '/' + name + std::string{kLock};
    return sys::openat(store.root(), path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
}

HeldCache held(store::Store const& store, std::string const& name, UniqueFd lock) {
    return {.folder = store.path() + '/' + kFolder + '/' + name, .lock = std::move(lock)};
}

// Files in it may belong to subordinate ids.
Status remove_folder(store::Store const& store, std::string const& path) {
    auto removed = sys::remove_tree(store.root(), path.c_str());
    if (!removed.has_value() &&
        (removed.error().code == Errno::eacces || removed.error().code == Errno::eperm)) {
        return remove_tree_as_root_of_namespace(store.root(), path);
    }
    return removed;
}

}  // namespace

Result<HeldCache> hold_cache(store::Store const& store, std::string const& id, Sharing sharing) {
    OBLEA_TRY(sys::mkdirat_if_missing(store.root(), kFolder, 0700));
    std::string const name = base::sha256(id).hex();
    if (sharing != Sharing::private_) {
        UniqueFd lock = OBLEA_TRY(open_lock(store, name));
        OBLEA_TRY(sys::lock(lock.get(), sharing == Sharing::locked ? sys::LockKind::exclusive
                                                                   : sys::LockKind::shared));
        return held(store, name, std::move(lock));
    }
    for (unsigned number = 0;; ++number) {
        std::string const own = number == 0 ? name : name + '-' + std::to_string(number);
        UniqueFd lock = OBLEA_TRY(open_lock(store, own));
        if (OBLEA_TRY(sys::try_lock(lock.get(), sys::LockKind::exclusive))) {
            return held(store, own, std::move(lock));
        }
    }
}

Result<CacheUse> remove_caches(store::Store const& store) {
    CacheUse use;
    auto const folder = sys::openat(store.root(), kFolder, O_RDONLY | O_DIRECTORY);
    if (!folder.has_value()) {
        return folder.error().code == Errno::enoent
                   ? Result<CacheUse>{use}
                   : Result<CacheUse>{std::unexpected<Error>(folder.error())};
    }
    auto const entries = OBLEA_TRY(sys::list_dir(folder->get()));
    for (sys::DirEntry const& entry : entries) {
        if (!entry.name.ends_with(kLock)) {
            continue;
        }
        std::string const name = entry.name.substr(0, entry.name.size() - kLock.size());
        UniqueFd const lock = OBLEA_TRY(open_lock(store, name));
        if (!OBLEA_TRY(sys::try_lock(lock.get(), sys::LockKind::exclusive))) {
            ++use.in_use;
            continue;
        }
        // The lock's file stays: somebody may wait for it.
        std::string const path = std::string{kFolder} + '/' + name;
        if (OBLEA_TRY(sys::stat_if_exists(store.root(), path.c_str())).has_value()) {
            OBLEA_TRY(remove_folder(store, path));
            ++use.folders;
        }
    }
    return use;
}

}  // namespace oblea::tools::build
