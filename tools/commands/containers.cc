// SPDX-License-Identifier: MIT
#include "tools/mount/containers.h"

#include "tools/cli/each_name.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/mount/mount_image.h"
#include "tools/output/human.h"
#include "tools/output/table.h"

#include <algorithm>
#include <ctime>
#include <memory>

namespace oblea::tools {

namespace {

struct PsOptions {
    bool all = false;
    bool quiet = false;
    bool no_trunc = false;
};

std::string age(std::string const& time) {
    auto const seconds = parse_rfc3339(time);
    return seconds.has_value() ? human_duration(std::time(nullptr) - *seconds) : "";
}

Result<int> list(Context& context, PsOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const mounts = OBLEA_TRY(list_mounts(store));
    auto const containers = OBLEA_TRY(list_containers(store));
    for (auto const& damaged : containers.damaged) {
        context.warning(damaged);
    }
    Table table({"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"});
    for (auto const& container : containers.all) {
        auto const mount = std::ranges::find(mounts, container.id, &MountInfo::container_id);
        bool const mounted = mount != mounts.end();
        if (!mounted && !options.all) {
            continue;
        }
        std::string const id = options.no_trunc ? container.id : container.id.substr(0, 12);
        if (options.quiet) {
            context.line(id);
            continue;
        }
        table.add_row(
            {id, container.image_name.empty() ? container.image.short_hex() : container.image_name,
             "", age(container.created) + " ago", mounted ? "Up " + age(mount->started) : "Created",
             "", container.name});
    }
    if (!options.quiet) {
        context.print(table.render());
    }
    return exit_code::kSuccess;
}

struct RmOptions {
    std::vector<std::string> names;
    bool force = false;
};

Status remove_one(store::Store const& store, std::string const& name, Force force) {
    auto container = OBLEA_TRY(find_container(store, name));
    if (!container.has_value()) {
        return fail(Errno::enoent, "", "no such container: " + name);
    }
    auto const mounts = OBLEA_TRY(list_mounts(store));
    auto const mount = std::ranges::find(mounts, container->id, &MountInfo::container_id);
    if (mount != mounts.end()) {
        if (force == Force::no) {
            return fail(Errno::ebusy, "",
                        "container " + container->name + " is mounted at " + mount->mount_point +
                            ": unmount it first ('oblea umount " + mount->mount_point +
                            "'), or say --force");
        }
        OBLEA_TRY(unmount_by(store, mount->mount_point, fs::Lazy::yes));
        // An untouched container is dropped by its unmount.
        container = OBLEA_TRY(find_container(store, container->id));
        if (!container.has_value()) {
            return {};
        }
    }
    return remove_container(store, *container);
}

Result<int> remove(Context& context, RmOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    Force const force = options.force ? Force::yes : Force::no;
    return for_each_name(context, options.names, force, [&](std::string const& name) -> Status {
        OBLEA_TRY(remove_one(store, name, force));
        context.line(name);
        return {};
    });
}

}  // namespace

Command ps_command() {
    auto options = std::make_shared<PsOptions>();
    return {
        .name = "ps",
        .aliases = {"container ls", "container list", "container ps"},
        .section = Command::Section::containers,
        .summary = "List containers",
        .description = "A container is a writable layer under a name, as 'oblea mount' and 'oblea "
                       "chroot' make them. Without --all only those that are mounted.",
        .operands = {},
        .options = {{.names = "-a,--all",
                     .value_name = "",
                     .help = "Also those that are not mounted",
                     .target = &options->all,
                     .choices = {}},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the ids",
                     .target = &options->quiet,
                     .choices = {}},
                    {.names = "--no-trunc",
                     .value_name = "",
                     .help = "Whole ids",
                     .target = &options->no_trunc,
                     .choices = {}}},
        .examples = {{"oblea ps -a", "All containers"}},
        .run = [options](Context& context) { return list(context, *options); },
    };
}

Command rm_command() {
    auto options = std::make_shared<RmOptions>();
    return {
        .name = "rm",
        .aliases = {"container rm"},
        .section = Command::Section::containers,
        .summary = "Remove containers, with all that was written to them",
        .description = "The image stays. With several names, those that cannot be removed do not "
                       "keep the others.",
        .operands = {{.name = "NAME", .help = "Name or id", .target = &options->names}},
        .options = {{.names = "-f,--force",
                     .value_name = "",
                     .help = "Unmount it first, even while it is in use",
                     .target = &options->force,
                     .choices = {}}},
        .examples = {{"oblea rm web", "Drop the container web"},
                     {"oblea rm $(oblea ps -aq)", "Drop all that are not mounted"}},
        .run = [options](Context& context) { return remove(context, *options); },
    };
}

}  // namespace oblea::tools
