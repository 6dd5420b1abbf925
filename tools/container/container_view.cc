// SPDX-License-Identifier: MIT
#include "tools/container/container_view.h"

#include "store/base/sys.h"
#include "tools/mount/private_server.h"

#include <optional>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

using Look = std::function<Result<std::string>(ContainerView const&)>;

Result<std::string> look_at(store::StoreOptions const& store_options, Container const& container,
                            std::string const& mount_point, int extra, Look const& look) {
    auto const store = OBLEA_TRY(store::Store::open(store_options, store::Store::Create::no));
    auto const root = OBLEA_TRY(sys::open(mount_point, O_RDONLY | O_DIRECTORY));
    std::string const upper_path = container.folder() + "/upper";
    auto const upper =
        OBLEA_TRY(sys::openat(store.root(), upper_path.c_str(), O_RDONLY | O_DIRECTORY));
    return look({.store = store,
                 .container = container,
                 .root = root.get(),
                 .path = mount_point,
                 .upper = upper.get(),
                 .extra = extra});
}

// In a child, which it leaves in other namespaces.
Result<std::string> look_from_inside(store::StoreOptions const& store_options,
                                     Container const& container,
                                     std::optional<MountInfo> const& live, int extra,
                                     Look const& look) {
    if (live.has_value()) {
        OBLEA_TRY(join_namespaces(live->pid));
        end_with_parent();
        return look_at(store_options, container, live->mount_point, extra, look);
    }
    OBLEA_TRY(enter_private_namespaces({}));
    end_with_parent();
    PrivateServer const server = OBLEA_TRY(
        serve_privately(store_options, {.source = {.image = {}, .container = container.id}}));
    auto seen = look_at(store_options, container, server.info.mount_point, extra, look);
    auto const ended = end_private_server(server);
    if (seen.has_value()) {
        OBLEA_TRY(ended);
    }
    return seen;
}

}  // namespace

Result<std::string> look_into(store::Store const& store, Container const& container, int extra,
                              Look const& look) {
    auto const live = OBLEA_TRY(find_server(store, container.id));
    store::StoreOptions const store_options = store.options();
    Child const child = OBLEA_TRY(start_child(Parentage::own, {extra}, [&](Report& report) {
        auto const seen = look_from_inside(store_options, container, live, extra, look);
        if (!seen.has_value()) {
            report.failure(seen.error());
            return 1;
        }
        return report.success(*seen).has_value() ? 0 : 1;
    }));
    OBLEA_TRY(wait_for_child(child.pid));
    return child.report;
}

}  // namespace oblea::tools
