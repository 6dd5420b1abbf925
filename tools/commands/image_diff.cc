// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/compare_trees.h"
#include "tools/images/open_image.h"
#include "tools/output/plain_text.h"

#include <memory>

namespace oblea::tools {

namespace {

struct ImageDiffOptions {
    std::string from;
    std::string to;
};

Result<int> diff(Context& context, ImageDiffOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const from = OBLEA_TRY(open_image(store, options.from, "image diff"));
    auto const to = OBLEA_TRY(open_image(store, options.to, "image diff"));
    Status compared = compare_trees(*from.view, *to.view, [&](TreeDifference const& difference) {
        char const letter = difference.kind == TreeDifference::Kind::added     ? 'A'
                            : difference.kind == TreeDifference::Kind::deleted ? 'D'
                                                                               : 'C';
        context.line(std::string{letter, ' '} + one_line(difference.path));
    });
    OBLEA_TRY(std::move(compared));
    return exit_code::kSuccess;
}

}  // namespace

Command image_diff_command() {
    auto options = std::make_shared<ImageDiffOptions>();
    return {
        .name = "image diff",
        .aliases = {},
        .section = Command::Section::images,
        .summary = "Show what differs between two images",
        .description =
            "One line for each path: A for what only the second has, D for what only the first "
            "has, C for what is not the same in both (contents, type, mode, owner, extended "
            "attributes; times do not count). Of a folder that only one has the lines of its "
            "contents are left out.",
        .operands = {{.name = "FROM", .help = "The first image", .target = &options->from},
                     {.name = "TO", .help = "The second image", .target = &options->to}},
        .options = {},
        .examples = {{"oblea image diff debian:11 debian:12", "From one debian to the next"}},
        .run = [options](Context& context) { return diff(context, *options); },
    };
}

}  // namespace oblea::tools
