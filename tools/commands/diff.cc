// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_changes.h"
#include "tools/output/plain_text.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

Result<std::string> describe_changes(ContainerView const& view) {
    auto const changes = OBLEA_TRY(list_changes(view));
    std::string text;
    for (PathChange const& change : changes) {
        text += fmt::format("{} {}\n", static_cast<char>(change.kind), one_line(change.path));
    }
    return text;
}

Result<int> diff(Context& context, std::string const& typed) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const container = OBLEA_TRY(need_container(store, typed));
    context.print(OBLEA_TRY(look_into(store, container, -1, describe_changes)));
    return exit_code::kSuccess;
}

}  // namespace

Command diff_command() {
    auto container = std::make_shared<std::string>();
    return {
        .name = "diff",
        .aliases = {"container diff"},
        .section = Command::Section::containers,
        .summary = "List what was changed in a container",
        .description =
            "One line for each file and folder that is not as the image has it: A added, C "
            "changed, "
            "D deleted. Only the writable layer is read, so that the time depends on what was "
            "changed. The container may be mounted or running meanwhile.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = container.get()}},
        .options = {},
        .examples = {{"oblea diff web", "What 'web' has changed"}},
        .run = [container](Context& context) { return diff(context, *container); },
    };
}

}  // namespace oblea::tools
