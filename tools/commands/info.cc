// SPDX-License-Identifier: MIT
#include "tools/cli/context.h"
#include "tools/commands/commands.h"
#include "tools/host/host_capabilities.h"

#include <fmt/format.h>
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
        {"io_uring", json_of(judge_io_uring(host))},
    };
}

Result<int> show_info(Context& context, InfoOptions const& options) {
    HostCapabilities const host = probe_host();
    if (options.format == "json") {
        Json const json{{"version", OBLEA_VERSION}, {"host", host_json(host)}};
        context.line(json.dump(2));
    } else {
        context.print(line("Version", OBLEA_VERSION) + host_text(host));
    }
    return exit_code::kSuccess;
}

}  // namespace

Command info_command() {
    auto options = std::make_shared<InfoOptions>();
    return {
        .name = "info",
        .aliases = {},
        .section = Command::Section::about,
        .summary = "Show what this machine allows, and what the store holds",
        .description = "Says how images would be mounted here and why: the kernel, libfuse, "
                       "/dev/fuse, fusermount3, and the ids that a chroot has.",
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
