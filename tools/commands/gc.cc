// SPDX-License-Identifier: MIT
#include "store/gc.h"

#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/output/human.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

struct GcOptions {
    bool dry_run = false;
    bool quiet = false;
};

char const* name_of(store::Garbage::Kind kind) {
    using Kind = store::Garbage::Kind;
    switch (kind) {
    case Kind::layer:
        return "layer";
    case Kind::object:
        return "object";
    case Kind::blob:
        return "blob";
    case Kind::merged:
        return "merged tree";
    case Kind::lease:
        return "lease";
    case Kind::temporary:
        return "temporary";
    }
    return "";
}

Result<int> collect(Context& context, GcOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const report = OBLEA_TRY(store::collect_garbage(
        store, options.dry_run ? store::GcMode::dry_run : store::GcMode::remove));
    for (auto const& warning : report.warnings) {
        context.warning(warning);
    }
    if (!options.quiet) {
        for (auto const& thing : report.removed) {
            context.line(fmt::format("{:<11}  {:>8}  {}", name_of(thing.kind),
                                     human_size(thing.bytes), thing.path));
        }
    }
    if (report.kept_for_leases != 0) {
        context.note(fmt::format("{} things are kept because they are younger than a running "
                                 "operation",
                                 report.kept_for_leases));
    }
    context.line(fmt::format("{}: {}",
                             options.dry_run ? "Reclaimable space" : "Total reclaimed space",
                             human_size_exact(report.bytes)));
    return exit_code::kSuccess;
}

}  // namespace

Command gc_command() {
    auto options = std::make_shared<GcOptions>();
    return {
        .name = "gc",
        .aliases = {},
        .section = Command::Section::store,
        .summary = "Free the space of what no image, container or mount needs",
        .description = "Removes layers, contents and blobs that nothing reaches, and what "
                       "interrupted operations left behind. Images and containers are never "
                       "removed by it ('oblea rmi', 'oblea rm'). Safe to run at any time, beside "
                       "everything else.",
        .operands = {},
        .options = {{.names = "-n,--dry-run",
                     .value_name = "",
                     .help = "Only say what would be removed",
                     .target = &options->dry_run,
                     .choices = {}},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the total",
                     .target = &options->quiet,
                     .choices = {}}},
        .examples = {{"oblea gc --dry-run", "What could be freed"}, {"oblea gc", "Free it"}},
        .run = [options](Context& context) { return collect(context, *options); },
    };
}

}  // namespace oblea::tools
