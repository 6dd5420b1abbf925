// SPDX-License-Identifier: MIT
#include "store/image/layer_index.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/history_rows.h"

#include <algorithm>
#include <ctime>
#include <memory>

namespace oblea::tools {

namespace {

struct HistoryArguments {
    std::string image;
    bool human = true;
    bool quiet = false;
    bool no_trunc = false;
    std::string format;
};

Result<std::vector<Ancestor>> ancestors_of(store::Store const& store, store::Images const& images,
                                           store::Image const& image) {
    std::vector<Ancestor> ancestors;
    store::Image const* at = &image;
    while (at->parent.has_value()) {
        at = images.find(*at->parent);
        bool const seen = at != nullptr && std::ranges::any_of(ancestors, [&](Ancestor const& one) {
                              return one.id == at->id;
                          });
        if (at == nullptr || seen) {
            break;
        }
        auto const config = OBLEA_TRY(read_image_config(store, *at));
        ancestors.push_back({.id = at->id, .history_length = config.history.size()});
    }
    return ancestors;
}

Result<int> show_history(Context& context, HistoryArguments const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const lease = OBLEA_TRY(store.take_lease("history"));
    auto const images = OBLEA_TRY(store.images());
    store::Image const& image = *OBLEA_TRY(images.resolve(options.image));
    auto const config = OBLEA_TRY(read_image_config(store, image));
    std::vector<std::uint64_t> layer_bytes;
    for (auto const& layer : image.layers) {
        auto const index = OBLEA_TRY(store::open_layer_index(store.roots(), layer.diff_id));
        layer_bytes.push_back(index.content_bytes());
    }
    auto const ancestors = OBLEA_TRY(ancestors_of(store, images, image));
    auto const rows = OBLEA_TRY(history_rows(image.id, config.history, layer_bytes, ancestors));
    context.print(
        OBLEA_TRY(render_history(rows, {.format = options.format,
                                        .truncate = options.no_trunc ? Truncate::no : Truncate::yes,
                                        .human = options.human ? Human::yes : Human::no,
                                        .quiet = options.quiet ? Quiet::yes : Quiet::no,
                                        .now = std::time(nullptr)})));
    return exit_code::kSuccess;
}

}  // namespace

Command history_command() {
    auto options = std::make_shared<HistoryArguments>();
    return {
        .name = "history",
        .aliases = {"image history"},
        .section = Command::Section::images,
        .summary = "Show how an image was made",
        .description =
            "The steps of its making, the last one first, and what each added. Steps that only "
            "changed settings have no size. An image that it was made from shows its id if the "
            "store has it, else <missing>.\n\n"
            "A format is a Go template over .ID, .CreatedSince, .CreatedAt, .CreatedBy, .Size and "
            ".Comment.",
        .operands = {{.name = "IMAGE", .help = "Name or id", .target = &options->image}},
        .options = {{.names = "-H,--human",
                     .value_name = "",
                     .help = "Sizes and ages for people (the default); --human=false prints bytes "
                             "and times",
                     .target = &options->human},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the ids",
                     .target = &options->quiet},
                    {.names = "--no-trunc",
                     .value_name = "",
                     .help = "Whole ids and commands",
                     .target = &options->no_trunc},
                    {.names = "--format",
                     .value_name = "FORMAT",
                     .help = "table, table TEMPLATE, json, or a Go template",
                     .target = &options->format}},
        .examples = {{"oblea history debian", "What each step of debian added"},
                     {"oblea history --no-trunc --format '{{.CreatedBy}}' debian",
                      "Its commands, in full"}},
        .run = [options](Context& context) { return show_history(context, *options); },
    };
}

}  // namespace oblea::tools
