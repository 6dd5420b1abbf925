// SPDX-License-Identifier: MIT
#include "tools/mount/mount_image.h"

#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/output/table.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace oblea::tools {

namespace {

struct MountsOptions {
    std::string format = "table";
};

nlohmann::ordered_json requests_json(std::optional<fs::RequestCounts> const& requests) {
    if (!requests) {
        return nullptr;
    }
    auto object = nlohmann::ordered_json::object();
    for (auto const& [name, count] : *requests) {
        if (name != fs::kCopiedBytes) {
            object[name] = count;
        }
    }
    return object;
}

nlohmann::ordered_json copied_json(std::optional<fs::RequestCounts> const& requests) {
    if (!requests) {
        return nullptr;
    }
    auto const found =
        std::ranges::find(*requests, fs::kCopiedBytes, &fs::RequestCounts::value_type::first);
    return found == requests->end() ? std::uint64_t{0} : found->second;
}

std::string mounts_json(std::vector<MountInfo> const& mounts) {
    auto array = nlohmann::ordered_json::array();
    for (auto const& mount : mounts) {
        array.push_back({{"mount_point", mount.mount_point},
                         {"image", mount.image},
                         {"image_name", mount.image_name},
                         {"container", mount.container},
                         {"container_id", mount.container_id},
                         {"upper", mount.upper_dir},
                         {"mode", mount.mode},
                         {"protocol", mount.protocol},
                         {"data", mount.data},
                         {"reason", mount.reason},
                         {"transport", mount.transport},
                         {"transport_reason", mount.transport_reason},
                         {"pid", mount.pid},
                         {"program", mount.program},
                         {"started", mount.started},
                         {"notes", mount.notes},
                         {"requests", requests_json(mount.requests)},
                         {"copied_bytes", copied_json(mount.requests)}});
    }
    return array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<int> list_all_mounts(Context& context, MountsOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const mounts = OBLEA_TRY(list_mounts(store));
    if (options.format == "json") {
        context.line(mounts_json(mounts));
        return exit_code::kSuccess;
    }
    Table table({"MOUNT POINT", "IMAGE", "CONTAINER", "MODE", "PID", "PROTOCOL"});
    for (auto const& mount : mounts) {
        table.add_row({mount.mount_point, mount.image_name.empty() ? mount.image : mount.image_name,
                       mount.container.empty() ? mount.upper_dir : mount.container, mount.mode,
                       std::to_string(mount.pid), mount.protocol});
    }
    context.print(table.render());
    return exit_code::kSuccess;
}

}  // namespace

Command mounts_command() {
    auto options = std::make_shared<MountsOptions>();
    return {
        .name = "mounts",
        .aliases = {},
        .section = Command::Section::mounts,
        .summary = "List the mounts of the store",
        .description = "With json, also how and why each is served as it is, and how often its "
                       "server answered each kind of request and how many bytes of files it copied "
                       "to the writable layer.",
        .operands = {},
        .options = {{.names = "--format",
                     .value_name = "FORMAT",
                     .help = "table, or json for programs",
                     .target = &options->format,
                     .choices = {"table", "json"}}},
        .examples = {{"oblea mounts", "What is mounted where"}},
        .run = [options](Context& context) { return list_all_mounts(context, *options); },
    };
}

}  // namespace oblea::tools
