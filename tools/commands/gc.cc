// SPDX-License-Identifier: MIT
#include "store/gc.h"

#include "store/expiry.h"
#include "tools/build/cache_folder.h"
#include "tools/build/leftovers.h"
#include "tools/cli/filters.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/image_uses.h"
#include "tools/output/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <ctime>
#include <memory>

namespace oblea::tools {

namespace {

struct GcOptions {
    bool dry_run = false;
    bool quiet = false;
    bool bytes = false;
    bool blobs = false;
    bool caches = false;
    std::optional<std::string> keep_storage;
    std::optional<std::string> older_than;
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

// "20GB", "1.5GiB", "500MB", or bytes.
Result<std::uint64_t> parse_size(std::string const& text) {
    struct Unit {
        std::string_view name;
        double bytes;
    };
    static constexpr Unit kUnits[] = {
        {"", 1},      {"b", 1},        {"kb", 1e3},     {"mb", 1e6},     {"gb", 1e9},
        {"tb", 1e12}, {"kib", 0x1p10}, {"mib", 0x1p20}, {"gib", 0x1p30}, {"tib", 0x1p40},
        {"k", 1e3},   {"m", 1e6},      {"g", 1e9},      {"t", 1e12}};
    double number = 0;
    auto const* const end = text.data() + text.size();
    auto const parsed = std::from_chars(text.data(), end, number);
    std::string unit{parsed.ptr, end};
    std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return std::tolower(c); });
    auto const* const known = std::ranges::find(kUnits, unit, &Unit::name);
    if (parsed.ec != std::errc{} || known == std::end(kUnits) || !(number >= 0) ||
        number * known->bytes > 0x1p63) {
        return fail(Errno::einval, "",
                    '"' + text + "\" is no size; write 20GB, 500MiB or a number of bytes");
    }
    return static_cast<std::uint64_t>(number * known->bytes);
}

Result<store::ExpiryLimits> limits_of(GcOptions const& options) {
    store::ExpiryLimits limits;
    if (options.keep_storage.has_value()) {
        limits.keep_bytes = OBLEA_TRY(parse_size(*options.keep_storage));
    }
    if (options.older_than.has_value()) {
        auto const age = parse_duration(*options.older_than);
        if (!age.has_value() || *age < 0) {
            return fail(Errno::einval, "",
                        '"' + *options.older_than + "\" is no duration; write 720h or 1h30m");
        }
        limits.used_before = std::time(nullptr) - static_cast<std::int64_t>(*age);
    }
    return limits;
}

std::string size_of(std::uint64_t bytes, GcOptions const& options) {
    return options.bytes ? std::to_string(bytes) : human_size(bytes);
}

// Removes images as far as the limits ask for it; of a dry run those that would be.
Result<std::unordered_set<store::Digest>> expire(Context const& context, store::Store const& store,
                                                 GcOptions const& options) {
    std::unordered_set<store::Digest> gone;
    auto const limits = OBLEA_TRY(limits_of(options));
    if (!limits.keep_bytes.has_value() && !limits.used_before.has_value()) {
        return gone;
    }
    std::unordered_set<store::Digest> in_use;
    for (auto const& use : OBLEA_TRY(image_uses(store))) {
        in_use.insert(use.image);
    }
    auto const state = OBLEA_TRY(store::expiry_state(store, in_use));
    auto const expired = store::plan_expiry(state.candidates, state.total_bytes, limits);
    auto const images = OBLEA_TRY(store.own_images());
    for (auto const& image : expired) {
        store::Image const* const known = images.find(image.id);
        std::string const name =
            known == nullptr || known->names.empty() ? image.id.short_hex() : known->names.front();
        if (!options.quiet) {
            context.line(fmt::format("{:<11}  {:>8}  {}", "image",
                                     size_of(image.freed_bytes, options), name));
        }
        gone.insert(image.id);
    }
    if (options.dry_run || expired.empty()) {
        return gone;
    }
    OBLEA_TRY(store.change_images([&](store::Images& all) -> Status {
        for (auto const& image : gone) {
            static_cast<void>(all.remove(image));
        }
        return {};
    }));
    return gone;
}

// What builds have left that were cut, and their caches where that is asked for.
Status remove_of_builds(Context const& context, store::Store const& store,
                        GcOptions const& options) {
    if (options.dry_run) {
        return {};
    }
    std::size_t const left = OBLEA_TRY(build::remove_leftovers(store));
    if (left != 0 && !options.quiet) {
        context.line(fmt::format("{:<11}  {:>8}  of builds that were cut", "container", left));
    }
    if (!options.caches) {
        return {};
    }
    auto const caches = OBLEA_TRY(build::remove_caches(store));
    if (caches.folders != 0 && !options.quiet) {
        context.line(
            fmt::format("{:<11}  {:>8}  of RUN --mount=type=cache", "cache", caches.folders));
    }
    if (caches.in_use != 0) {
        context.note(fmt::format("{} caches are in use by builds", caches.in_use));
    }
    return {};
}

Result<int> collect(Context& context, GcOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    OBLEA_TRY(remove_of_builds(context, store, options));
    auto const gone = OBLEA_TRY(expire(context, store, options));
    auto const blobs = options.blobs ? store::LayerBlobs::drop : store::LayerBlobs::keep;
    auto const report =
        OBLEA_TRY(options.dry_run ? store::foresee_garbage(store, gone, blobs)
                                  : store::collect_garbage(store, store::GcMode::remove, blobs));
    for (auto const& warning : report.warnings) {
        context.warning(warning);
    }
    if (!options.quiet) {
        for (auto const& thing : report.removed) {
            context.line(fmt::format("{:<11}  {:>8}  {}", name_of(thing.kind),
                                     size_of(thing.bytes, options), thing.path));
        }
    }
    if (report.kept_for_leases != 0) {
        context.note(fmt::format("{} things are kept because they are younger than a running "
                                 "operation",
                                 report.kept_for_leases));
    }
    context.line(
        fmt::format("{}: {}", options.dry_run ? "Reclaimable space" : "Total reclaimed space",
                    options.bytes ? std::to_string(report.bytes) : human_size_exact(report.bytes)));
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
        .description =
            "Removes layers, contents and blobs that nothing reaches, and what "
            "interrupted operations and builds left behind. Without --keep-storage and "
            "--older-than "
            "images are never removed by it ('oblea rmi' does), those in use and containers "
            "never at all. Safe to run at any time, beside "
            "everything else.",
        .operands = {},
        .options = {{.names = "-n,--dry-run",
                     .value_name = "",
                     .help = "Only say what would be removed",
                     .target = &options->dry_run},
                    {.names = "--keep-storage",
                     .value_name = "SIZE",
                     .help =
                         "First remove images, those used longest ago, until the store takes no "
                         "more than this (20GB)",
                     .target = &options->keep_storage},
                    {.names = "--older-than",
                     .value_name = "DURATION",
                     .help = "First remove images that were not used for so long (720h)",
                     .target = &options->older_than},
                    {.names = "--blobs",
                     .value_name = "",
                     .help = "Also drop the compressed form in which layers came; images stay "
                             "whole, but are pushed and saved anew compressed",
                     .target = &options->blobs},
                    {.names = "--caches",
                     .value_name = "",
                     .help = "Also empty the caches of 'oblea build' (RUN --mount=type=cache)",
                     .target = &options->caches},
                    {.names = "--bytes",
                     .value_name = "",
                     .help = "Exact numbers of bytes, as du counts them",
                     .target = &options->bytes},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the total",
                     .target = &options->quiet}},
        .examples = {{"oblea gc --dry-run", "What could be freed"},
                     {"oblea gc", "Free it"},
                     {"oblea gc --dry-run --bytes --keep-storage 20GB",
                      "Which images would go, and what each of them and each layer frees"}},
        .run = [options](Context& context) { return collect(context, *options); },
    };
}

}  // namespace oblea::tools
