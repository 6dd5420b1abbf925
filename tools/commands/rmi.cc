// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/image_uses.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

namespace oblea::tools {

namespace {

struct RmiOptions {
    std::vector<std::string> names;
    bool force = false;
    bool no_prune = false;
};

Status remove_image(Context const& context, store::Store const& store, std::string const& name,
                    RemoveOptions const& how) {
    auto const uses = OBLEA_TRY(image_uses(store));
    RemovePlan plan;
    Status changed = store.change_images([&](store::Images& images) -> Status {
        plan = OBLEA_TRY(plan_remove(images, uses, name, how));
        apply_removal(images, plan);
        return {};
    });
    if (!changed.has_value() && changed.error().code == Errno::enoent) {
        auto const all = OBLEA_TRY(store.images());
        if (all.resolve(name).has_value()) {
            return fail(
                Errno::erofs, "",
                fmt::format("{} is in a shared store ({}), which is only read; 'oblea publish "
                            "--remove' takes it out there",
                            name, fmt::join(store.options().shared, ", ")));
        }
    }
    OBLEA_TRY(std::move(changed));
    for (auto const& line : describe_removal(plan)) {
        context.line(line);
    }
    return {};
}

Result<int> remove_images(Context& context, RmiOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    RemoveOptions const how{.force = options.force ? Force::yes : Force::no,
                            .parents = options.no_prune ? Parents::keep : Parents::remove};
    return for_each_name(context, options.names, how.force, [&](std::string const& name) {
        return remove_image(context, store, name, how);
    });
}

}  // namespace

Command rmi_command() {
    auto options = std::make_shared<RmiOptions>();
    return {
        .name = "rmi",
        .aliases = {"image rm", "image remove"},
        .section = Command::Section::images,
        .summary = "Remove images",
        .description =
            "A name is taken off its image; the last one takes the image with it. An image that a "
            "container or a mount uses stays, and the message says what frees it. With several "
            "names, those that cannot be removed do not keep the others. Images that it was made "
            "from go with it when they have no name and no other use.\n\n"
            "The layers stay in the store until 'oblea gc' removes those that no image, container "
            "or mount needs.",
        .operands = {{.name = "IMAGE",
                      .help = "Name or id; an id removes all names of the image",
                      .target = &options->names}},
        .options = {{.names = "-f,--force",
                     .value_name = "",
                     .help = "Take the names off even if the image is in use, or has names in "
                             "several repositories",
                     .target = &options->force},
                    {.names = "--no-prune",
                     .value_name = "",
                     .help = "Keep parents that have no name and no other use",
                     .target = &options->no_prune}},
        .examples = {{"oblea rmi debian:12", "Remove the name, and the image with its last one"},
                     {"oblea rmi $(oblea images -q)", "Remove all images"}},
        .run = [options](Context& context) { return remove_images(context, *options); },
    };
}

}  // namespace oblea::tools
