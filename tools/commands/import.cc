// SPDX-License-Identifier: MIT
#include "store/image/import_image.h"

#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "store/image/reference.h"
#include "tools/build/config_changes.h"
#include "tools/build/fetch_url.h"
#include "tools/cli/home_folder.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/progress_option.h"
#include "tools/output/plain_text.h"
#include "tools/registry/signature/file_policy.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <memory>

namespace oblea::tools {

namespace {

struct ImportOptions {
    std::optional<std::string> source;
    std::optional<std::string> name;
    std::optional<std::string> input;  // of load
    std::string as = "auto";
    std::string platform;
    std::string progress = "auto";
    bool quiet = false;
    std::string message;
    std::vector<std::string> changes;
};

store::ImportRequest::As kind_of(std::string const& as) {
    using As = store::ImportRequest::As;
    if (as == "image") {
        return As::image;
    }
    return as == "rootfs" ? As::rootfs : As::automatic;
}

Result<store::ImportRequest> request_of(Context const& context, ImportOptions const& options) {
    store::ImportRequest request;
    request.source = options.source.value_or("-");
    request.name = options.name;
    if (request.source == "-" && is_terminal(context.streams().in)) {
        return fail(Errno::einval, "",
                    "there is nothing to read: name a SOURCE, or redirect a file to standard "
                    "input");
    }
    request.as = kind_of(options.as);
    request.comment = options.message;
    auto config = nlohmann::json::object();
    OBLEA_TRY(build::apply_config_changes(config, options.changes));
    request.config = store::json_fields::encode(config, store::json_fields::Layout::compact);
    if (!options.message.empty() || !options.changes.empty()) {
        if (request.as == store::ImportRequest::As::image) {
            return fail(Errno::einval, "",
                        "--change and --message make an image of a root file system; an image is "
                        "taken as it is");
        }
        request.as = store::ImportRequest::As::rootfs;
    }
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

// As podman's load and import ask it.
Status expect_allowed(store::ImportOrigin const& origin) {
    auto const policy = OBLEA_TRY(registry::read_signature_policy(home_folder()));
    return registry::expect_accepted(
        policy, {.transport = origin.transport, .path = origin.path, .name = origin.name});
}

Result<store::ImportReport> run_import(Context const& context, store::Store const& store,
                                       store::ImportRequest request, ProgressMode mode) {
    Interrupt const interrupt;
    request.cancel = &interrupt.flag();
    request.allow = &expect_allowed;
    auto progress =
        make_progress(mode, {.live = context.streams().err, .plain = context.streams().out});
    auto imported = store::import_image(store, request, [&](store::ImportProgress const& state) {
        progress->update(state, Progress::Clock::now());
    });
    progress.reset();
    return imported;
}

// What the URL of the request has becomes standard input: it comes to a file without a name.
Status fetch_to_input(store::Store const& store, store::ImportRequest& request) {
    build::FetchedFile const fetched = OBLEA_TRY(build::fetch_url(store, request.source, ""));
    if (::dup2(fetched.file.get(), STDIN_FILENO) < 0 || ::lseek(STDIN_FILENO, 0, SEEK_SET) < 0) {
        return fail(base::sys::last_errno(), "dup2");
    }
    if (request.comment.empty()) {
        request.comment = "Imported from " + request.source;
    }
    request.source = "-";
    return {};
}

Result<int> import(Context& context, ImportOptions const& options) {
    auto request = OBLEA_TRY(request_of(context, options));
    auto const store = OBLEA_TRY(open_store(context));
    if (build::is_url(request.source)) {
        OBLEA_TRY(fetch_to_input(store, request));
    }
    auto const mode = options.quiet ? ProgressMode::none : parse_progress_mode(options.progress);
    auto const report = OBLEA_TRY(run_import(context, store, request, mode));
    if (!options.quiet) {
        context.line(
            fmt::format("Recognised: {}, {}", one_line(report.recognised), layer_counts(report)));
    }
    report_images(context, report);
    return exit_code::kSuccess;
}

// Docker's words for a name that moves from one image to another.
void report_renames(Context const& context, store::Images const& before,
                    store::ImportReport const& report) {
    for (auto const& image : report.images) {
        for (auto const& name : image.names) {
            auto const* old = before.find_name(name);
            auto const reference = store::Reference::parse(name);
            if (old != nullptr && old->id != image.id && reference.has_value()) {
                context.line(fmt::format("The image {} already exists, renaming the old one with "
                                         "ID {} to empty string",
                                         reference->familiar(), old->id.to_string()));
            }
        }
    }
}

Result<int> load(Context& context, ImportOptions const& options) {
    store::ImportRequest request;
    request.source = options.input.value_or("-");
    request.as = store::ImportRequest::As::image;
    request.platform = options.platform;
    request.jobs = context.globals.jobs;
    if (!options.input.has_value() && is_terminal(context.streams().in)) {
        return fail(Errno::einval, "", "requested load from stdin, but stdin is empty");
    }
    auto const store = OBLEA_TRY(open_store(context));
    auto const before = OBLEA_TRY(store.images());
    bool const shown = !options.quiet && is_terminal(context.streams().err);
    auto const report = OBLEA_TRY(
        run_import(context, store, request, shown ? ProgressMode::tty : ProgressMode::none));
    report_renames(context, before, report);
    report_images(context, report);
    return exit_code::kSuccess;
}

}  // namespace

Command import_command() {
    auto options = std::make_shared<ImportOptions>();
    return {
        .name = "import",
        .aliases = {"image import"},
        .section = Command::Section::images,
        .summary = "Take images into the store",
        .description =
            "Reads OCI layouts (folders and archives), docker archives ('docker save', 'podman "
            "save'), and root file systems (folders, and archives of any kind), compressed or not, "
            "and says what it recognised. All layers are read side by side and verified; what the "
            "store has already is not stored again.\n\n"
            "Nothing is left behind when it fails or is interrupted.",
        .operands =
            {{.name = "SOURCE",
              .help =
                  "A folder or file, a URL, - for standard input (the default), or oci:DIR[:TAG], "
                  "oci-archive:FILE[:TAG], docker-archive:FILE, containers-storage:NAME",
              .target = &options->source},
             {.name = "NAME",
              .help = "Name of the image, where the source holds one; default: its own names",
              .target = &options->name}},
        .options = {{.names = "--as",
                     .value_name = "KIND",
                     .help = "What the source is: auto, image or rootfs",
                     .target = &options->as,
                     .choices = {"auto", "image", "rootfs"}},
                    {.names = "-c,--change",
                     .value_name = "INSTRUCTION",
                     .help =
                         "Of a root file system: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, "
                         "ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR as in a Dockerfile; may "
                         "be given several times",
                     .target = &options->changes},
                    {.names = "-m,--message",
                     .value_name = "TEXT",
                     .help = "Of a root file system: a comment for its history",
                     .target = &options->message},
                    {.names = "--platform",
                     .value_name = "OS/ARCH",
                     .help = "The image of this platform, where there are several",
                     .target = &options->platform},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the names of the images",
                     .target = &options->quiet},
                    progress_option(options->progress)},
        .examples = {{"oblea import image.tar", "An archive of docker, podman, skopeo or buildah"},
                     {"oblea import rootfs.tar.xz base:1", "A root file system as an image"},
                     {"oblea import -c 'CMD [\"bash\"]' -c 'ENV A=1' rootfs.tar base:2",
                      "With a command and a variable"},
                     {"docker save debian | oblea import", "From one store to the other"}},
        .run = [options](Context& context) { return import(context, *options); },
    };
}

Command load_command() {
    auto options = std::make_shared<ImportOptions>();
    return {
        .name = "load",
        .aliases = {"image load"},
        .section = Command::Section::images,
        .summary = "Take images from an archive, as docker does",
        .description =
            "Reads what 'oblea save', 'docker save', 'podman save' and skopeo write, compressed or "
            "not, and prints the names. An image that had such a name before loses it. 'oblea "
            "import' takes folders and root file systems too.",
        .operands = {},
        .options = {{.names = "-i,--input",
                     .value_name = "FILE",
                     .help = "Read this file instead of standard input",
                     .target = &options->input},
                    {.names = "--platform",
                     .value_name = "OS/ARCH",
                     .help = "The image of this platform, where there are several",
                     .target = &options->platform},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "No progress",
                     .target = &options->quiet}},
        .examples = {{"oblea load -i image.tar", "All images of an archive"},
                     {"docker save debian | oblea load", "From one store to the other"}},
        .run = [options](Context& context) { return load(context, *options); },
    };
}

}  // namespace oblea::tools
