// SPDX-License-Identifier: MIT
#include "store/layer/file_sink.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/save_archive.h"
#include "tools/output/output_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

namespace oblea::tools {

namespace sys = base::sys;

namespace {

struct SaveOptions {
    std::vector<std::string> names;
    std::optional<std::string> output;
};

Result<int> save(Context& context, SaveOptions const& options) {
    int const out = ::fileno(context.streams().out);
    if (!options.output.has_value() && ::isatty(out) != 0) {
        return fail(Errno::einval, "",
                    "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    auto const store = OBLEA_TRY(open_store(context));
    auto const lease = OBLEA_TRY(store.take_lease("save"));
    auto const images = OBLEA_TRY(store.images());
    auto const plan = OBLEA_TRY(plan_save(images, options.names));
    Interrupt const interrupt;
    SaveReport report;
    auto const write = [&](int fd) -> Status {
        store::FileSink sink{fd};
        report = OBLEA_TRY(save_archive(store, plan, sink, &interrupt.flag()));
        return {};
    };
    if (auto const& output = options.output; output.has_value()) {
        OBLEA_TRY(write_output_file(*output, 0600, write));
    } else {
        OBLEA_TRY(write(out));
    }
    for (auto const& id : report.changed) {
        context.warning(fmt::format("the compressed layers of {} are gone: it was saved with new "
                                    "ones, and its manifest has another digest",
                                    id.short_hex()));
    }
    return exit_code::kSuccess;
}

}  // namespace

Command save_command() {
    auto options = std::make_shared<SaveOptions>();
    return {
        .name = "save",
        .aliases = {"image save"},
        .section = Command::Section::images,
        .summary = "Write images into one archive",
        .description =
            "A tar that is an OCI layout and a docker archive at once; docker, podman and skopeo "
            "read it, and 'oblea load'. Layers, config and manifest are what came, byte for byte, "
            "so all digests hold. A repository without a tag stands for all its tags; an image "
            "that is named by its id has no name in the archive.",
        .operands = {{.name = "IMAGE", .help = "Names or ids", .target = &options->names}},
        .options = {{.names = "-o,--output",
                     .value_name = "FILE",
                     .help = "Write there instead of standard output; the file appears when it is "
                             "complete",
                     .target = &options->output}},
        .examples = {{"oblea save -o debian.tar debian:12", "One image"},
                     {"oblea save debian | gzip > all.tar.gz", "All tags of debian, compressed"},
                     {"oblea save debian | podman load", "Into podman's store"}},
        .run = [options](Context& context) { return save(context, *options); },
    };
}

}  // namespace oblea::tools
