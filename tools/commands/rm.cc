// SPDX-License-Identifier: MIT
// `rm` and `container prune`.
#include "tools/cli/confirm.h"
#include "tools/cli/each_name.h"
#include "tools/cli/filters.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/prune_parts.h"
#include "tools/container/container_rows.h"
#include "tools/monitor/remove.h"
#include "tools/output/human.h"

#include <ctime>
#include <memory>

namespace oblea::tools {

namespace {

struct RmOptions {
    std::vector<std::string> names;
    bool force = false;
    bool volumes = false;
};

Result<int> remove(Context& context, RmOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Removal const how{.end = options.force ? EndFirst::yes : EndFirst::no,
                      .volumes = options.volumes ? UnnamedVolumes::remove : UnnamedVolumes::keep};
    Force const force = options.force ? Force::yes : Force::no;
    return for_each_name(context, options.names, force, [&](std::string const& name) -> Status {
        Container const container = OBLEA_TRY(need_container(store, name));
        OBLEA_TRY(remove_unused(store, container, how));
        context.line(name);
        return {};
    });
}

struct ContainerPruneOptions {
    bool force = false;
    std::vector<std::string> filters;
};

Result<int> container_prune(Context& context, ContainerPruneOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    if (!options.force && !confirm(context, "WARNING! This will remove all stopped containers.")) {
        return exit_code::kSuccess;
    }
    Pruned const pruned = OBLEA_TRY(prune_containers(context, store, options.filters));
    print_reclaimed(context, pruned.bytes);
    return pruned.status;
}

}  // namespace

Result<Pruned> prune_containers(Context const& context, store::Store const& store,
                                std::vector<std::string> const& asked) {
    Filters const filters = OBLEA_TRY(Filters::parse(asked, {"label", "label!", "until"}));
    auto const until = OBLEA_TRY(filters.time("until", std::time(nullptr)));
    ContainerRows const found = OBLEA_TRY(container_rows(store));
    Pruned pruned;
    std::string deleted;
    for (ContainerRow const& row : found.rows) {
        Labels const labels = row.run.has_value() ? row.run->labels : Labels{};
        auto const created = parse_rfc3339(row.container.created);
        bool const kept = row.is_active() || !has_labels(labels, filters.of("label")) ||
                          (filters.has("label!") && has_labels(labels, filters.of("label!"))) ||
                          (until.has_value() && created.value_or(0) >= *until);
        if (kept) {
            continue;
        }
        ContainerSize const size = OBLEA_TRY(container_size(store, row.container));
        auto const removed = remove_unused(store, row.container, {});
        if (!removed.has_value()) {
            context.error(removed.error());
            pruned.status = exit_code::kFailure;
            continue;
        }
        pruned.bytes += size.own;
        deleted += row.container.id + '\n';
    }
    if (!deleted.empty()) {
        context.print("Deleted Containers:\n" + deleted + '\n');
    }
    return pruned;
}

Command rm_command() {
    auto options = std::make_shared<RmOptions>();
    return {
        .name = "rm",
        .aliases = {"container rm", "container remove"},
        .section = Command::Section::containers,
        .summary = "Remove containers, with all that was written to them",
        .description = "The image stays, and so do volumes, but for --volumes. With several names, "
                       "those that cannot be removed do not keep the others.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->names}},
        .options = {{.names = "-f,--force",
                     .value_name = "",
                     .help = "Kill or unmount it first, even while it is in use",
                     .target = &options->force},
                    {.names = "-v,--volumes",
                     .value_name = "",
                     .help = "Remove its volumes that nobody named, too",
                     .target = &options->volumes}},
        .examples = {{"oblea rm web", "Drop the container web"},
                     {"oblea rm $(oblea ps -aq)", "Drop all that do not run"}},
        .run = [options](Context& context) { return remove(context, *options); },
    };
}

Command container_prune_command() {
    auto options = std::make_shared<ContainerPruneOptions>();
    return {
        .name = "container prune",
        .aliases = {},
        .section = Command::Section::containers,
        .summary = "Remove all containers that do not run",
        .description = "Mounted ones stay too. Filters: until=TIME, label=KEY[=VALUE], "
                       "label!=KEY[=VALUE].",
        .operands = {},
        .options = {{.names = "-f,--force",
                     .value_name = "",
                     .help = "Do not ask",
                     .target = &options->force},
                    {.names = "--filter",
                     .value_name = "KEY=VALUE",
                     .help = "Only those that pass; may be given several times",
                     .target = &options->filters}},
        .examples = {{"oblea container prune -f --filter until=24h", "Those of yesterday"}},
        .run = [options](Context& context) { return container_prune(context, *options); },
    };
}

}  // namespace oblea::tools
