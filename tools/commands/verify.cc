// SPDX-License-Identifier: MIT
#include "store/verify.h"
#include "store/image/platform.h"
#include "store/image/reference.h"
#include "store/repair.h"
#include "store/shared_store.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/progress_option.h"
#include "tools/commands/registry_commands.h"
#include "tools/container/check_containers.h"
#include "tools/images/fault_lines.h"
#include "tools/output/human.h"
#include "tools/registry/pull_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>

namespace oblea::tools {

namespace {

constexpr char const* kNoSecondCopy =
    "of what a container has written there is no second copy: save what can be read of it by "
    "'oblea cp' or 'oblea export', and remove it by 'oblea rm'";

struct VerifyCommandOptions {
    std::optional<std::string> folder;  // of a published store instead of the own one
    bool fast = false;
    bool quiet = false;
    std::string progress = "auto";
};

struct RepairOptions {
    std::vector<std::string> from;
    bool pull = false;
    std::string progress = "auto";
};

using Verify = std::function<Result<store::VerifyReport>(
    std::function<void(store::VerifyProgress const&)> const& tell)>;

// Runs a verification whose progress is one line.
Result<store::VerifyReport> verify_shown(Context& context, std::string const& mode,
                                         Verify const& verify) {
    // In a log there is nothing to say before the end.
    bool const silent = mode == "auto" && !is_terminal(context.streams().err);
    auto const progress =
        make_progress(silent ? ProgressMode::none : parse_progress_mode(mode),
                      {.live = context.streams().err, .plain = context.streams().err});
    auto const tell = [&](store::VerifyProgress const& state) {
        store::ImportProgress shown;
        shown.layers.push_back({.id = "verifying",
                                .state = store::ImportProgress::State::reading,
                                .bytes = state.bytes,
                                .total_bytes = state.total_bytes});
        progress->update(shown, Progress::Clock::now());
    };
    return verify(tell);
}

// What was found, with the images and containers that lines about it name.
struct Verified {
    store::VerifyReport report;
    // What containers have written, which a repair cannot bring back.
    std::vector<store::Fault> written = {};
    store::Images images;
    std::vector<Container> containers = {};

    [[nodiscard]] std::vector<store::Fault> all() const {
        std::vector<store::Fault> faults = report.faults;
        faults.insert(faults.end(), written.begin(), written.end());
        std::ranges::sort(faults, {}, &store::Fault::path);
        return faults;
    }
    [[nodiscard]] std::string line(store::Fault const& fault) const {
        return fault_line(fault, images, containers);
    }
};

// The containers first: that needs a process of one thread.
Result<Verified> verify_own(Context& context, store::Store const& store,
                            store::VerifyOptions const& how, std::string const& mode) {
    Verified verified;
    auto checked = OBLEA_TRY(check_containers(store, how.cancel));
    for (std::string const& name : checked.in_use) {
        context.note(fmt::format("container {} is in use: what changes meanwhile was not held "
                                 "against its image",
                                 name));
    }
    verified.report = OBLEA_TRY(verify_shown(
        context, mode, [&](auto const& tell) { return store::verify_store(store, how, tell); }));
    // Of their records the store's own verification tells, too.
    std::erase_if(checked.faults, [&](store::Fault const& fault) {
        auto const& told = verified.report.faults;
        return std::ranges::find(told, fault.path, &store::Fault::path) != told.end();
    });
    verified.written = std::move(checked.faults);
    verified.images = OBLEA_TRY(store.own_images());
    verified.containers = std::move(OBLEA_TRY(list_containers(store)).all);
    return verified;
}

Result<Verified> verify_published(Context& context, std::string const& folder,
                                  store::VerifyOptions const& how, std::string const& mode) {
    auto store = OBLEA_TRY(store::read_shared_store(folder));
    auto report = OBLEA_TRY(verify_shown(context, mode, [&](auto const& tell) {
        return store::verify_shared_store(store, how, tell);
    }));
    Verified verified;
    verified.report = std::move(report);
    verified.images = std::move(store.images);
    return verified;
}

Result<Verified> open_and_verify_own(Context& context, store::VerifyOptions const& how,
                                     std::string const& mode) {
    auto const store = OBLEA_TRY(open_store(context));
    return verify_own(context, store, how, mode);
}

Result<int> verify(Context& context, VerifyCommandOptions const& options) {
    Interrupt const interrupt;
    store::VerifyOptions const how{.depth = options.fast ? store::VerifyOptions::Depth::structure
                                                         : store::VerifyOptions::Depth::contents,
                                   .jobs = context.globals.jobs,
                                   .cancel = &interrupt.flag()};
    std::string const mode = options.quiet ? "none" : options.progress;
    bool const own = !options.folder.has_value();
    auto const verified = OBLEA_TRY(own ? open_and_verify_own(context, how, mode)
                                        : verify_published(context, *options.folder, how, mode));
    auto const faults = verified.all();
    for (auto const& fault : faults) {
        context.line(verified.line(fault));
    }
    if (faults.empty()) {
        if (!options.quiet) {
            context.line(fmt::format("No faults: {} things checked, {} read",
                                     verified.report.things,
                                     human_size_exact(verified.report.bytes)));
        }
        return exit_code::kSuccess;
    }
    std::string const remedy = verified.report.faults.empty()
                                   ? kNoSecondCopy
                                   : (own ? "'oblea repair' brings back what it can"
                                          : "delete what is damaged there and publish the images "
                                            "again");
    context.error(count_faults(faults) + "; " + remedy);
    return exit_code::kFailure;
}

// Where a registry can be asked for exactly this image; nothing for one that did not come from any.
std::optional<store::Reference> registry_source(store::Image const& image) {
    auto const origin = store::Reference::parse(image.origin);
    bool const pulled = origin.has_value() && image.manifest.has_value() &&
                        (origin->canonical() == image.origin || origin->digest.has_value());
    if (!pulled) {
        return std::nullopt;
    }
    auto exact = store::Reference::parse(origin->repository() + '@' + image.manifest->to_string());
    return exact.has_value() ? std::optional{*std::move(exact)} : std::nullopt;
}

Status fetch_again(Context const& context, store::Store const& store, Interrupt const& interrupt,
                   store::Image const& image, store::Distrust const& distrust) {
    auto const reference = registry_source(image);
    if (!reference.has_value()) {
        return fail(Errno::enoent, "",
                    (image.names.empty() ? image.id.short_hex() : image.names.front()) +
                        " did not come from a registry");
    }
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    std::string const platform =
        image.os.empty() ? ""
                         : store::Platform{image.os, image.architecture, image.variant}.to_string();
    registry::PullRequest request{.reference = *reference, .platform = platform};
    request.jobs = context.globals.jobs;
    request.cancel = &interrupt.flag();
    request.repair = &distrust;
    OBLEA_TRY(registry::pull_image(store, *session, request, {}));
    return {};
}

Result<int> repair(Context& context, RepairOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Interrupt const interrupt;
    store::VerifyOptions const how{.depth = store::VerifyOptions::Depth::contents,
                                   .jobs = context.globals.jobs,
                                   .cancel = &interrupt.flag()};
    auto const found = OBLEA_TRY(verify_own(context, store, how, options.progress));
    if (found.all().empty()) {
        context.line("Nothing to repair");
        return exit_code::kSuccess;
    }
    store::RepairOptions sources{.from = options.from};
    sources.jobs = context.globals.jobs;
    sources.cancel = &interrupt.flag();
    if (options.pull) {
        sources.fetch = [&](store::Image const& image, store::Distrust const& distrust) {
            return fetch_again(context, store, interrupt, image, distrust);
        };
    }
    auto const report = OBLEA_TRY(store::repair_store(store, found.report, sources));
    for (auto const& message : report.messages) {
        context.warning(message);
    }
    for (auto const& fault : report.repaired) {
        context.line("Repaired: " + fault.path);
    }
    for (auto const& fault : report.left) {
        context.line("Left: " + found.line(fault));
    }
    for (auto const& fault : found.written) {
        context.line("Left: " + found.line(fault));
    }
    if (!found.written.empty()) {
        context.error(kNoSecondCopy);
    }
    if (report.left.empty()) {
        return found.written.empty() ? exit_code::kSuccess : exit_code::kFailure;
    }
    context.error(fmt::format("{} fault{} left; name another store or an archive of the image by "
                              "--from, ask the registries by --pull, or remove the images",
                              report.left.size(), report.left.size() == 1 ? "" : "s"));
    return exit_code::kFailure;
}

}  // namespace

Command verify_command() {
    auto options = std::make_shared<VerifyCommandOptions>();
    return {
        .name = "verify",
        .aliases = {"system check"},
        .section = Command::Section::store,
        .summary = "Check everything in the store",
        .description =
            "Reads every index, pack, recipe, object, blob, merged tree, image and container, "
            "holds "
            "them against their digests, and names each fault with the images and containers that "
            "it affects. Of what containers have written it checks all that the writable layer "
            "says beyond its files: marks, whiteouts, hard links and the maps of files of which "
            "it has a part; for a container that is mounted, what makes sense meanwhile. "
            "Nothing is changed; safe beside everything else. The exit status is 1 when there are "
            "faults. With DIR it checks a published store instead of the own one.",
        .operands = {{.name = "DIR",
                      .help = "A folder that 'oblea publish' made",
                      .target = &options->folder}},
        .options = {{.names = "--fast",
                     .value_name = "",
                     .help = "Only the structure: that all is there and makes sense; contents are "
                             "not read",
                     .target = &options->fast},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the faults",
                     .target = &options->quiet},
                    progress_option(options->progress)},
        .examples = {{"oblea verify", "Read and check everything"},
                     {"oblea verify --fast", "Find what is missing, in a moment"},
                     {"oblea verify /shared/oblea", "What others read"}},
        .run = [options](Context& context) { return verify(context, *options); },
    };
}

Command repair_command() {
    auto options = std::make_shared<RepairOptions>();
    return {
        .name = "repair",
        .aliases = {},
        .section = Command::Section::store,
        .summary = "Bring back what is damaged in the store",
        .description =
            "Checks the store as 'oblea verify' does, and replaces what is damaged or missing: "
            "from "
            "the compressed layers that the store keeps, from the sources that --from names, and "
            "with --pull from the registries that images came from. "
            "What comes is proven by its digest before it replaces anything. Images, containers "
            "and "
            "names are never removed, and nothing that a container has written is touched: what is "
            "damaged there is named, with what can be done.",
        .operands = {},
        .options = {{.names = "--from",
                     .value_name = "SOURCE",
                     .help =
                         "Another store, a published one, or anything that 'oblea import' reads; "
                         "may be repeated",
                     .target = &options->from},
                    {.names = "--pull",
                     .value_name = "",
                     .help = "Also from the registry that an image was pulled from",
                     .target = &options->pull},
                    progress_option(options->progress)},
        .examples = {{"oblea repair", "From what the store has itself"},
                     {"oblea repair --pull", "From the registries, what the store has not"},
                     {"oblea repair --from /mnt/other/store --from debian.tar",
                      "From another store, then from an archive"}},
        .run = [options](Context& context) { return repair(context, *options); },
    };
}

}  // namespace oblea::tools
