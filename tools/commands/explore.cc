// SPDX-License-Identifier: MIT
#include "store/base/sys.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/explore/render_report.h"
#include "tools/images/layer_notes.h"
#include "tools/output/output_file.h"

#include <fcntl.h>

#include <memory>

namespace oblea::tools {

namespace {

constexpr unsigned kTopDefault = 15;

struct ExploreOptions {
    std::string image;
    std::optional<std::string> html;
    unsigned top = kTopDefault;
};

Result<int> explore(Context& context, ExploreOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const lease = OBLEA_TRY(store.take_lease("explore"));
    auto const images = OBLEA_TRY(store.images());
    store::Image const& image = *OBLEA_TRY(images.resolve(options.image));
    auto layers = OBLEA_TRY(open_layers(store, image));
    auto report = OBLEA_TRY(report_image(layers.indexes, options.top));
    ReportedImage const reported{.name = options.image,
                                 .id = image.id.to_string(),
                                 .layers = std::move(layers.notes),
                                 .report = std::move(report)};
    auto const& html = options.html;
    if (!html.has_value()) {
        context.print(render_text(reported));
    } else if (*html == "-") {
        context.print(render_html(reported));
    } else {
        OBLEA_TRY(write_output_file(*html, 0644, [&](int file) {
            return base::sys::write_all(file, base::bytes_of(render_html(reported)));
        }));
    }
    return exit_code::kSuccess;
}

}  // namespace

Command explore_command() {
    auto options = std::make_shared<ExploreOptions>();
    return {
        .name = "explore",
        .aliases = {"image explore"},
        .section = Command::Section::images,
        .summary = "Show what an image is made of",
        .description =
            "Its layers with what each adds, replaces, deletes and wastes; the largest files, "
            "files "
            "with the same contents, and what is in lower layers without being seen any more. With "
            "--html all of it as one page, with the tree to click through; the page loads nothing "
            "from elsewhere.",
        .operands = {{.name = "IMAGE", .help = "Name or id", .target = &options->image}},
        .options = {{.names = "--html",
                     .value_name = "FILE",
                     .help = "Write a page for the browser there; - is standard output",
                     .target = &options->html},
                    {.names = "--top",
                     .value_name = "N",
                     .help = "How many entries the lists of files have; default: 15",
                     .target = &options->top}},
        .examples = {{"oblea explore debian", "In the terminal"},
                     {"oblea explore --html debian.html debian", "As a page"}},
        .run = [options](Context& context) { return explore(context, *options); },
    };
}

}  // namespace oblea::tools
