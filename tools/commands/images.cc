// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/image_rows.h"

#include <algorithm>
#include <ctime>
#include <iterator>
#include <memory>
#include <span>

namespace oblea::tools {

namespace {

struct ImagesOptions {
    std::vector<std::string> names;
    bool all = false;
    bool quiet = false;
    bool no_trunc = false;
    bool digests = false;
};

// The rows that any of the patterns matches; without patterns all of them.
std::vector<ImageRow> matching(std::vector<ImageRow> const& rows,
                               std::span<std::string const> patterns) {
    if (patterns.empty()) {
        return rows;
    }
    std::vector<ImageRow> result;
    std::ranges::copy_if(rows, std::back_inserter(result), [&](ImageRow const& row) {
        return std::ranges::any_of(
            patterns, [&](std::string const& pattern) { return matches_reference(row, pattern); });
    });
    return result;
}

Result<int> list_images(Context& context, ImagesOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    std::vector<ImageRow> const all = list_rows(OBLEA_TRY(store.images()));
    std::span<std::string const> patterns{options.names};
    // "oblea images ls" is a slip for "oblea image ls", unless an image is called so.
    if (!patterns.empty() && patterns.front() == "ls" && matching(all, patterns.first(1)).empty()) {
        context.warning("no image is called 'ls': taken as 'oblea image ls'");
        patterns = patterns.subspan(1);
    }
    std::vector<ImageRow> const rows = matching(all, patterns);

    Truncate const truncate = options.no_trunc ? Truncate::no : Truncate::yes;
    if (options.quiet) {
        for (auto const& row : rows) {
            context.line(display_id(row.id, truncate));
        }
        return exit_code::kSuccess;
    }
    context.print(
        render_image_table(rows, {.truncate = truncate,
                                  .digests = options.digests ? Digests::show : Digests::hide,
                                  .now = std::time(nullptr)}));
    return exit_code::kSuccess;
}

}  // namespace

Command images_command() {
    auto options = std::make_shared<ImagesOptions>();
    return {
        .name = "images",
        .aliases = {"image ls", "image list"},
        .section = Command::Section::images,
        .summary = "List images",
        .description = "Newest first, one line for each name; an image without any shows as "
                       "<none>. SIZE is the sum of the contents of all layers, whether or not "
                       "other images share them.",
        .operands = {{.name = "NAME",
                      .help = "Only images called so: REPOSITORY or REPOSITORY:TAG; *, ? and [...] "
                              "match within a part of the name",
                      .target = &options->names,
                      .least = 0}},
        .options = {{.names = "-a,--all",
                     .value_name = "",
                     .help = "Show all images (intermediate ones too)",
                     .target = &options->all,
                     .choices = {}},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the ids",
                     .target = &options->quiet,
                     .choices = {}},
                    {.names = "--no-trunc",
                     .value_name = "",
                     .help = "Whole ids",
                     .target = &options->no_trunc,
                     .choices = {}},
                    {.names = "--digests",
                     .value_name = "",
                     .help = "Show the digests of the manifests",
                     .target = &options->digests,
                     .choices = {}}},
        .examples = {{"oblea images", "All images"},
                     {"oblea images 'debian:*'", "All tags of debian"}},
        .run = [options](Context& context) { return list_images(context, *options); },
    };
}

}  // namespace oblea::tools
