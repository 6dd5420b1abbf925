// SPDX-License-Identifier: MIT
#include "tools/mount/mount_image.h"

#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/verify_option.h"
#include "tools/registry/ensure_image.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

namespace oblea::tools {

namespace {

struct MountCommandOptions {
    std::string image;
    std::string folder;
    std::string name;
    std::string upper;
    std::string pull = "missing";
    bool remove = false;
    bool read_only = false;
    bool suid = false;
    bool dev = false;
    bool allow_other = false;
    bool foreground = false;
    bool verify = false;
    std::string data = "auto";
    std::string transport = "auto";
};

fs::MountOptions::Data data_of(std::string const& word) {
    using Data = fs::MountOptions::Data;
    if (word == "passthrough") {
        return Data::passthrough;
    }
    if (word == "cached") {
        return Data::cached;
    }
    return word == "no-open" ? Data::no_open : Data::automatic;
}

fs::MountOptions::Transport transport_of(std::string const& word) {
    using Transport = fs::MountOptions::Transport;
    if (word == "io_uring") {
        return Transport::io_uring;
    }
    return word == "device" ? Transport::device : Transport::automatic;
}

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
    // `mount -a` looks for it in /proc/mounts, as fstab has it, to see what is mounted already.
    request.options.source = options.image;
    request.options.suid = options.suid ? MountOptions::Suid::yes : MountOptions::Suid::no;
    request.options.dev = options.dev ? MountOptions::Dev::yes : MountOptions::Dev::no;
    // Root's mounts are open as those of any file system are: permissions decide. Programs that the
    // image runs as users of its own need that.
    request.options.access = options.allow_other || ::geteuid() == 0
                                 ? MountOptions::Access::allow_other
                                 : MountOptions::Access::owner_only;
    request.options.read_only =
        options.read_only ? MountOptions::ReadOnly::yes : MountOptions::ReadOnly::no;
    request.options.data = data_of(options.data);
    request.options.transport = transport_of(options.transport);
    request.contents = contents_for(options.verify);
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
    auto request = OBLEA_TRY(request_of(context, options));
    auto const store = OBLEA_TRY(open_store(context));
    auto const policy = OBLEA_TRY(registry::parse_pull_policy(options.pull));
    EnsureImageRequest const wanted{.image = options.image, .policy = policy};
    request.source.image = OBLEA_TRY(ensure_image(context, store, wanted));
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
                     .target = &options->name},
                    {.names = "--upper",
                     .value_name = "DIR",
                     .help = "Write to this folder instead of a container; DIR.work is made beside "
                             "it",
                     .target = &options->upper},
                    pull_policy_option(options->pull),
                    {.names = "--rm",
                     .value_name = "",
                     .help = "Drop the container at unmount, whatever was changed",
                     .target = &options->remove},
                    {.names = "-r,--read-only",
                     .value_name = "",
                     .help = "No writable layer: every change is refused",
                     .target = &options->read_only},
                    {.names = "--suid",
                     .value_name = "",
                     .help = "Let setuid programs of the image have their effect",
                     .target = &options->suid},
                    {.names = "--dev",
                     .value_name = "",
                     .help = "Let device nodes of the image be devices",
                     .target = &options->dev},
                    {.names = "--data",
                     .value_name = "MODE",
                     .help = "How bytes get to programs: auto (the best that is possible), "
                             "passthrough (the kernel reads and writes changed files itself), "
                             "cached, or no-open (the kernel opens files without asking)",
                     .target = &options->data,
                     .choices = {"auto", "passthrough", "cached", "no-open"}},
                    {.names = "--transport",
                     .value_name = "WAY",
                     .help = "How requests get to the server: auto (the best that is possible), "
                             "io_uring (Linux 6.14, where it is switched on), or device (by "
                             "reading and writing /dev/fuse)",
                     .target = &options->transport,
                     .choices = {"auto", "io_uring", "device"}},
                    {.names = "--allow-other",
                     .value_name = "",
                     .help = "Let other users see the mount, as root's mounts do anyway",
                     .target = &options->allow_other},
                    verify_option(options->verify),
                    {.names = "--foreground",
                     .value_name = "",
                     .help = "Stay until unmounted, with messages on standard error",
                     .target = &options->foreground}},
        .examples = {{"oblea mount debian ./root", "Writable, changes kept under a printed name"},
                     {"oblea mount --name web debian ./root", "Under a name of your own"},
                     {"oblea mount --read-only debian ./root", "Just to look"}},
        .run = [options](Context& context) { return mount(context, *options); },
    };
}

}  // namespace oblea::tools
