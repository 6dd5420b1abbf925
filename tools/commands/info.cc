// SPDX-License-Identifier: MIT
#include "store/gc.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/host/host_capabilities.h"
#include "tools/mount/read_all.h"
#include "tools/output/human.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace oblea::tools {

namespace {

struct InfoOptions {
    std::string format = "text";
};

using Json = nlohmann::ordered_json;

char const* name_of(HostCapabilities::FuseDevice device) {
    switch (device) {
    case HostCapabilities::FuseDevice::usable:
        return "usable";
    case HostCapabilities::FuseDevice::not_permitted:
        return "not permitted";
    case HostCapabilities::FuseDevice::missing:
        break;
    }
    return "missing";
}

std::string line(std::string_view label, std::string_view value) {
    return fmt::format("{:<18}{}\n", std::string{label} + ':', value);
}

std::string line(std::string_view label, Finding const& finding) {
    return line(label, fmt::format("{} ({})", finding.what, finding.why));
}

Json json_of(Finding const& finding) {
    return {{"value", finding.what}, {"reason", finding.why}};
}

std::string host_text(HostCapabilities const& host) {
    std::string text;
    text += line("Kernel", host.kernel_release);
    text += line("libfuse",
                 host.libfuse_version + (host.libfuse_bundled ? " (bundled)" : " (the system's)"));
    text += line("/dev/fuse", name_of(host.fuse_device));
    text += line("fusermount3", host.fusermount.value_or("missing"));
    text += line("Mounts by", judge_mount(host));
    text += line("Allow other", judge_allow_other(host));
    text += line("Ids in chroot", judge_ids(host));
    text += line("Passthrough", judge_passthrough(host));
    text += line("Writable mounts", judge_data(host));
    text += line("io_uring", judge_io_uring(host));
    return text;
}

Json host_json(HostCapabilities const& host) {
    auto ranges = [](std::vector<IdRange> const& list) {
        Json array = Json::array();
        for (auto const& range : list) {
            array.push_back({{"first", range.first}, {"count", range.count}});
        }
        return array;
    };
    return {
        {"kernel", host.kernel_release},
        {"libfuse", {{"version", host.libfuse_version}, {"bundled", host.libfuse_bundled}}},
        {"dev_fuse", name_of(host.fuse_device)},
        {"fusermount3", host.fusermount.has_value() ? Json(*host.fusermount) : Json(nullptr)},
        {"user_allow_other", host.user_allow_other},
        {"subuid", ranges(host.subordinate_uids)},
        {"subgid", ranges(host.subordinate_gids)},
        {"mounts_by", json_of(judge_mount(host))},
        {"allow_other", json_of(judge_allow_other(host))},
        {"chroot_ids", json_of(judge_ids(host))},
        {"passthrough", json_of(judge_passthrough(host))},
        {"writable_data", json_of(judge_data(host))},
        {"io_uring", json_of(judge_io_uring(host))},
    };
}

// What sharing and compression-free storage save: the images as they would be, each on its own,
// less what their layers take. Nothing when small files' overhead is larger than that.
std::uint64_t saved_bytes(store::StoreUsage const& usage) {
    std::uint64_t const stored = usage.pack_bytes + usage.object_bytes;
    return usage.referenced_bytes > stored ? usage.referenced_bytes - stored : 0;
}

// "4 (OBLEA_JOBS)", "auto (default)"
std::string setting_text(Setting const& setting) {
    bool const set = !setting.values.empty();
    std::string const value =
        fmt::format("{}", fmt::join(set ? setting.values : setting.initial, " "));
    return fmt::format("{} ({})", value.empty() ? "none" : value, set ? setting.source : "default");
}

std::string settings_text(Settings const& settings) {
    std::string text = "Settings:\n";
    for (Setting const& setting : settings.all()) {
        text += line("  " + setting.key, setting_text(setting));
    }
    return text;
}

Json settings_json(Settings const& settings) {
    Json object = Json::object();
    for (Setting const& setting : settings.all()) {
        bool const set = !setting.values.empty();
        object[setting.key] = {{"value", set ? setting.values : setting.initial},
                               {"source", set ? setting.source : "default"},
                               {"variable", variable_of(setting.key)}};
    }
    return object;
}

std::string usage_text(store::StoreUsage const& usage) {
    std::string text;
    text += line("Images", fmt::format("{}, {} in all", usage.images,
                                       human_size_exact(usage.referenced_bytes)));
    text += line("Layers", fmt::format("{}, {} of small files, {} of indexes", usage.layers,
                                       human_size_exact(usage.pack_bytes),
                                       human_size_exact(usage.index_bytes)));
    text +=
        line("Objects", fmt::format("{}, {}", usage.objects, human_size_exact(usage.object_bytes)));
    text += line("Blobs", fmt::format("{}, {}", usage.blobs, human_size_exact(usage.blob_bytes)));
    text += line("Containers",
                 fmt::format("{}, {}", usage.containers, human_size_exact(usage.container_bytes)));
    text += line("On disk", human_size_exact(usage.disk_bytes));
    text += line("Saved by sharing", human_size_exact(saved_bytes(usage)));
    return text;
}

Json usage_json(store::StoreUsage const& usage) {
    return {
        {"images", usage.images},
        {"layers", usage.layers},
        {"objects", usage.objects},
        {"blobs", usage.blobs},
        {"containers", usage.containers},
        {"pack_bytes", usage.pack_bytes},
        {"index_bytes", usage.index_bytes},
        {"object_bytes", usage.object_bytes},
        {"blob_bytes", usage.blob_bytes},
        {"merged_bytes", usage.merged_bytes},
        {"container_bytes", usage.container_bytes},
        {"disk_bytes", usage.disk_bytes},
        {"referenced_bytes", usage.referenced_bytes},
        {"saved_bytes", saved_bytes(usage)},
    };
}

// Nothing where there is no store yet: looking does not make one.
Result<std::optional<store::StoreUsage>> usage_at(std::string const& path) {
    auto const store = store::Store::open(path, store::Store::Create::no);
    if (store.has_value()) {
        return OBLEA_TRY(read_all([&] { return store::measure_usage(*store); }));
    }
    if (store.error().code == Errno::enoent) {
        return std::nullopt;
    }
    return std::unexpected<Error>(store.error());
}

Result<int> show_info(Context& context, InfoOptions const& options) {
    HostCapabilities const host = probe_host();
    StorePath const path = OBLEA_TRY(store_path(context));
    auto const usage = usage_at(path.path);
    auto const found = usage.value_or(std::nullopt);
    if (options.format == "json") {
        Json store{{"path", path.path}, {"chosen_by", path.chosen}, {"usage", nullptr}};
        if (found.has_value()) {
            store["usage"] = usage_json(*found);
        }
        Json const json{{"version", OBLEA_VERSION},
                        {"store", store},
                        {"host", host_json(host)},
                        {"settings", settings_json(context.settings)}};
        context.line(json.dump(2, ' ', false, Json::error_handler_t::replace));
    } else {
        context.print(line("Version", OBLEA_VERSION) +
                      line("Store", fmt::format("{} ({})", path.path, path.chosen)));
        if (usage.has_value()) {
            context.print(found.has_value() ? usage_text(*found)
                                            : line("Images", "none: there is no store yet"));
        }
        context.print(host_text(host));
        context.print(settings_text(context.settings));
    }
    // A damaged store is worth an error, but what the machine allows is said all the same.
    if (!usage.has_value()) {
        return std::unexpected<Error>(usage.error());
    }
    return exit_code::kSuccess;
}

}  // namespace

Command info_command() {
    auto options = std::make_shared<InfoOptions>();
    return {
        .name = "info",
        .aliases = {"system info"},
        .section = Command::Section::about,
        .summary = "Show what this machine allows, and what the store holds",
        .description =
            "The store: where it is and what chose it, what it holds, and what sharing "
            "saves against storing every image on its own.\n\n"
            "The machine: how images would be mounted here and why, from the kernel, "
            "libfuse, /dev/fuse, fusermount3 and the ids that a chroot has.\n\n"
            "The settings: each value, and the file and line, the variable or the option "
            "that it comes from. Files: /etc/oblea/oblea.toml, then "
            "$XDG_CONFIG_HOME/oblea/oblea.toml (~/.config/oblea/oblea.toml), or only the "
            "one that OBLEA_CONFIG names; then the environment (OBLEA_JOBS for jobs).",
        .operands = {},
        .options = {{.names = "--format",
                     .value_name = "FORMAT",
                     .help = "text, or json for programs",
                     .target = &options->format,
                     .choices = {"text", "json"}}},
        .examples = {{"oblea info", "Whether mounting works here, and if not, why"},
                     {"oblea info --format json", "The same for programs"}},
        .run = [options](Context& context) { return show_info(context, *options); },
    };
}

}  // namespace oblea::tools
