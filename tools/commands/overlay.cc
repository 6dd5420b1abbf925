// SPDX-License-Identifier: MIT
#include "tools/overlay/overlay_mount.h"

#include "tools/cli/context.h"
#include "tools/commands/commands.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

struct OverlayCommandOptions {
    std::vector<std::string> options;
    std::vector<std::string> places;  // a source that says nothing, as mount(8) gives it; then DIR
    bool foreground = false;
    bool debug = false;
};

Result<int> overlay(Context& /*context*/, OverlayCommandOptions const& typed) {
    if (typed.places.size() > 2) {
        return fail(Errno::einval, "", "more than one mount point");
    }
    auto options = OBLEA_TRY(parse_overlay_options(typed.options));
    if (typed.debug) {
        options.debug = OverlayOptions::Debug::yes;
    }
    std::string const& mount_point = typed.places.back();
    if (typed.foreground || options.debug == OverlayOptions::Debug::yes) {
        OBLEA_TRY(serve_overlay(options, mount_point));
    } else {
        OBLEA_TRY(mount_overlay(options, mount_point));
    }
    return exit_code::kSuccess;
}

struct SealOptions {
    std::vector<std::string> options;
};

Result<int> seal(Context& /*context*/, SealOptions const& typed) {
    auto const options = OBLEA_TRY(parse_overlay_options(typed.options));
    if (options.upper.empty()) {
        return fail(Errno::einval, "", "nothing to seal: -o upperdir=DIR");
    }
    OBLEA_TRY(seal_overlay(options));
    return exit_code::kSuccess;
}

}  // namespace

Command overlay_command() {
    auto options = std::make_shared<OverlayCommandOptions>();
    return {
        .name = "overlay",
        .aliases = {},
        .section = Command::Section::mounts,
        .summary = "Mount a stack of plain folders, with the options of fuse-overlayfs",
        .description =
            "Shows folders merged, one on top of the other, with a writable one on top of all. The "
            "same as the program oblea-overlay, which podman and buildah take as mount_program in "
            "place of fuse-overlayfs. Whiteouts, opaque folders and redirects of overlayfs, "
            "fuse-overlayfs and tar layers are understood. What is written is in overlayfs' own "
            "format once the mount is taken down (by umount or fusermount3 -u).\n\n"
            "Options, separated by commas, which \\ or quotes escape:\n\n" +
            describe_overlay_options(),
        .operands = {{.name = "DIR",
                      .help = "The folder to mount on; a source before it is passed over",
                      .target = &options->places}},
        .options = {{.names = "-o,--options",
                     .value_name = "OPTIONS",
                     .help = "What to mount and how; may be given more than once",
                     .target = &options->options},
                    {.names = "-f,--foreground",
                     .value_name = "",
                     .help = "Stay until unmounted",
                     .target = &options->foreground},
                    {.names = "-d,--debug",
                     .value_name = "",
                     .help = "Stay, and print every request",
                     .target = &options->debug}},
        .examples = {{"oblea overlay -o lowerdir=/a:/b ./root", "Two folders, read-only"},
                     {"oblea overlay -o lowerdir=/a,upperdir=/u,workdir=/w ./root",
                      "Writable: changes go to /u"}},
        .run = [options](Context& context) { return overlay(context, *options); },
    };
}

Command seal_command() {
    auto options = std::make_shared<SealOptions>();
    return {
        .name = "seal",
        .aliases = {},
        .section = Command::Section::mounts,
        .summary = "Complete the upper folder of an overlay whose server was killed",
        .description =
            "Until then only oblea knows what is meant by it. Mounting it again does the same when "
            "the mount is taken down. The options are those of 'oblea overlay'.",
        .operands = {},
        .options = {{.names = "-o,--options",
                     .value_name = "OPTIONS",
                     .help = "lowerdir, upperdir and workdir, as they were mounted",
                     .target = &options->options}},
        .examples = {{"oblea seal -o lowerdir=/a,upperdir=/u,workdir=/w",
                      "Make /u fit for any overlay"}},
        .run = [options](Context& context) { return seal(context, *options); },
    };
}

}  // namespace oblea::tools
