// SPDX-License-Identifier: MIT
#include "tools/mount/mount_image.h"

#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

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
        if (auto const& kept = done->kept; kept.has_value()) {
            context.line(
                fmt::format("Kept: {} ('oblea rm {}' drops what was changed)", *kept, *kept));
        }
    }
    return status;
}

}  // namespace

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
                     .target = &options->lazy}},
        .examples = {{"oblea umount ./root", "Unmount"},
                     {"oblea umount --lazy ./root", "When something still uses it"}},
        .run = [options](Context& context) { return unmount(context, *options); },
    };
}

}  // namespace oblea::tools
