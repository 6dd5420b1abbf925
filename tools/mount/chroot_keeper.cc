// SPDX-License-Identifier: MIT
#include "tools/mount/chroot_keeper.h"

#include "fs/mountinfo.h"
#include "tools/mount/jailed_command.h"
#include "tools/mount/private_server.h"
#include "tools/mount/served_image.h"

#include <fmt/core.h>

namespace oblea::tools {
namespace {

struct Served {
    PrivateServer server;
    ImageDefaults defaults;
    enum class Container { made_before, made_now } container = Container::made_now;
};

Result<Served> serve(store::StoreOptions const& store_options, ChrootRequest const& request) {
    store::Store const store =
        OBLEA_TRY(store::Store::open(store_options, store::Store::Create::no));
    ResolvedSource const source = OBLEA_TRY(resolve_source(store, request.source));
    Served served;
    served.defaults = OBLEA_TRY(read_image_defaults(store, source.image));
    served.container =
        source.container ? Served::Container::made_before : Served::Container::made_now;
    served.server = OBLEA_TRY(serve_privately(store_options, {.source = request.source,
                                                              .remove = request.remove,
                                                              .contents = request.contents,
                                                              .dev = fs::MountOptions::Dev::yes}));
    return served;
}

Result<ChrootResult> run_on_image(store::StoreOptions const& store_options,
                                  ChrootRequest const& request, Rights rights) {
    Served const served = OBLEA_TRY(serve(store_options, request));
    auto result = run_jailed({.root = served.server.info.mount_point,
                              .rights = rights,
                              .defaults = served.defaults,
                              .server = served.server.process.pid},
                             request);
    auto const ended = end_private_server(served.server);
    if (!result.has_value()) {
        return result;
    }
    OBLEA_TRY(ended);
    store::Store const store =
        OBLEA_TRY(store::Store::open(store_options, store::Store::Create::no));
    auto const container = OBLEA_TRY(find_container(store, served.server.info.container_id));
    if (container && served.container == Served::Container::made_now) {
        result->kept = container->name;
    }
    return result;
}

Result<ChrootResult> run_on_folder(ChrootRequest const& request, Rights rights) {
    auto const entry = fs::top_mount_at(OBLEA_TRY(fs::read_mountinfo()), request.folder);
    if (!entry || !fs::is_ours(*entry)) {
        return fail(Errno::einval, "",
                    fmt::format("{} is no mount of oblea's; mount an image there first, or name "
                                "the image",
                                request.folder));
    }
    return run_jailed({.root = request.folder, .rights = rights, .defaults = {}, .server = -1},
                      request);
}

}  // namespace

Result<ChrootResult> keep_chroot(store::StoreOptions const& store_options,
                                 ChrootRequest const& request) {
    Rights const rights = OBLEA_TRY(enter_private_namespaces(request.warn));
    end_with_parent();
    return request.folder.empty() ? run_on_image(store_options, request, rights)
                                  : run_on_folder(request, rights);
}

}  // namespace oblea::tools
