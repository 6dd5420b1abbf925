// SPDX-License-Identifier: MIT
#include "store/disk_use.h"

#include "store/image/reference.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_volumes.h"
#include "tools/mount/read_all.h"
#include "tools/output/human.h"
#include "tools/output/table.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

struct DfOptions {
    bool verbose = false;
    bool bytes = false;
};

std::string name_of(store::DiskUse::OfImage const& image) {
    if (image.names.empty()) {
        return image.id.short_hex();
    }
    auto const reference = store::Reference::parse(image.names.front());
    return reference.has_value() ? reference->familiar() : image.names.front();
}

struct VolumesUse {
    std::uint64_t bytes = 0;
    std::uint64_t unused_bytes = 0;
};

VolumesUse add_up(std::vector<store::DiskUse::OfVolume> const& volumes, VolumeUses const& uses) {
    VolumesUse sum;
    for (auto const& volume : volumes) {
        bool const used = uses.contains(volume.name);
        sum.bytes += volume.bytes;
        sum.unused_bytes += used ? 0 : volume.bytes;
    }
    return sum;
}

Result<int> show_disk_use(Context& context, DfOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const uses = OBLEA_TRY(volume_uses(store));
    auto const use = OBLEA_TRY(read_all([&] { return store::measure_disk_use(store); }));
    VolumesUse const volumes = add_up(use.volumes, uses);
    auto const size = [&](std::uint64_t bytes) {
        return options.bytes ? std::to_string(bytes) : human_size_exact(bytes);
    };
    Table table{{"TYPE", "TOTAL", "SIZE", "RECLAIMABLE"}};
    std::string const none = size(0);
    table.add_row(
        {"Images, unique", std::to_string(use.images.size()), size(use.unique_bytes), none});
    table.add_row({"Images, shared", "", size(use.shared_bytes), none});
    table.add_row({"Containers", std::to_string(use.containers), size(use.container_bytes), none});
    table.add_row({"Local Volumes", std::to_string(use.volumes.size()), size(volumes.bytes),
                   size(volumes.unused_bytes)});
    table.add_row({"Held by mounts and containers", "", size(use.held_bytes), none});
    table.add_row({"Unused", "", size(use.garbage_bytes), size(use.garbage_bytes)});
    table.add_row({"The store itself", "", size(use.own_bytes), none});
    table.add_row(
        {"Total", "", size(use.total_bytes), size(use.garbage_bytes + volumes.unused_bytes)});
    context.print(table.render());
    if (options.verbose) {
        Table images{{"IMAGE", "UNIQUE", "SHARED"}};
        for (auto const& image : use.images) {
            images.add_row({name_of(image), size(image.unique_bytes), size(image.shared_bytes)});
        }
        context.line("");
        context.print(images.render());
        Table once{{"THERE ONCE", "TOTAL", "SIZE", "SAVED"}};
        once.add_row({"Layers", std::to_string(use.layers.count), size(use.layers.bytes),
                      size(use.layers.saved_bytes)});
        once.add_row({"Objects", std::to_string(use.objects.count), size(use.objects.bytes),
                      size(use.objects.saved_bytes)});
        context.line("");
        context.print(once.render());
        Table each{{"VOLUME NAME", "LINKS", "SIZE"}};
        for (auto const& volume : use.volumes) {
            auto const users = uses.find(volume.name);
            each.add_row({volume.name,
                          std::to_string(users == uses.end() ? 0 : users->second.size()),
                          size(volume.bytes)});
        }
        context.line("");
        context.print(each.render());
    }
    if (use.garbage_bytes != 0) {
        context.note("'oblea gc' frees what is unused");
    }
    return exit_code::kSuccess;
}

}  // namespace

Command df_command() {
    auto options = std::make_shared<DfOptions>();
    return {
        .name = "df",
        .aliases = {"system df"},
        .section = Command::Section::store,
        .summary = "Show what takes the space of the store",
        .description =
            "Blocks on disk, each counted once, so that the lines add up to what 'du' shows of the "
            "store: what one image alone needs, what several share, containers, volumes (those "
            "that "
            "no container uses, 'oblea volume prune -a' would free), what is held though its image "
            "is gone, and what 'oblea gc' would free.",
        .operands = {},
        .options =
            {{.names = "-v,--verbose",
              .value_name = "",
              .help = "Each image too, with what its removal frees and what it shares; layers and "
                      "objects (large contents), with what is saved because each is there once, "
                      "whatever images and layers have it; and each volume",
              .target = &options->verbose},
             {.names = "--bytes",
              .value_name = "",
              .help = "Sizes in bytes",
              .target = &options->bytes}},
        .examples = {{"oblea df", "The whole store"}, {"oblea df -v", "And each image"}},
        .run = [options](Context& context) { return show_disk_use(context, *options); },
    };
}

}  // namespace oblea::tools
