// SPDX-License-Identifier: MIT
#include "store/gc.h"
#include "store/image/reference.h"
#include "tools/cli/confirm.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/prune_parts.h"
#include "tools/images/image_config.h"
#include "tools/images/image_filter.h"
#include "tools/images/image_uses.h"
#include "tools/output/human.h"

#include <ctime>
#include <memory>

namespace oblea::tools {

namespace {

struct ImagePruneOptions {
    bool all = false;
    bool force = false;
    std::vector<std::string> filters;
};

constexpr char const* kDanglingWarning = "WARNING! This will remove all dangling images.";
constexpr char const* kAllWarning =
    "WARNING! This will remove all images without at least one container associated to them.";

// Read before images.json is locked: labels are in files of their own.
Result<std::vector<store::Digest>> candidates(store::Store const& store,
                                              store::Images const& images,
                                              ImageFilter const& filter, bool all) {
    std::vector<store::Digest> chosen;
    for (auto const& image : images.all()) {
        if (!all && is_tagged(image)) {
            continue;
        }
        Labels labels;
        if (filter.wants_labels()) {
            auto config = OBLEA_TRY(read_image_config(store, image));
            labels = std::move(config.labels);
        }
        if (filter.keeps(image, labels)) {
            chosen.push_back(image.id);
        }
    }
    return chosen;
}

// Children go before their parents, which is only possible in several rounds.
RemovePlan remove_candidates(store::Images& images, std::vector<ImageUse> const& uses,
                             std::vector<store::Digest> const& chosen) {
    RemovePlan whole;
    for (bool any = true; any;) {
        any = false;
        for (auto const& id : chosen) {
            store::Image const* const image = images.find(id);
            if (image == nullptr) {
                continue;
            }
            RemovePlan const plan = plan_prune(images, uses, *image);
            apply_removal(images, plan);
            any = any || !plan.remove.empty();
            whole.untag.insert(whole.untag.end(), plan.untag.begin(), plan.untag.end());
            whole.digests.insert(whole.digests.end(), plan.digests.begin(), plan.digests.end());
            whole.remove.insert(whole.remove.end(), plan.remove.begin(), plan.remove.end());
        }
    }
    return whole;
}

void print_removal(Context const& context, RemovePlan const& plan) {
    if (plan.remove.empty()) {
        return;
    }
    context.line("Deleted Images:");
    for (auto const* names : {&plan.untag, &plan.digests}) {
        for (auto const& name : *names) {
            auto const reference = store::Reference::parse(name);
            context.line("untagged: " + (reference.has_value() ? reference->familiar() : name));
        }
    }
    for (auto const& id : plan.remove) {
        context.line("deleted: " + id.to_string());
    }
    context.line("");
}

Result<int> image_prune(Context& context, ImagePruneOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const now = OBLEA_TRY(store.own_images());
    auto const filter = OBLEA_TRY(
        ImageFilter::parse(options.filters, ImageFilter::Of::prune, now, std::time(nullptr)));
    // Docker's other spelling of --all.
    bool const all = options.all || filter.dangling() == std::optional{false};
    if (!options.force && !confirm(context, all ? kAllWarning : kDanglingWarning)) {
        return fail(Errno::ecanceled, "", "image prune has been cancelled");
    }
    Pruned const pruned = OBLEA_TRY(prune_images(
        context, store, options.filters, all ? PruneWhich::all_unused : PruneWhich::nameless));
    print_reclaimed(context, pruned.bytes);
    return pruned.status;
}

struct SystemPruneOptions {
    bool all = false;
    bool force = false;
    bool volumes = false;
    std::vector<std::string> filters;
};

std::string system_warning(SystemPruneOptions const& options) {
    std::string text = "WARNING! This will remove:\n  - all stopped containers\n";
    text += options.volumes ? "  - all anonymous volumes not used by at least one container\n" : "";
    text += options.all ? "  - all images without at least one container associated to them\n"
                        : "  - all dangling images\n";
    text += "  - what nothing in the store needs any more\n";
    if (!options.filters.empty()) {
        text += "\n  Items to be pruned will be filtered with:\n";
        for (std::string const& filter : options.filters) {
            text += "  - " + filter + '\n';
        }
    }
    return text;
}

Result<int> prune_system(Context& context, SystemPruneOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Filters const filters =
        OBLEA_TRY(Filters::parse(options.filters, {"label", "label!", "until"}));
    if (options.volumes && filters.has("until")) {
        return fail(Errno::einval, "", "the \"until\" filter is not supported with \"--volumes\"");
    }
    if (!options.force && !confirm(context, system_warning(options))) {
        return fail(Errno::ecanceled, "", "system prune has been cancelled");
    }
    Pruned const containers = OBLEA_TRY(prune_containers(context, store, options.filters));
    // Behind the containers that have used them.
    Pruned const volumes =
        options.volumes ? OBLEA_TRY(prune_volumes(context, store, filters, PruneVolumes::unnamed))
                        : Pruned{};
    Pruned const images =
        OBLEA_TRY(prune_images(context, store, options.filters,
                               options.all ? PruneWhich::all_unused : PruneWhich::nameless));
    print_reclaimed(context, containers.bytes + volumes.bytes + images.bytes);
    return std::max({containers.status, volumes.status, images.status});
}

}  // namespace

Result<Pruned> prune_images(Context const& context, store::Store const& store,
                            std::vector<std::string> const& filters, PruneWhich which) {
    auto const now = OBLEA_TRY(store.images());
    auto const filter =
        OBLEA_TRY(ImageFilter::parse(filters, ImageFilter::Of::prune, now, std::time(nullptr)));
    auto const chosen = OBLEA_TRY(candidates(store, now, filter, which == PruneWhich::all_unused));
    auto const uses = OBLEA_TRY(image_uses(store));
    RemovePlan plan;
    Status changed = store.change_images([&](store::Images& images) -> Status {
        plan = remove_candidates(images, uses, chosen);
        return {};
    });
    OBLEA_TRY(std::move(changed));
    print_removal(context, plan);
    auto const report = OBLEA_TRY(store::collect_garbage(store, store::GcMode::remove));
    for (auto const& warning : report.warnings) {
        context.warning(warning);
    }
    return Pruned{.bytes = report.bytes};
}

void print_reclaimed(Context const& context, std::uint64_t bytes) {
    context.line("Total reclaimed space: " + human_size_exact(bytes));
}

Command prune_command() {
    auto options = std::make_shared<ImagePruneOptions>();
    return {
        .name = "prune",
        .aliases = {"image prune"},
        .section = Command::Section::images,
        .summary = "Remove images that nothing needs",
        .description =
            "Those without a name; with --all every image that no container and no mount uses. "
            "What "
            "they leave behind in the store goes too, as with 'oblea gc'; the total is what the "
            "disk gets back.\n\n"
            "Filters: until=TIME (images made before), label=KEY[=VALUE], label!=KEY[=VALUE].",
        .operands = {},
        .options = {{.names = "-a,--all",
                     .value_name = "",
                     .help = "All images that nothing uses, with or without a name",
                     .target = &options->all},
                    {.names = "-f,--force",
                     .value_name = "",
                     .help = "Do not ask",
                     .target = &options->force},
                    {.names = "--filter",
                     .value_name = "KEY=VALUE",
                     .help = "Only images that pass; may be given several times",
                     .target = &options->filters}},
        .examples = {{"oblea image prune", "Remove what has no name, after asking"},
                     {"oblea image prune -a -f --filter until=240h",
                      "Remove what is unused and older than ten days"}},
        .run = [options](Context& context) { return image_prune(context, *options); },
    };
}

Command system_prune_command() {
    auto options = std::make_shared<SystemPruneOptions>();
    return {
        .name = "system prune",
        .aliases = {},
        .section = Command::Section::store,
        .summary = "Remove containers and images that nothing needs",
        .description = "Containers that neither run nor are mounted, then images without a name; "
                       "with --all every image that no container and no mount uses. What they "
                       "leave behind in the store goes too.\n\n"
                       "Filters: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE].",
        .operands = {},
        .options = {{.names = "-a,--all",
                     .value_name = "",
                     .help = "All images that nothing uses, with or without a name",
                     .target = &options->all},
                    {.names = "-f,--force",
                     .value_name = "",
                     .help = "Do not ask",
                     .target = &options->force},
                    {.names = "--volumes",
                     .value_name = "",
                     .help = "Volumes without a name that no container uses, too",
                     .target = &options->volumes},
                    {.names = "--filter",
                     .value_name = "KEY=VALUE",
                     .help = "Only what passes; may be given several times",
                     .target = &options->filters}},
        .examples = {{"oblea system prune", "After asking"},
                     {"oblea system prune -a -f --filter until=240h",
                      "All that is unused and older than ten days"}},
        .run = [options](Context& context) { return prune_system(context, *options); },
    };
}

}  // namespace oblea::tools
