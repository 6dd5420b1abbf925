// SPDX-License-Identifier: MIT
#include "tools/cli/docker_config.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/image_config.h"
#include "tools/images/image_filter.h"
#include "tools/images/image_rows.h"
#include "tools/images/image_uses.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <memory>
#include <span>

namespace oblea::tools {

namespace {

struct ImagesOptions {
    std::optional<std::string> name;
    bool all = false;
    bool quiet = false;
    bool no_trunc = false;
    bool digests = false;
    bool tree = false;
    std::vector<std::string> filters;
    std::string format;
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

Result<std::vector<store::Image>> chosen_images(store::Store const& store,
                                                store::Images const& images,
                                                ImageFilter const& filter, bool all) {
    std::vector<store::Image> chosen;
    for (auto const& image : images.all()) {
        if (!all && is_intermediate(images, image)) {
            continue;
        }
        Labels labels;
        if (filter.wants_labels()) {
            auto config = OBLEA_TRY(read_image_config(store, image));
            labels = std::move(config.labels);
        }
        if (filter.keeps(image, labels)) {
            chosen.push_back(image);
        }
    }
    return chosen;
}

// Of the images that have a row.
Result<std::string> image_tree(store::Store const& store, std::vector<store::Image> images,
                               std::vector<ImageRow> const& rows, ImagesOptions const& options) {
    if (options.quiet || !options.format.empty() || options.digests) {
        return fail(Errno::einval, "", "--tree cannot be used with --quiet, --digests or --format");
    }
    std::erase_if(images, [&](store::Image const& image) {
        return std::ranges::find(rows, image.id, &ImageRow::id) == rows.end();
    });
    std::vector<store::Digest> used;
    auto const uses = OBLEA_TRY(image_uses(store));
    std::ranges::transform(uses, std::back_inserter(used), &ImageUse::image);
    return render_image_tree(std::move(images), used,
                             options.no_trunc ? Truncate::no : Truncate::yes);
}

Result<int> list_images(Context& context, ImagesOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const images = OBLEA_TRY(store.images());
    std::int64_t const now = std::time(nullptr);
    auto const filter =
        OBLEA_TRY(ImageFilter::parse(options.filters, ImageFilter::Of::list, images, now));
    auto const chosen = OBLEA_TRY(chosen_images(store, images, filter, options.all));
    std::vector<ImageRow> rows = matching(list_rows(chosen), filter.references());
    if (auto const& name = options.name; name.has_value()) {
        auto named = matching(rows, {&*name, 1});
        // "oblea images ls" is a slip for "oblea image ls", unless an image is called so.
        if (*name != "ls" || !named.empty()) {
            rows = std::move(named);
        } else {
            context.warning("No images found matching \"ls\": taken as 'oblea image ls'");
        }
    }
    if (options.tree) {
        context.print(OBLEA_TRY(image_tree(store, chosen, rows, options)));
        return exit_code::kSuccess;
    }
    std::string format = options.format;
    if (format.empty() && !options.quiet) {
        format = OBLEA_TRY(docker_setting("imagesFormat"));
    }
    context.print(
        OBLEA_TRY(render_images(rows, {.format = std::move(format),
                                       .truncate = options.no_trunc ? Truncate::no : Truncate::yes,
                                       .digests = options.digests ? Digests::show : Digests::hide,
                                       .quiet = options.quiet ? Quiet::yes : Quiet::no,
                                       .now = now})));
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
        .description =
            "Newest first, one line for each name; an image without any shows as <none>. SIZE is "
            "the sum of the contents of all layers, whether or not other images share them.\n\n"
            "Filters: before=IMAGE, since=IMAGE, until=TIME, label=KEY[=VALUE], "
            "label!=KEY[=VALUE], dangling=BOOL, reference=PATTERN. An image must pass all of them; "
            "of several references one is enough. In a pattern * and ? match within a part of the "
            "name, ** across parts.\n\n"
            "A format is a Go template over .Repository, .Tag, .Digest, .ID, .CreatedSince, "
            ".CreatedAt and .Size; 'table TEMPLATE' gives it a heading, 'json' prints one object a "
            "line. The default is imagesFormat of docker's config.json.",
        .operands = {{.name = "NAME",
                      .help = "Only images called so: REPOSITORY or REPOSITORY:TAG, or a pattern",
                      .target = &options->name}},
        .options = {{.names = "-a,--all",
                     .value_name = "",
                     .help = "Show all images (intermediate ones too)",
                     .target = &options->all},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the ids",
                     .target = &options->quiet},
                    {.names = "--no-trunc",
                     .value_name = "",
                     .help = "Whole ids",
                     .target = &options->no_trunc},
                    {.names = "--digests",
                     .value_name = "",
                     .help = "Show the digests of the manifests",
                     .target = &options->digests},
                    {.names = "--tree",
                     .value_name = "",
                     .help = "Each image with its platform, what it takes on the disk, and whether "
                             "it is in use",
                     .target = &options->tree},
                    {.names = "-f,--filter",
                     .value_name = "KEY=VALUE",
                     .help = "Only images that pass; may be given several times",
                     .target = &options->filters},
                    {.names = "--format",
                     .value_name = "FORMAT",
                     .help = "table, table TEMPLATE, json, or a Go template",
                     .target = &options->format}},
        .examples = {{"oblea images", "All images"},
                     {"oblea images 'debian:*'", "All tags of debian"},
                     {"oblea images -f dangling=true -q", "The ids of images without a name"},
                     {"oblea images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
                      "Names and sizes"}},
        .run = [options](Context& context) { return list_images(context, *options); },
    };
}

}  // namespace oblea::tools
