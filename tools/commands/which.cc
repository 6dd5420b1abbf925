// SPDX-License-Identifier: MIT
#include "tools/cli/each_name.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/layer_notes.h"
#include "tools/images/open_image.h"
#include "tools/images/path_in_image.h"
#include "tools/images/trace_path.h"
#include "tools/output/human.h"
#include "tools/output/plain_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

namespace oblea::tools {

namespace {

struct WhichOptions {
    std::string image;
    std::vector<std::string> paths;
};

std::string describe(Sighting const& sighting) {
    if (!sighting.attr.has_value()) {
        return "another name of a file of a lower layer";
    }
    std::string const mode = mode_text(*sighting.attr);
    return sighting.attr->type == store::FileType::regular
               ? mode + ", " + human_size(sighting.attr->size)
               : mode;
}

std::string layer_line(OpenLayers const& layers, Sighting const& sighting) {
    LayerNote const& note = layers.notes[sighting.layer];
    std::string const what =
        sighting.kind == Sighting::Kind::entry ? describe(sighting) : "removes what is below";
    return fmt::format("  layer {} of {}  {}  {}{}", sighting.layer + 1, layers.notes.size(),
                       note.diff_id.short_hex(), what,
                       note.created_by.empty() ? "" : "  by: " + one_line(note.created_by));
}

// The layer that made what is seen, then what it hides.
Status tell(Context const& context, OpenImage const& image, OpenLayers const& layers,
            std::string const& typed) {
    auto const reached = OBLEA_TRY(walk_path(image.view->tree(), typed, LastLink::stay));
    auto const sightings = OBLEA_TRY(trace_path(layers.indexes, reached.names));
    std::string const path = one_line(fmt::format("/{}", fmt::join(reached.names, "/")));
    if (sightings.empty()) {
        return fail(Errno::enoent, "", "no layer has " + path);
    }
    bool const visible = reached.ino.has_value();
    context.line(visible ? path : path + " (not in the image any more)");
    bool told = false;
    for (auto const& sighting : sightings) {
        bool const first = &sighting == &sightings.front();
        if (!first && !told) {
            context.line(visible ? " hides" : " was");
            told = true;
        }
        context.line(layer_line(layers, sighting));
    }
    return {};
}

Result<int> which(Context& context, WhichOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const image = OBLEA_TRY(open_image(store, options.image, "which"));
    auto const layers = OBLEA_TRY(open_layers(store, image.image));
    return for_each_name(context, options.paths, Force::no, [&](std::string const& path) {
        return tell(context, image, layers, path);
    });
}

}  // namespace

Command which_command() {
    auto options = std::make_shared<WhichOptions>();
    return {
        .name = "which",
        .aliases = {"image which"},
        .section = Command::Section::images,
        .summary = "Show which layer of an image a file comes from",
        .description = "The layer that has it, by number and digest, the step of the image's "
                       "history that made it, and what it hides in the layers below. A file that "
                       "was deleted is found too.",
        .operands = {{.name = "IMAGE", .help = "Name or id", .target = &options->image},
                     {.name = "PATH", .help = "Files or folders", .target = &options->paths}},
        .options = {},
        .examples = {{"oblea which debian /etc/issue", "Who made /etc/issue"}},
        .run = [options](Context& context) { return which(context, *options); },
    };
}

}  // namespace oblea::tools
