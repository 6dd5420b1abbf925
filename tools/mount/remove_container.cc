// SPDX-License-Identifier: MIT
#include "fs/upper/upper_dir.h"
#include "store/base/sys.h"
#include "store/layer/layout.h"
#include "tools/mount/container_lock.h"
#include "tools/mount/containers.h"
#include "tools/mount/remove_folder.h"

#include <fmt/core.h>

namespace oblea::tools {
namespace {

namespace layout = store::layout;
namespace sys = base::sys;

// Holds the upper layer as a mount would, so that nobody serves it meanwhile.
Result<std::unique_ptr<fs::UpperDir>> hold_upper(store::Store const& store,
                                                 Container const& container) {
    std::string const folder = store.path() + "/" + container.folder();
    auto upper = fs::UpperDir::open(folder + "/upper", folder + "/work");
    if (upper.has_value()) {
        return *std::move(upper);
    }
    if (upper.error().code == Errno::ebusy) {
        return fail(Errno::ebusy, "",
                    fmt::format("container {} is mounted; unmount it first", container.name));
    }
    return std::unexpected<Error>(std::move(upper).error());
}

// By who holds both the list of containers and this one.
Status bury(store::Store const& store, Container const& container) {
    // From the rename on nobody takes it for a container; what a crash leaves is in the store's
    // folder for such things.
    std::string const grave = fmt::format("{}/container-{}", layout::kTmp, container.id);
    OBLEA_TRY(sys::mkdirat_if_missing(store.root(), layout::kTmp, 0700));
    OBLEA_TRY(
        sys::renameat2(store.root(), container.folder().c_str(), store.root(), grave.c_str()));
    return remove_folder(store, grave);
}

}  // namespace

Status remove_container(store::Store const& store, Container const& container) {
    auto const lock = OBLEA_TRY(lock_containers(store));
    auto const held = hold_upper(store, container);
    if (!held.has_value() && held.error().code == Errno::ebusy) {
        return std::unexpected<Error>(held.error());
    }
    return bury(store, container);  // whatever else is wrong with it
}

Status drop_untouched(store::Store const& store, Container const& container) {
    auto const lock = OBLEA_TRY(lock_containers(store));
    auto const held = OBLEA_TRY(hold_upper(store, container));
    return OBLEA_TRY(held->empty()) ? bury(store, container) : Status{};
}

}  // namespace oblea::tools
