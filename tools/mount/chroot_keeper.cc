// SPDX-License-Identifier: MIT
#include "tools/mount/chroot_keeper.h"

#include "fs/fuse/mountinfo.h"
#include "store/base/sys.h"
#include "store/image/image_view.h"
#include "tools/mount/background.h"
#include "tools/mount/command_plan.h"
#include "tools/mount/jailed_command.h"
#include "tools/mount/mount_info.h"
#include "tools/mount/serve_process.h"
#include "tools/mount/served_image.h"
#include "tools/mount/user_namespace.h"

#include <fmt/core.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr std::size_t kConfigBytesMax = 8U << 20U;

// An orphan would serve for ever.
void end_with_parent() {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
}

void warn(ChrootRequest const& request, std::string const& message) {
    if (request.warn && !message.empty()) {
        request.warn(message);
    }
}

Result<Rights> enter_namespaces(ChrootRequest const& request) {
    Rights rights = Rights::machine_root;
    if (!may_mount()) {
        warn(request, OBLEA_TRY(enter_user_namespace()).warning);
        rights = Rights::namespace_root;
    }
    OBLEA_TRY(enter_mount_namespace());
    end_with_parent();
    // What the command leaves behind becomes ours to end.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    return rights;
}

// Is root of a user namespace already, as in a rootless container: device nodes cannot be used.
Result<Rights> true_rights(Rights rights) {
    auto const map = OBLEA_TRY(sys::read_file(AT_FDCWD, "/proc/self/uid_map", 1U << 20U));
    bool const initial = map.find("4294967295") != std::string::npos;
    return initial ? rights : Rights::namespace_root;
}

std::vector<fs::Placeholder> placeholders() {
    std::vector<fs::Placeholder> wanted;
    auto const add = [&](char const* path, fs::FileType type) {
        if (auto parsed = fs::RelPath::parse(path); parsed.has_value()) {
            wanted.push_back({.path = *std::move(parsed), .type = type});
        }
    };
    add("proc", fs::FileType::directory);
    add("sys", fs::FileType::directory);
    add("dev", fs::FileType::directory);
    add("etc/resolv.conf", fs::FileType::regular);
    add("etc/hosts", fs::FileType::regular);
    return wanted;
}

struct Served {
    Child server;
    MountInfo info;
    ImageDefaults defaults;
    enum class Container { made_before, made_now } container = Container::made_now;
};

Result<ImageDefaults> read_defaults(store::Store const& store, store::Digest const& image) {
    auto const config = OBLEA_TRY(store.read_blob(image, kConfigBytesMax));
    if (!config) {
        return ImageDefaults{};  // removed since the container was made; its layers are kept
    }
    return parse_image_defaults(*config);
}

Result<Served> serve(std::string const& store_path, ChrootRequest const& request) {
    store::Store const store = OBLEA_TRY(store::Store::open(store_path, store::Store::Create::no));
    ResolvedSource const source = OBLEA_TRY(resolve_source(store, request.source));
    Served served;
    served.defaults = OBLEA_TRY(read_defaults(store, source.image));
    served.container =
        source.container ? Served::Container::made_before : Served::Container::made_now;
    MountRequest mount;
    mount.source = request.source;
    mount.remove = request.remove;
    mount.options.access = fs::MountOptions::Access::allow_other;
    mount.options.suid = fs::MountOptions::Suid::yes;
    mount.options.dev = fs::MountOptions::Dev::yes;
    mount.options.placeholders = placeholders();
    served.server = OBLEA_TRY(start_child(Parentage::own_session, -1, [&](Report& report) {
        end_with_parent();
        return serve_and_report(store_path, mount, report);
    }));
    auto described = parse_encoded_mount(served.server.report);
    if (!described) {
        return fail(Errno::eio, "", "the server's report cannot be read");
    }
    served.info = std::move(described->info);
    return served;
}

Status end_server(Child const& server) {
    if (::kill(server.pid, SIGTERM) != 0) {
        return fail(sys::last_errno(), "kill", "the file system's server");
    }
    int const status = OBLEA_TRY(wait_for_child(server.pid));
    if (status != 0) {
        return fail(Errno::eio, "",
                    "the file system's server did not end cleanly; see the log of the container");
    }
    return {};
}

Result<ChrootResult> run_on_image(std::string const& store_path, ChrootRequest const& request,
                                  Rights rights) {
    Served const served = OBLEA_TRY(serve(store_path, request));
    auto result = run_jailed({.root = served.info.mount_point,
                              .rights = rights,
                              .defaults = served.defaults,
                              .server = served.server.pid},
                             request);
    auto const ended = end_server(served.server);
    if (!result.has_value()) {
        return result;
    }
    OBLEA_TRY(ended);
    store::Store const store = OBLEA_TRY(store::Store::open(store_path, store::Store::Create::no));
    auto const container = OBLEA_TRY(find_container(store, served.info.container_id));
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

Result<ChrootResult> keep_chroot(std::string const& store_path, ChrootRequest const& request) {
    Rights const entered = OBLEA_TRY(enter_namespaces(request));
    Rights const rights = OBLEA_TRY(true_rights(entered));
    return request.folder.empty() ? run_on_image(store_path, request, rights)
                                  : run_on_folder(request, rights);
}

}  // namespace oblea::tools
