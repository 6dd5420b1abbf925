// SPDX-License-Identifier: MIT
#include "tools/container/bundle.h"

#include "store/base/sys.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/run_options.h"
#include "tools/container/container_volumes.h"
#include "tools/container/fill_volumes.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/remove.h"
#include "tools/mount/mount_image.h"
#include "tools/mount/user_namespace.h"

#include <unistd.h>

#include <filesystem>
#include <memory>

namespace oblea::tools {

namespace {

namespace sys = base::sys;

struct BundleOptions {
    std::string folder;
    RunOptions run;
};

Result<std::string> config_for(store::Store const& store, Container const& container,
                               std::string const& root, Rights rights) {
    auto const opened = OBLEA_TRY(sys::open(root, O_RDONLY | O_DIRECTORY));
    RunConfig config = OBLEA_TRY(run_config_of(container));
    OBLEA_TRY(fill_volumes(store, config, {.root = opened, .ids = container.owner_ids}));
    auto const volumes = OBLEA_TRY(volume_binds(store, config));
    config.binds.insert(config.binds.end(), volumes.begin(), volumes.end());
    find_kinds(config.binds);
    std::string const passwd = OBLEA_TRY(read_in_root(opened, "etc/passwd"));
    std::string const group = OBLEA_TRY(read_in_root(opened, "etc/group"));
    Identity identity = OBLEA_TRY(resolve_user(config.user, passwd, group));
    OBLEA_TRY(add_groups(identity, config.groups, group));
    std::optional<BundleFacts::OneId> one_id;
    if (rights == Rights::namespace_root && ::geteuid() != 0) {
        one_id = BundleFacts::OneId{.uid = ::geteuid(), .gid = ::getegid()};
    }
    auto const capabilities = OBLEA_TRY(plan_capabilities(config.capabilities));
    auto const devices =
        rights == Rights::machine_root ? OBLEA_TRY(harmless_devices()) : std::vector<std::string>{};
    std::vector<DeviceNumbers> allowed;
    for (Device const& device : config.devices) {
        allowed.push_back(OBLEA_TRY(find_device(device)));
    }
    return make_bundle_config({.config = config,
                               .root = "rootfs",
                               .hostname = hostname_of(config, container.id),
                               .identity = identity,
                               .rights = rights,
                               .ids = container.owner_ids,
                               .capabilities = capabilities,
                               .files = {},
                               .devices = devices,
                               .allowed = allowed,
                               .user_namespace = one_id});
}

Result<int> bundle(Context& context, BundleOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    std::error_code code;
    std::string const folder = std::filesystem::absolute(options.folder, code).string();
    std::string const root = folder + "/rootfs";
    OBLEA_TRY(sys::mkdir_all(root, 0755));
    Rights const rights = may_mount() ? Rights::machine_root : Rights::namespace_root;
    Container const container =
        OBLEA_TRY(make_container(context, store, options.run, MountedBy::this_process));
    MountRequest mount;
    mount.source = {.image = {}, .container = container.id};
    mount.mount_point = root;
    if (rights == Rights::machine_root) {
        mount.options.access = fs::MountOptions::Access::allow_other;
        mount.options.suid = fs::MountOptions::Suid::yes;
    }
    auto const made = [&]() -> Status {
        OBLEA_TRY(mount_image(store, mount));
        std::string const text = OBLEA_TRY(config_for(store, container, root, rights));
        return sys::replace_file(AT_FDCWD, (folder + "/config.json").c_str(), text, 0644,
                                 sys::Sync::no);
    }();
    if (!made.has_value()) {
        // What is mounted keeps it from being removed.
        static_cast<void>(unmount_by(store, root, fs::Lazy::yes));
        static_cast<void>(remove_unused(store, container, {.volumes = UnnamedVolumes::remove}));
        return std::unexpected<Error>(made.error());
    }
    context.line(container.name);
    return exit_code::kSuccess;
}

}  // namespace

Command bundle_command() {
    auto options = std::make_shared<BundleOptions>();
    std::vector<Operand> operands{
        {.name = "IMAGE", .help = "Name or id of an image", .target = &options->run.image},
        {.name = "DIR",
         .help = "Folder of the bundle; made if need be",
         .target = &options->folder},
        {.name = "COMMAND",
         .help = "The command and its arguments; default: the image's",
         .target = &options->run.command,
         .least = 0}};
    return {
        .name = "bundle",
        .aliases = {},
        .section = Command::Section::containers,
        .summary = "Make a bundle for any OCI runtime",
        .description = "Leaves the image mounted writable on DIR/rootfs, as a container, and the "
                       "runtime's config.json beside it, and prints the container's name. For an "
                       "ordinary user it has a user namespace with one id. 'oblea umount "
                       "DIR/rootfs' ends the mount.",
        .operands = std::move(operands),
        .options = run_option_list(options->run),
        .examples = {{"oblea bundle debian box && crun run --bundle box box1", "With crun"}},
        .options_end = Command::OptionsEnd::first_operand,
        .run = [options](Context& context) { return bundle(context, *options); },
    };
}

}  // namespace oblea::tools
