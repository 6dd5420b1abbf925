// SPDX-License-Identifier: MIT
#include "tools/mount/private_server.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "tools/mount/mount_info.h"
#include "tools/mount/serve_process.h"
#include "tools/mount/user_namespace.h"

#include <fmt/format.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr std::size_t kIdMapBytesMax = 1U << 20U;

// Is root of a user namespace already, as in a rootless container: device nodes cannot be used.
Result<Rights> true_rights(Rights rights) {
    auto const map = OBLEA_TRY(sys::read_file(AT_FDCWD, "/proc/self/uid_map", kIdMapBytesMax));
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
    add("etc/hostname", fs::FileType::regular);
    return wanted;
}

Result<std::string> namespace_name(std::string const& process, char const* kind) {
    return sys::readlinkat(AT_FDCWD, fmt::format("/proc/{}/ns/{}", process, kind).c_str());
}

}  // namespace

void end_with_parent() {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
}

Result<Rights> enter_private_namespaces(Warn const& warn) {
    Rights rights = Rights::machine_root;
    if (!may_mount()) {
        EnteredNamespace const entered = OBLEA_TRY(enter_user_namespace());
        if (warn && !entered.warning.empty()) {
            warn(entered.warning);
        }
        rights = Rights::namespace_root;
    }
    OBLEA_TRY(enter_mount_namespace());
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    return true_rights(rights);
}

Result<OwnerIds> owner_ids_in_private() {
    if (may_mount()) {
        return owner_ids_here();
    }
    Child const child = OBLEA_TRY(start_child(Parentage::own, {}, [](Report& report) {
        auto const entered = enter_user_namespace();
        if (!entered.has_value()) {
            report.failure(entered.error());
            return 1;
        }
        bool const real = entered->ids == OwnerIds::real;
        return report.success(real ? "real" : "squashed").has_value() ? 0 : 1;
    }));
    OBLEA_TRY(wait_for_child(child.pid));
    return child.report == "real" ? OwnerIds::real : OwnerIds::squashed;
}

Status join_namespaces(std::int64_t pid) {
    std::string const process = std::to_string(pid);
    struct Kind {
        char const* name;
        int flag;
    };
    // The user namespace first: it gives the right to enter the other.
    for (Kind const kind : {Kind{"user", CLONE_NEWUSER}, Kind{"mnt", CLONE_NEWNS}}) {
        if (OBLEA_TRY(namespace_name(process, kind.name)) ==
            OBLEA_TRY(namespace_name("self", kind.name))) {
            continue;
        }
        auto const space =
            OBLEA_TRY(sys::open(fmt::format("/proc/{}/ns/{}", process, kind.name), O_RDONLY));
        if (::setns(space.get(), kind.flag) != 0) {
            return fail(sys::last_errno(), "setns", fmt::format("process {}", pid));
        }
        bool const user = kind.flag == CLONE_NEWUSER;
        if (user && (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)) {
            return fail(sys::last_errno(), "setresuid");
        }
    }
    return {};
}

Status forbid_devices_at_root(std::int64_t pid) {
    auto const forbid = [pid]() -> Status {
        OBLEA_TRY(join_namespaces(pid));
        mount_attr wanted{};
        wanted.attr_set = MOUNT_ATTR_NODEV;
        if (::mount_setattr(AT_FDCWD, "/", 0, &wanted, sizeof(wanted)) != 0) {
            return fail(sys::last_errno(), "mount_setattr", "the container's root");
        }
        return {};
    };
    Child const child = OBLEA_TRY(start_child(Parentage::own, {}, [&](Report& report) {
        auto forbidden = forbid();
        if (forbidden.has_value()) {
            forbidden = report.success({});
        }
        if (!forbidden.has_value()) {
            report.failure(forbidden.error());
        }
        return 0;
    }));
    OBLEA_TRY(wait_for_child(child.pid));
    return {};
}

Result<PrivateServer> serve_privately(store::StoreOptions const& store_options,
                                      PrivateMount const& wanted) {
    MountRequest mount;
    mount.source = wanted.source;
    mount.remove = wanted.remove;
    mount.contents = wanted.contents;
    mount.options.access = fs::MountOptions::Access::allow_other;
    mount.options.suid = fs::MountOptions::Suid::yes;
    mount.options.dev = wanted.dev;
    mount.options.placeholders = placeholders();
    Child process = OBLEA_TRY(start_child(Parentage::own_session, {}, [&](Report& report) {
        end_with_parent();
        return serve_and_report(store_options, mount, report);
    }));
    auto described = parse_encoded_mount(process.report);
    if (!described) {
        return fail(Errno::eio, "", "the server's report cannot be read");
    }
    return PrivateServer{.process = std::move(process), .info = std::move(described->info)};
}

Status end_private_server(PrivateServer const& server) {
    if (::kill(server.process.pid, SIGTERM) != 0) {
        return fail(sys::last_errno(), "kill", "the file system's server");
    }
    int const status = OBLEA_TRY(wait_for_child(server.process.pid));
    if (status != 0) {
        return fail(Errno::eio, "",
                    "the file system's server did not end cleanly; see the log of the container");
    }
    return {};
}

Result<ImageDefaults> read_image_defaults(store::Store const& store, store::Digest const& image) {
    auto const config = OBLEA_TRY(store.read_blob(image, limits::kConfigBytesMax));
    if (!config) {
        return ImageDefaults{};  // removed since the container was made; its layers are kept
    }
    return parse_image_defaults(*config);
}

}  // namespace oblea::tools
