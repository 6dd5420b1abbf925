// SPDX-License-Identifier: MIT
#include "tools/cli/docker_config.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_rows.h"

#include <ctime>
#include <memory>

namespace oblea::tools {

namespace {

struct PsOptions {
    bool all = false;
    bool quiet = false;
    bool no_trunc = false;
    bool size = false;
    bool latest = false;
    unsigned last_number = 0;
    std::vector<std::string> filters;
    std::string format;
};

Result<int> list(Context& context, PsOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    ContainerRows found = OBLEA_TRY(container_rows(store));
    for (auto const& damaged : found.damaged) {
        context.warning(damaged);
    }
    auto rows = OBLEA_TRY(filter_rows(store, std::move(found.rows), options.filters));
    std::size_t const last = options.latest ? 1 : options.last_number;
    if (!options.all && last == 0 && !wants_all(options.filters)) {
        std::erase_if(rows, [](ContainerRow const& row) { return !row.is_active(); });
    }
    if (last != 0 && rows.size() > last) {
        rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(last), rows.end());
    }
    RowOptions row_options{
        .format = options.format,
        .truncate = options.no_trunc ? RowOptions::Truncate::no : RowOptions::Truncate::yes,
        .sizes = options.size ? RowOptions::Sizes::show : RowOptions::Sizes::hide,
        .now = std::time(nullptr)};
    if (options.format.empty() && !options.quiet) {
        row_options.format = OBLEA_TRY(docker_setting("psFormat"));
    }
    if (options.quiet) {
        if (!options.format.empty()) {
            context.warning("Ignoring custom format, because both --format and --quiet are set.");
        }
        row_options.format = "{{.ID}}";
    }
    context.print(OBLEA_TRY(render_containers(store, rows, row_options)));
    return exit_code::kSuccess;
}

}  // namespace

Command ps_command() {
    auto options = std::make_shared<PsOptions>();
    return {
        .name = "ps",
        .aliases = {"container ls", "container list", "container ps"},
        .section = Command::Section::containers,
        .summary = "List containers",
        .description =
            "A container is a writable layer under a name, as 'oblea run', 'oblea mount' and "
            "'oblea chroot' make them; one that is mounted counts as running. Without --all only "
            "those that run. The newest comes first.\n\n"
            "SIZE is what the writable layer holds; virtual, together with the image.\n\n"
            "Filters: ancestor=IMAGE, before=CONTAINER, since=CONTAINER, exited=STATUS, id=ID, "
            "label=KEY[=VALUE], name=PATTERN, network=NAME, publish=PORT, expose=PORT, "
            "health=STATE, "
            "status=STATUS, volume=NAME or PATH.\n\n"
            "A format is a Go template over .ID, .Names, .Image, .Command, .CreatedAt, "
            ".RunningFor, .Ports, .State, .Status, .Size, .Labels, .Mounts, .Networks and .Label "
            "\"KEY\"; 'table TEMPLATE' gives it a heading, 'json' prints one object a line. The "
            "default is psFormat of docker's config.json.",
        .operands = {},
        .options = {{.names = "-a,--all",
                     .value_name = "",
                     .help = "Also those that do not run",
                     .target = &options->all},
                    {.names = "-s,--size",
                     .value_name = "",
                     .help = "Show how much they hold",
                     .target = &options->size},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the ids",
                     .target = &options->quiet},
                    {.names = "--no-trunc",
                     .value_name = "",
                     .help = "Whole ids and commands",
                     .target = &options->no_trunc},
                    {.names = "-n,--last",
                     .value_name = "NUMBER",
                     .help = "Only so many of the newest, running or not",
                     .target = &options->last_number},
                    {.names = "-l,--latest",
                     .value_name = "",
                     .help = "Only the newest, running or not",
                     .target = &options->latest},
                    {.names = "-f,--filter",
                     .value_name = "KEY=VALUE",
                     .help = "Only those that pass; may be given several times",
                     .target = &options->filters},
                    {.names = "--format",
                     .value_name = "FORMAT",
                     .help = "table, table TEMPLATE, json, or a Go template",
                     .target = &options->format}},
        .examples = {{"oblea ps -a -s", "All containers and their sizes"},
                     {"oblea ps -f status=exited -q", "The ids of those that have ended"}},
        .run = [options](Context& context) { return list(context, *options); },
    };
}

}  // namespace oblea::tools
