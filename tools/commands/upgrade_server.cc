// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/mount/mount_image.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

Result<int> upgrade(Context& context, std::vector<std::string> const& mounts) {
    auto const store = OBLEA_TRY(open_store(context));
    int status = exit_code::kSuccess;
    for (std::string const& typed : mounts.empty() ? std::vector<std::string>{""} : mounts) {
        auto const done = upgrade_servers(store, typed);
        if (!done.has_value()) {
            context.error(done.error());
            status = exit_code::kFailure;
            continue;
        }
        for (Upgraded const& one : *done) {
            if (one.outcome.has_value()) {
                context.line(fmt::format("{}: served by oblea {}", one.mount.mount_point,
                                         one.mount.program));
            } else {
                context.error(with_context(one.outcome.error(), one.mount.mount_point));
                status = exit_code::kFailure;
            }
        }
    }
    return status;
}

}  // namespace

Command upgrade_server_command() {
    auto mounts = std::make_shared<std::vector<std::string>>();
    return {
        .name = "upgrade-server",
        .aliases = {},
        .section = Command::Section::mounts,
        .summary = "Have live mounts served by the program that is installed now",
        .description =
            "Programs that use a mount wait a moment and go on, with all that they have open. When "
            "the new program cannot go on with a mount, the old one does, and the reason is told.",
        .operands =
            {{.name = "DIR|NAME",
              .help = "Mount points, or names of mounted containers; none: all of the store, and "
                      "the stacks of folders of this program's oblea-overlay",
              .target = mounts.get(),
              .least = 0}},
        .options = {},
        .examples = {{"oblea upgrade-server", "After a new version was installed"},
                     {"oblea upgrade-server ./root", "One mount"}},
        .run = [mounts](Context& context) { return upgrade(context, *mounts); },
    };
}

}  // namespace oblea::tools
