// SPDX-License-Identifier: MIT
#include "tools/build/build.h"

#include "store/base/sys.h"
#include "store/image/reference.h"
#include "tools/build/build_command.h"
#include "tools/build/context/context.h"
#include "tools/build/leftovers.h"
#include "tools/build/step_image.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/mount/child_work.h"
#include "tools/output/output_file.h"
#include "tools/registry/ensure_image.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace oblea::tools {

namespace {

namespace sys = base::sys;

struct BuildArguments {
    std::string context;
    std::vector<std::string> tags;
    std::optional<std::string> file;
    std::vector<std::string> build_args;
    std::vector<std::string> labels;
    std::vector<std::string> cache_from;
    std::vector<std::string> secrets;
    std::string target;
    std::string platform;
    std::string network = "default";
    std::string progress = "classic";
    std::string iid_file;
    bool no_cache = false;
    bool pull = false;
    bool quiet = false;
    bool squash = false;
    bool remove = false;
    bool force_remove = false;
};

// "NAME=VALUE", or "NAME" for the caller's variable, which may not be set.
std::optional<std::pair<std::string, std::string>> argument(std::string const& typed) {
    auto const equals = typed.find('=');
    if (equals != std::string::npos) {
        return std::pair{typed.substr(0, equals), typed.substr(equals + 1)};
    }
    char const* const own = std::getenv(typed.c_str());
    return own != nullptr ? std::optional{std::pair{typed, std::string{own}}} : std::nullopt;
}

Result<std::vector<std::string>> canonical_names(std::vector<std::string> const& typed) {
    std::vector<std::string> names;
    for (std::string const& one : typed) {
        auto const reference = OBLEA_TRY(store::Reference::parse(one));
        if (reference.digest.has_value()) {
            return fail(Errno::einval, "", "refusing to create a tag with a digest reference");
        }
        names.push_back(reference.with_default_tag().canonical());
    }
    return names;
}

Result<build::BuildOptions> options_of(BuildArguments const& typed) {
    build::BuildOptions options;
    for (std::string const& one : typed.build_args) {
        if (auto const given = argument(one)) {
            options.arguments.insert_or_assign(given->first, given->second);
        }
    }
    for (std::string const& one : typed.labels) {
        auto const equals = std::min(one.find('='), one.size());
        options.labels.emplace_back(one.substr(0, equals),
                                    one.substr(std::min(equals + 1, one.size())));
    }
    for (std::string const& one : typed.secrets) {
        options.secrets.insert(OBLEA_TRY(build::parse_secret(one)));
    }
    options.target = typed.target;
    options.platform = typed.platform.empty()
                           ? store::Platform::of_machine().normalised()
                           : OBLEA_TRY(store::Platform::parse(typed.platform)).normalised();
    options.cache = typed.no_cache ? build::UseCache::no : build::UseCache::yes;
    options.pull =
        typed.pull ? build::BuildOptions::Pull::always : build::BuildOptions::Pull::missing;
    options.network = typed.network == "none"   ? build::Network::none
                      : typed.network == "host" ? build::Network::host
                                                : build::Network::default_;
    return options;
}

build::OutputMode output_mode(BuildArguments const& typed) {
    using Mode = build::OutputMode;
    if (typed.quiet) {
        return Mode::quiet;
    }
    if (typed.progress == "plain") {
        return Mode::plain;
    }
    if (typed.progress == "json" || typed.progress == "rawjson") {
        return Mode::json;
    }
    return typed.progress == "tty" ? Mode::terminal : Mode::classic;
}

// Images of --cache-from; what cannot be had is no cache, and no failure.
Result<std::vector<store::Digest>> cache_images(Context const& context, store::Store const& store,
                                                std::vector<std::string> const& names) {
    std::vector<store::Digest> ids;
    for (std::string const& name : names) {
        auto const there = ensure_image(context, store, {.image = name, .quiet = true});
        auto const images = OBLEA_TRY(store.images());
        auto const image = images.resolve(there.value_or(name));
        if (there.has_value() && image.has_value()) {
            ids.push_back((*image)->id);
        } else {
            context.warning("--cache-from " + name + ": " +
                            (there.has_value() ? image.error() : there.error()).message());
        }
    }
    return ids;
}

Result<int> conclude(Context& context, BuildArguments const& typed, store::Store const& store,
                     build::BuildResult const& built, std::vector<std::string> const& names) {
    if (built.exit_code != 0) {
        context.error(built.problem);
        return built.exit_code;
    }
    if (built.id == store::Digest{}) {
        return fail(Errno::einval, "", "No image was generated. Is your Dockerfile empty?");
    }
    auto const give_names = [&]() -> Result<std::string> {
        OBLEA_TRY(build::publish_names(store, built.id, names));
        return std::string{};
    };
    OBLEA_TRY(run_in_child(give_names));
    if (!typed.iid_file.empty()) {
        OBLEA_TRY(write_output_file(typed.iid_file, 0644, [&](int file) {
            return sys::write_all(file, base::bytes_of(built.id.to_string()));
        }));
    }
    if (typed.quiet) {
        built.output->line(built.id.to_string());
        return exit_code::kSuccess;
    }
    if (!built.unused_arguments.empty()) {
        built.output->line(fmt::format("[Warning] One or more build-args [{}] were not consumed",
                                       fmt::join(built.unused_arguments, " ")));
    }
    built.output->line("Successfully built " + built.id.short_hex());
    for (std::string const& name : names) {
        auto const reference = OBLEA_TRY(store::Reference::parse(name));
        built.output->line("Successfully tagged " + reference.familiar());
    }
    return exit_code::kSuccess;
}

Result<int> build_command_run(Context& context, BuildArguments const& typed) {
    if (typed.squash) {
        return fail(Errno::eopnotsupp, "",
                    "--squash is not supported: build the last stage with COPY --from=... from the "
                    "others, which gives one layer");
    }
    auto const names = OBLEA_TRY(canonical_names(typed.tags));
    auto options = OBLEA_TRY(options_of(typed));
    auto const epoch = options.arguments.find("SOURCE_DATE_EPOCH");
    if (epoch != options.arguments.end()) {
        ::setenv("SOURCE_DATE_EPOCH", epoch->second.c_str(), 1);
    }
    auto const store = OBLEA_TRY(open_store(context));
    OBLEA_TRY(build::remove_leftovers(store));
    auto const source =
        OBLEA_TRY(build::open_context(store, {.context = typed.context, .dockerfile = typed.file}));
    auto const file =
        OBLEA_TRY(dockerfile::parse_dockerfile(source.dockerfile, source.dockerfile_name));
    options.cache_from = OBLEA_TRY(cache_images(context, store, typed.cache_from));
    for (std::string const& warning : file.warnings) {
        context.warning(warning);
    }
    Interrupt const interrupt;
    build::BuildRequest const request{.context = context,
                                      .store = store,
                                      .options = options,
                                      .file = file,
                                      .files = source.files.get(),
                                      .output = output_mode(typed),
                                      .cancel = interrupt.flag(),
                                      .jobs = context.globals.jobs};
    auto const built = OBLEA_TRY(build::build_image(request));
    return conclude(context, typed, store, built, names);
}

std::vector<Option> build_options(BuildArguments& typed) {
    return {
        {.names = "-t,--tag",
         .value_name = "NAME[:TAG]",
         .help = "Name of the image; may be given several times",
         .target = &typed.tags},
        {.names = "-f,--file",
         .value_name = "FILE",
         .help = "The Dockerfile; default: Dockerfile in the context; -: standard input",
         .target = &typed.file},
        {.names = "--build-arg",
         .value_name = "NAME=VALUE",
         .help = "Set what an ARG asks for; NAME alone hands your variable on",
         .target = &typed.build_args},
        {.names = "--target",
         .value_name = "STAGE",
         .help = "Build up to this stage; default: the last one",
         .target = &typed.target},
        {.names = "--label",
         .value_name = "NAME=VALUE",
         .help = "Set a label of the image",
         .target = &typed.labels},
        {.names = "--no-cache",
         .value_name = "",
         .help = "Carry out every step, whatever earlier builds have left",
         .target = &typed.no_cache},
        {.names = "--cache-from",
         .value_name = "IMAGE",
         .help = "Use the steps of this image as well, which is pulled where that is needed",
         .target = &typed.cache_from},
        {.names = "--pull",
         .value_name = "",
         .help = "Ask the registry for newer base images",
         .target = &typed.pull},
        {.names = "--platform",
         .value_name = "OS/ARCH",
         .help = "Platform of the image; default: the machine's",
         .target = &typed.platform},
        {.names = "--network",
         .value_name = "NETWORK",
         .help = "Of RUN: the machine's (default, host), or none",
         .target = &typed.network,
         .choices = {"default", "host", "none"}},
        {.names = "--secret",
         .value_name = "id=NAME[,src=FILE|,env=VARIABLE]",
         .help = "What RUN --mount=type=secret may have; it reaches no image",
         .target = &typed.secrets},
        {.names = "--progress",
         .value_name = "HOW",
         .help = "classic: docker's lines (default); plain: lines with their stage; json; tty",
         .target = &typed.progress,
         .choices = {"auto", "classic", "plain", "json", "rawjson", "tty"}},
        {.names = "-q,--quiet",
         .value_name = "",
         .help = "Print nothing but the image's id",
         .target = &typed.quiet},
        {.names = "--iidfile",
         .value_name = "FILE",
         .help = "Write the image's id to a file",
         .target = &typed.iid_file},
        {.names = "--rm",
         .value_name = "",
         .help = "Is always so: containers of steps do not stay",
         .target = &typed.remove},
        {.names = "--force-rm",
         .value_name = "",
         .help = "Is always so",
         .target = &typed.force_remove},
        {.names = "--squash",
         .value_name = "",
         .help = "Not supported; says what to do instead",
         .target = &typed.squash},
    };
}

}  // namespace

Command build_command() {
    auto typed = std::make_shared<BuildArguments>();
    return {
        .name = "build",
        .aliases = {"image build"},
        .section = Command::Section::images,
        .summary = "Make an image as a Dockerfile says",
        .description =
            "Each step gives an image, which can be tagged, mounted and run; it is the next "
            "build's cache: a step is not carried out again as long as the steps before, its text "
            "and the contents of the files that it copies are the same. 'oblea images -a' shows "
            "these images, 'oblea image prune' removes those that nothing is built on any more.\n\n"
            "Stages that do not need each other are built side by side, and only those that the "
            "target needs. RUN is done as 'oblea run' does it; what it changed becomes a layer. "
            "With SOURCE_DATE_EPOCH in the environment the same input gives the same image.\n\n"
            "The exit status is that of the command that failed; 1 for all other failures.",
        .operands = {{.name = "CONTEXT",
                      .help = "Folder that COPY and ADD take from; -: a tar, or a Dockerfile, on "
                              "standard input",
                      .target = &typed->context}},
        .options = build_options(*typed),
        .examples = {{"oblea build -t demo .", "The Dockerfile of this folder as demo:latest"},
                     {"oblea build --target test --build-arg VERSION=2 .",
                      "One of its stages, with an argument"}},
        .run = [typed](Context& context) { return build_command_run(context, *typed); },
    };
}

}  // namespace oblea::tools
