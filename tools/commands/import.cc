// SPDX-License-Identifier: MIT
#include "store/image/import_image.h"

#include "store/image/reference.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/progress_option.h"
#include "tools/output/plain_text.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

namespace oblea::tools {

namespace {

struct ImportOptions {
    std::optional<std::string> source;
    std::optional<std::string> name;
    std::optional<std::string> input;
    std::string as = "auto";
    std::string platform;
    std::string progress = "auto";
    bool quiet = false;
};

store::ImportRequest::As kind_of(std::string const& as) {
    using As = store::ImportRequest::As;
    if (as == "image") {
        return As::image;
    }
    return as == "rootfs" ? As::rootfs : As::automatic;
}

// SOURCE and NAME, or with -i only NAME, or neither: standard input.
Result<store::ImportRequest> request_of(Context const& context, ImportOptions const& options) {
    store::ImportRequest request;
    if (options.input.has_value()) {
        if (options.name.has_value()) {
            return fail(Errno::einval, "", "--input names the source: only a NAME may follow");
        }
        request.source = *options.input;
        request.name = options.source;
    } else {
        request.source = options.source.value_or("-");
        request.name = options.name;
    }
    if (request.source == "-" && ::isatty(::fileno(context.streams().in)) != 0) {
        return fail(Errno::einval, "",
                    "there is nothing to read: name a SOURCE, or redirect a file to standard "
                    "input");
    }
    request.as = kind_of(options.as);
    request.platform = options.platform;
    request.jobs = context.globals.jobs;
    return request;
}

std::string layer_counts(store::ImportReport const& report) {
    std::size_t known = 0;
    std::size_t all = 0;
    for (auto const& image : report.images) {
        known += image.layers_known;
        all += image.layers_new + image.layers_known;
    }
    std::string text = fmt::format("{} layer{}", all, all == 1 ? "" : "s");
    if (known != 0) {
        text += fmt::format(", {} of them in the store already", known);
    }
    return text;
}

void report_images(Context const& context, store::ImportReport const& report) {
    for (auto const& image : report.images) {
        for (auto const& warning : image.warnings) {
            context.warning(warning);
        }
        for (auto const& name : image.names) {
            auto const reference = store::Reference::parse(name);
            context.line("Loaded image: " + (reference.has_value() ? reference->familiar() : name));
        }
        if (image.names.empty()) {
            context.line("Loaded image ID: " + image.id.to_string());
        }
    }
}

Result<int> import(Context& context, ImportOptions const& options) {
    auto request = OBLEA_TRY(request_of(context, options));
    auto const store = OBLEA_TRY(open_store(context));
    Interrupt const interrupt;
    request.cancel = &interrupt.flag();

    auto progress =
        make_progress(options.quiet ? ProgressMode::none : parse_progress_mode(options.progress),
                      {.live = context.streams().err, .plain = context.streams().out});
    auto const imported =
        store::import_image(store, request, [&](store::ImportProgress const& state) {
            progress->update(state, Progress::Clock::now());
        });
    progress.reset();
    store::ImportReport const report = OBLEA_TRY(imported);
    if (!options.quiet) {
        context.line(
            fmt::format("Recognised: {}, {}", one_line(report.recognised), layer_counts(report)));
    }
    report_images(context, report);
    return exit_code::kSuccess;
}

}  // namespace

Command import_command() {
    auto options = std::make_shared<ImportOptions>();
    return {
        .name = "import",
        .aliases = {"load", "image load", "image import"},
        .section = Command::Section::images,
        .summary = "Take images into the store",
        .description =
            "Reads OCI layouts (folders and archives), docker archives ('docker save', 'podman "
            "save'), and root file systems (folders, and archives of any kind), compressed or not, "
            "and says what it recognised. All layers are read side by side and verified; what the "
            "store has already is not stored again.\n\n"
            "Nothing is left behind when it fails or is interrupted.",
        .operands = {{.name = "SOURCE",
                      .help =
                          "A folder or file, - for standard input (the default), or oci:DIR[:TAG], "
                          "oci-archive:FILE[:TAG], docker-archive:FILE, containers-storage:NAME",
                      .target = &options->source},
                     {.name = "NAME",
                      .help =
                          "Name of the image, where the source holds one; default: its own names",
                      .target = &options->name}},
        .options = {{.names = "-i,--input",
                     .value_name = "FILE",
                     .help = "Read this file, as 'docker load' names it",
                     .target = &options->input,
                     .choices = {}},
                    {.names = "--as",
                     .value_name = "KIND",
                     .help = "What the source is: auto, image or rootfs",
                     .target = &options->as,
                     .choices = {"auto", "image", "rootfs"}},
                    {.names = "--platform",
                     .value_name = "OS/ARCH",
                     .help = "The image of this platform, where there are several",
                     .target = &options->platform,
                     .choices = {}},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the names of the images",
                     .target = &options->quiet,
                     .choices = {}},
                    progress_option(options->progress)},
        .examples = {{"oblea import image.tar", "An archive of docker, podman, skopeo or buildah"},
                     {"oblea import rootfs.tar.xz base:1", "A root file system as an image"},
                     {"docker save debian | oblea load", "From one store to the other"}},
        .run = [options](Context& context) { return import(context, *options); },
    };
}

}  // namespace oblea::tools
