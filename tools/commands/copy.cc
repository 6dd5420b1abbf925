// SPDX-License-Identifier: MIT
#include "tools/registry/copy_image.h"

#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/registry_commands.h"

#include <memory>

namespace oblea::tools {

namespace {

struct CopyOptions {
    std::string source;
    std::string target;
    bool quiet = false;
};

Result<int> copy(Context& context, CopyOptions const& options) {
    auto const source = OBLEA_TRY(store::Reference::parse(options.source)).with_default_tag();
    auto const typed = OBLEA_TRY(store::Reference::parse(options.target));
    if (typed.digest.has_value()) {
        return fail(Errno::einval, "", "cannot copy to a digest reference");
    }
    store::Reference const target = typed.with_default_tag();
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    registry::CopyRequest request{.source = source, .target = target};
    if (!options.quiet) {
        request.event = [&](std::string const& blob, std::string const& state) {
            context.line(blob + ": " + state);
        };
    }
    auto const digest = OBLEA_TRY(registry::copy_image(*session, request));
    context.line(options.quiet ? target.canonical() : "Digest: " + digest.to_string());
    return exit_code::kSuccess;
}

}  // namespace

Command copy_command() {
    auto options = std::make_shared<CopyOptions>();
    return {
        .name = "copy",
        .aliases = {"image copy"},
        .section = Command::Section::images,
        .summary = "Copy an image from one registry to another",
        .description = "Without storing it, and byte for byte: an index goes with all its "
                       "platforms. What the target has is not sent, and within one registry "
                       "layers are mounted.",
        .operands = {{.name = "SOURCE",
                      .help = "NAME[:TAG] or NAME@DIGEST",
                      .target = &options->source},
                     {.name = "TARGET", .help = "NAME[:TAG]", .target = &options->target}},
        .options = {{.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the full name of the copy",
                     .target = &options->quiet,
                     .choices = {}}},
        .examples = {{"oblea copy debian localhost:5000/debian", "All platforms of it"}},
        .run = [options](Context& context) { return copy(context, *options); },
    };
}

}  // namespace oblea::tools
