// SPDX-License-Identifier: MIT
// `volume create`, `volume ls`, `volume rm` and `volume prune`.
#include "tools/cli/confirm.h"
#include "tools/cli/each_name.h"
#include "tools/cli/filters.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/prune_parts.h"
#include "tools/container/container_size.h"
#include "tools/container/container_volumes.h"
#include "tools/container/volume_rows.h"
#include "tools/mount/identifiers.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

struct VolumeCreateOptions {
    std::optional<std::string> name;
    std::string driver = "local";
    std::vector<std::string> labels;
    std::vector<std::string> driver_options;
};

std::map<std::string, std::string> parse_labels(std::vector<std::string> const& words) {
    std::map<std::string, std::string> labels;
    for (std::string const& word : words) {
        auto const equals = word.find('=');
        labels[word.substr(0, equals)] =
            equals == std::string::npos ? std::string{} : word.substr(equals + 1);
    }
    return labels;
}

Result<int> create(Context& context, VolumeCreateOptions const& options) {
    if (options.driver != "local") {
        return fail(Errno::enoent, "",
                    fmt::format("create {0}: error looking up volume plugin {1}: plugin \"{1}\" "
                                "not found",
                                options.name.value_or(""), options.driver));
    }
    if (!options.driver_options.empty()) {
        return fail(Errno::einval, "",
                    fmt::format("create {}: invalid option: \"{}\": volumes are folders of the "
                                "store; to show another folder, use 'oblea run -v /FOLDER:/TARGET'",
                                options.name.value_or(""), options.driver_options.front()));
    }
    auto const store = OBLEA_TRY(open_store(context));
    NewVolume wanted{.name = options.name.value_or(""), .labels = parse_labels(options.labels)};
    if (wanted.name.empty()) {
        wanted.name = OBLEA_TRY(random_id());
        wanted.labels[Volume::kAnonymous] = "";
    }
    OBLEA_TRY(create_volume(store, wanted));
    context.line(wanted.name);
    return exit_code::kSuccess;
}

struct VolumeListOptions {
    bool quiet = false;
    std::vector<std::string> filters;
    std::string format;
};

Result<int> list(Context& context, VolumeListOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    VolumeList found = OBLEA_TRY(list_volumes(store));
    for (auto const& damaged : found.damaged) {
        context.warning(damaged);
    }
    Filters const filters =
        OBLEA_TRY(Filters::parse(options.filters, {"dangling", "driver", "label", "name"}));
    auto const uses = filters.has("dangling") ? OBLEA_TRY(volume_uses(store)) : VolumeUses{};
    auto const volumes = OBLEA_TRY(filter_volumes(std::move(found.all), filters, uses));
    std::string const format =
        options.quiet && options.format.empty() ? "{{.Name}}" : options.format;
    context.print(OBLEA_TRY(render_volumes(store, volumes, format)));
    return exit_code::kSuccess;
}

struct VolumeRmOptions {
    std::vector<std::string> names;
    bool force = false;
};

Result<int> remove(Context& context, VolumeRmOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    return for_each_name(context, options.names, Force::no, [&](std::string const& name) -> Status {
        auto removed = remove_unused_volume(store, name);
        bool const as_wished =
            removed.has_value() || (options.force && removed.error().code == Errno::enoent);
        if (as_wished) {
            context.line(name);
            return {};
        }
        return removed;
    });
}

struct VolumePruneOptions {
    bool all = false;
    bool force = false;
    std::vector<std::string> filters;
};

Result<int> prune(Context& context, VolumePruneOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Filters const filters = OBLEA_TRY(Filters::parse(options.filters, {"all", "label", "label!"}));
    // Docker's other spelling of --all.
    bool const all = options.all || OBLEA_TRY(filters.flag("all")).value_or(false);
    char const* const warning =
        all ? "WARNING! This will remove all local volumes not used by at least one container."
            : "WARNING! This will remove anonymous local volumes not used by at least one "
              "container.";
    if (!options.force && !confirm(context, warning)) {
        return fail(Errno::ecanceled, "", "volume prune has been cancelled");
    }
    Pruned const pruned = OBLEA_TRY(prune_volumes(
        context, store, filters, all ? PruneVolumes::all_unused : PruneVolumes::unnamed));
    print_reclaimed(context, pruned.bytes);
    return pruned.status;
}

}  // namespace

Result<Pruned> prune_volumes(Context const& context, store::Store const& store,
                             Filters const& filters, PruneVolumes which) {
    VolumeList const found = OBLEA_TRY(list_volumes(store));
    VolumeUses const uses = OBLEA_TRY(volume_uses(store));
    Pruned pruned;
    std::string deleted;
    for (Volume const& volume : found.all) {
        bool const kept =
            uses.contains(volume.name) ||
            (which == PruneVolumes::unnamed && !volume.is_anonymous()) ||
            !has_labels(volume.labels, filters.of("label")) ||
            (filters.has("label!") && has_labels(volume.labels, filters.of("label!")));
        if (kept) {
            continue;
        }
        std::uint64_t const bytes = OBLEA_TRY(contents_bytes(store, volume.data()));
        auto const removed = remove_unused_volume(store, volume.name);
        if (!removed.has_value()) {
            context.error(removed.error());
            pruned.status = exit_code::kFailure;
            continue;
        }
        pruned.bytes += bytes;
        deleted += volume.name + '\n';
    }
    if (!deleted.empty()) {
        context.print("Deleted Volumes:\n" + deleted + '\n');
    }
    return pruned;
}

Command volume_create_command() {
    auto options = std::make_shared<VolumeCreateOptions>();
    return {
        .name = "volume create",
        .aliases = {},
        .section = Command::Section::containers,
        .summary = "Make a volume",
        .description =
            "A volume is a folder in the store that containers keep data in: what they write there "
            "is not in their writable layer, other containers may use it too, and it stays when "
            "they are removed. Prints the name. One that is there is left as it is.\n\n"
            "'oblea run -v NAME:/TARGET' makes it too, '-v /TARGET' one without a name, and so do "
            "the volumes that an image names. An empty volume gets, when a container first uses "
            "it, what the image has at that place, with owners and modes.",
        .operands = {{.name = "NAME",
                      .help = "Its name; default: one is made up, and the volume counts as one "
                              "without a name",
                      .target = &options->name}},
        .options = {{.names = "-d,--driver",
                     .value_name = "DRIVER",
                     .help = "For docker's sake: there is only local",
                     .target = &options->driver},
                    {.names = "--label",
                     .value_name = "NAME=VALUE",
                     .help = "Set a label",
                     .target = &options->labels},
                    {.names = "-o,--opt",
                     .value_name = "NAME=VALUE",
                     .help = "For docker's sake: the driver has no options, and refuses them",
                     .target = &options->driver_options}},
        .examples = {{"oblea volume create data", "For 'oblea run -v data:/var/lib/data'"}},
        .run = [options](Context& context) { return create(context, *options); },
    };
}

Command volume_ls_command() {
    auto options = std::make_shared<VolumeListOptions>();
    return {
        .name = "volume ls",
        .aliases = {"volume list"},
        .section = Command::Section::containers,
        .summary = "List volumes",
        .description =
            "Filters: dangling=true (those that no container uses), driver=local, "
            "label=KEY[=VALUE], name=PATTERN.\n\n"
            "A format is a Go template over .Name, .Driver, .Scope, .Mountpoint, .Labels and "
            ".Label \"KEY\"; 'table TEMPLATE' gives it a heading, 'json' prints one object a line.",
        .operands = {},
        .options = {{.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the names",
                     .target = &options->quiet},
                    {.names = "-f,--filter",
                     .value_name = "KEY=VALUE",
                     .help = "Only those that pass; may be given several times",
                     .target = &options->filters},
                    {.names = "--format",
                     .value_name = "FORMAT",
                     .help = "table, table TEMPLATE, json, or a Go template",
                     .target = &options->format}},
        .examples = {{"oblea volume ls", "All volumes"},
                     {"oblea volume ls -q -f dangling=true", "Those that no container uses"}},
        .run = [options](Context& context) { return list(context, *options); },
    };
}

Command volume_rm_command() {
    auto options = std::make_shared<VolumeRmOptions>();
    return {
        .name = "volume rm",
        .aliases = {"volume remove"},
        .section = Command::Section::containers,
        .summary = "Remove volumes, with all that is in them",
        .description =
            "One that a container uses, running or not, stays. With several names, those "
            "that cannot be removed do not keep the others.",
        .operands = {{.name = "VOLUME", .help = "Its name", .target = &options->names}},
        .options = {{.names = "-f,--force",
                     .value_name = "",
                     .help = "It is no fault when one is not there",
                     .target = &options->force}},
        .examples = {{"oblea volume rm data", "Drop the volume data"}},
        .run = [options](Context& context) { return remove(context, *options); },
    };
}

Command volume_prune_command() {
    auto options = std::make_shared<VolumePruneOptions>();
    return {
        .name = "volume prune",
        .aliases = {},
        .section = Command::Section::containers,
        .summary = "Remove volumes that no container uses",
        .description = "Those without a name; with --all those with one, too. 'oblea gc' removes "
                       "no volume.\n\n"
                       "Filters: label=KEY[=VALUE], label!=KEY[=VALUE], all=true.",
        .operands = {},
        .options = {{.names = "-a,--all",
                     .value_name = "",
                     .help = "Those that have a name, too",
                     .target = &options->all},
                    {.names = "-f,--force",
                     .value_name = "",
                     .help = "Do not ask",
                     .target = &options->force},
                    {.names = "--filter",
                     .value_name = "KEY=VALUE",
                     .help = "Only those that pass; may be given several times",
                     .target = &options->filters}},
        .examples = {{"oblea volume prune", "What containers that are gone have left, after "
                                            "asking"}},
        .run = [options](Context& context) { return prune(context, *options); },
    };
}

}  // namespace oblea::tools
