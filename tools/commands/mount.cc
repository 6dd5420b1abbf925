// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/mount/mount_image.h"
#include "tools/output/table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace oblea::tools {

namespace {

struct MountCommandOptions {
    std::string image;
    std::string folder;
    std::string name;
    std::string upper;
    bool remove = false;
    bool read_only = false;
    bool suid = false;
    bool dev = false;
    bool allow_other = false;
    bool foreground = false;
};

Result<MountRequest> request_of(Context const& context, MountCommandOptions const& options) {
    if (options.read_only && (!options.name.empty() || !options.upper.empty() || options.remove)) {
        return fail(Errno::einval, "",
                    "--read-only has no writable layer: leave out --name, --upper and --rm");
    }
    if (!options.upper.empty() && (!options.name.empty() || options.remove)) {
        return fail(Errno::einval, "",
                    "--upper is a writable layer of your own, not a container: leave out --name "
                    "and --rm");
    }
    MountRequest request;
    request.source = {.image = options.image, .container = options.name};
    request.mount_point = options.folder;
    request.mode = options.read_only ? MountMode::read_only : MountMode::writable;
    request.upper_dir = options.upper;
    request.remove = options.remove ? RemoveAtUnmount::always : RemoveAtUnmount::when_untouched;
    using fs::MountOptions;
    request.options.suid = options.suid ? MountOptions::Suid::yes : MountOptions::Suid::no;
    request.options.dev = options.dev ? MountOptions::Dev::yes : MountOptions::Dev::no;
    request.options.access =
        options.allow_other ? MountOptions::Access::allow_other : MountOptions::Access::owner_only;
    request.options.read_only =
        options.read_only ? MountOptions::ReadOnly::yes : MountOptions::ReadOnly::no;
    request.options.threads = context.globals.jobs;
    return request;
}

// The container's name is the result; everything else is a remark.
void report_mount(Context const& context, MountInfo const& info) {
    for (auto const& remark : info.notes) {
        context.warning(remark);
    }
    context.note(
        fmt::format("{} is mounted at {} ({})", info.image_name, info.mount_point, info.protocol));
    if (!info.container.empty()) {
        context.line(info.container);
    }
}

Result<int> mount(Context& context, MountCommandOptions const& options) {
    auto const request = OBLEA_TRY(request_of(context, options));
    auto const store = OBLEA_TRY(open_store(context));
    if (options.foreground) {
        OBLEA_TRY(serve_image(store, request, [&](MountInfo const& info) {
            report_mount(context, info);
            std::fflush(context.streams().out);
        }));
        return exit_code::kSuccess;
    }
    report_mount(context, OBLEA_TRY(mount_image(store, request)));
    return exit_code::kSuccess;
}

struct UmountOptions {
    std::vector<std::string> targets;
    bool lazy = false;
};

Result<int> unmount(Context& context, UmountOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    int status = exit_code::kSuccess;
    for (auto const& target : options.targets) {
        auto const done = unmount_by(store, target, options.lazy ? fs::Lazy::yes : fs::Lazy::no);
        if (!done.has_value()) {
            context.error(done.error());
            status = exit_code::kFailure;
            continue;
        }
        for (auto const& remark : done->notes) {
            context.warning(remark);
        }
        if (done->kept.has_value()) {
            context.line(fmt::format("Kept: {} ('oblea rm {}' drops what was changed)", *done->kept,
                                     *done->kept));
        }
    }
    return status;
}

struct MountsOptions {
    std::string format = "table";
};

std::string mounts_json(std::vector<MountInfo> const& mounts) {
    auto array = nlohmann::ordered_json::array();
    for (auto const& mount : mounts) {
        array.push_back({{"mount_point", mount.mount_point},
                         {"image", mount.image},
                         {"image_name", mount.image_name},
                         {"container", mount.container},
                         {"container_id", mount.container_id},
                         {"upper", mount.upper_dir},
                         {"mode", mount.mode},
                         {"protocol", mount.protocol},
                         {"reason", mount.reason},
                         {"pid", mount.pid},
                         {"started", mount.started},
                         {"notes", mount.notes}});
    }
    return array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<int> list_all_mounts(Context& context, MountsOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const mounts = OBLEA_TRY(list_mounts(store));
    if (options.format == "json") {
        context.line(mounts_json(mounts));
        return exit_code::kSuccess;
    }
    Table table({"MOUNT POINT", "IMAGE", "CONTAINER", "MODE", "PID", "PROTOCOL"});
    for (auto const& mount : mounts) {
        table.add_row({mount.mount_point, mount.image_name.empty() ? mount.image : mount.image_name,
                       mount.container.empty() ? mount.upper_dir : mount.container, mount.mode,
                       std::to_string(mount.pid), mount.protocol});
    }
    context.print(table.render());
    return exit_code::kSuccess;
}

}  // namespace

Command mount_command() {
    auto options = std::make_shared<MountCommandOptions>();
    return {
        .name = "mount",
        .aliases = {"image mount"},
        .section = Command::Section::mounts,
        .summary = "Mount an image on a folder",
        .description =
            "The mount is writable: changes go to a writable layer of the store, a container, "
            "whose name is printed. One that is still untouched is dropped at unmount; one with "
            "changes is kept, until 'oblea rm', and mounted again by --name. The image never "
            "changes.\n\n"
            "Setuid programs and devices of the image have no effect, and only you see the mount, "
            "unless asked otherwise. No root is needed: 'oblea info' says what this machine "
            "allows.",
        .operands = {{.name = "IMAGE", .help = "Name or id", .target = &options->image},
                     {.name = "DIR",
                      .help = "The folder to mount on; it must exist",
                      .target = &options->folder}},
        .options = {{.names = "--name",
                     .value_name = "NAME",
                     .help = "Name of the container: one that exists is used again",
                     .target = &options->name,
                     .choices = {}},
                    {.names = "--upper",
                     .value_name = "DIR",
                     .help = "Write to this folder instead of a container; DIR.work is made beside "
                             "it",
                     .target = &options->upper,
                     .choices = {}},
                    {.names = "--rm",
                     .value_name = "",
                     .help = "Drop the container at unmount, whatever was changed",
                     .target = &options->remove,
                     .choices = {}},
                    {.names = "-r,--read-only",
                     .value_name = "",
                     .help = "No writable layer: every change is refused",
                     .target = &options->read_only,
                     .choices = {}},
                    {.names = "--suid",
                     .value_name = "",
                     .help = "Let setuid programs of the image have their effect",
                     .target = &options->suid,
                     .choices = {}},
                    {.names = "--dev",
                     .value_name = "",
                     .help = "Let device nodes of the image be devices",
                     .target = &options->dev,
                     .choices = {}},
                    {.names = "--allow-other",
                     .value_name = "",
                     .help = "Let other users see the mount",
                     .target = &options->allow_other,
                     .choices = {}},
                    {.names = "--foreground",
                     .value_name = "",
                     .help = "Stay until unmounted, with messages on standard error",
                     .target = &options->foreground,
                     .choices = {}}},
        .examples = {{"oblea mount debian ./root", "Writable, changes kept under a printed name"},
                     {"oblea mount --name web debian ./root", "Under a name of your own"},
                     {"oblea mount --read-only debian ./root", "Just to look"}},
        .run = [options](Context& context) { return mount(context, *options); },
    };
}

Command umount_command() {
    auto options = std::make_shared<UmountOptions>();
    return {
        .name = "umount",
        .aliases = {"unmount", "image unmount", "image umount"},
        .section = Command::Section::mounts,
        .summary = "Unmount images",
        .description = "Waits until everything is written and the server has ended. A container "
                       "with changes is kept, and its name printed.",
        .operands = {{.name = "DIR|NAME",
                      .help = "A mount point, or the name of a mounted container",
                      .target = &options->targets}},
        .options = {{.names = "-l,--lazy",
                     .value_name = "",
                     .help = "Take the mount away even while it is in use",
                     .target = &options->lazy,
                     .choices = {}}},
        .examples = {{"oblea umount ./root", "Unmount"},
                     {"oblea umount --lazy ./root", "When something still uses it"}},
        .run = [options](Context& context) { return unmount(context, *options); },
    };
}

Command mounts_command() {
    auto options = std::make_shared<MountsOptions>();
    return {
        .name = "mounts",
        .aliases = {},
        .section = Command::Section::mounts,
        .summary = "List the mounts of the store",
        .description = "With json, also why each is served as it is.",
        .operands = {},
        .options = {{.names = "--format",
                     .value_name = "FORMAT",
                     .help = "table, or json for programs",
                     .target = &options->format,
                     .choices = {"table", "json"}}},
        .examples = {{"oblea mounts", "What is mounted where"}},
        .run = [options](Context& context) { return list_all_mounts(context, *options); },
    };
}

}  // namespace oblea::tools
