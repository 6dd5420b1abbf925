// SPDX-License-Identifier: MIT
#include "tools/mount/chroot.h"

#include "store/base/sys.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/verify_option.h"
#include "tools/registry/ensure_image.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

struct ChrootOptions {
    std::string target;
    std::vector<std::string> command;
    std::string name;
    std::vector<std::string> env;
    std::string workdir;
    std::string user;
    std::string pull = "missing";
    bool remove = false;
    bool verify = false;
};

// A folder by its look, or a folder that exists where no image is called so.
Result<bool> names_folder(store::Store const& store, std::string const& typed) {
    if (looks_like_folder(typed)) {
        return true;
    }
    auto const images = OBLEA_TRY(store.images());
    if (images.resolve(typed).has_value()) {
        return false;
    }
    auto const there = base::sys::fstatat(AT_FDCWD, typed.c_str(), 0);
    return there.has_value() && S_ISDIR(there->st_mode);
}

Result<int> chroot(Context& context, ChrootOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    ChrootRequest request;
    if (OBLEA_TRY(names_folder(store, options.target))) {
        if (!options.name.empty() || options.remove) {
            return fail(Errno::einval, "",
                        options.target + " is a folder, used as it stands: leave out --name and "
                                         "--rm");
        }
        request.folder = options.target;
    } else {
        auto const policy = OBLEA_TRY(registry::parse_pull_policy(options.pull));
        EnsureImageRequest const wanted{.image = options.target, .policy = policy};
        request.source.image = OBLEA_TRY(ensure_image(context, store, wanted));
        request.source.container = options.name;
    }
    request.command = options.command;
    request.env = options.env;
    request.workdir = options.workdir;
    request.user = options.user;
    request.remove = options.remove ? RemoveAtUnmount::always : RemoveAtUnmount::when_untouched;
    request.contents = contents_for(options.verify);
    request.warn = [&](std::string const& message) { context.warning(message); };

    auto const result = OBLEA_TRY(run_chroot(store, request));
    if (!result.problem.empty()) {
        context.error(result.problem);
    }
    if (result.kept.has_value() && options.name.empty()) {
        context.warning(fmt::format("what was changed is kept in container {}: 'oblea chroot "
                                    "--name {} {}' goes on with it, 'oblea rm {}' drops it",
                                    *result.kept, *result.kept, options.target, *result.kept));
    }
    return result.exit_status;
}

}  // namespace

Command chroot_command() {
    auto options = std::make_shared<ChrootOptions>();
    return {
        .name = "chroot",
        .aliases = {},
        .section = Command::Section::mounts,
        .summary = "Run a command inside an image",
        .description =
            "The image is mounted writable in a mount namespace of its own, with the machine's "
            "proc, dev, sys, resolv.conf and hosts, none of which is stored. What the command "
            "changes is kept in a container, as with 'oblea mount'. The image says which "
            "environment, working folder and user it wants.\n\n"
            "With a folder, which must be a mount of oblea's, the command runs on it as it "
            "stands.\n\n"
            "An ordinary user is root inside: with ranges in /etc/subuid and /etc/subgid all ids "
            "work there, without them only one.\n\n"
            "The exit status is the command's; 125 when oblea itself fails, 126 when the command "
            "cannot be executed, 127 when it is not found.",
        .operands = {{.name = "IMAGE|DIR",
                      .help = "Name or id of an image, or a mount point",
                      .target = &options->target},
                     {.name = "COMMAND",
                      .help = "The command and its arguments; default: the image's, else /bin/sh",
                      .target = &options->command,
                      .least = 0}},
        .options = {{.names = "--name",
                     .value_name = "NAME",
                     .help = "Name of the container: one that exists is used again",
                     .target = &options->name},
                    pull_policy_option(options->pull),
                    {.names = "--rm",
                     .value_name = "",
                     .help = "Drop what was changed",
                     .target = &options->remove},
                    verify_option(options->verify),
                    {.names = "-e,--env",
                     .value_name = "NAME=VALUE",
                     .help = "Set a variable; NAME alone hands yours on",
                     .target = &options->env},
                    {.names = "-w,--workdir",
                     .value_name = "DIR",
                     .help = "Working folder inside",
                     .target = &options->workdir},
                    {.names = "-u,--user",
                     .value_name = "USER[:GROUP]",
                     .help = "User inside, by name or number",
                     .target = &options->user}},
        .examples = {{"oblea chroot debian", "A shell"},
                     {"oblea chroot --name web debian apt-get install -y nginx",
                      "Change a container of your own"},
                     {"oblea chroot ./root ls /etc", "On an image that is mounted already"}},
        .options_end = Command::OptionsEnd::first_operand,
        .failure_exit = exit_code::kOwnFailure,
        .usage_exit = exit_code::kOwnFailure,
        .run = [options](Context& context) { return chroot(context, *options); },
    };
}

}  // namespace oblea::tools
