// SPDX-License-Identifier: MIT
#include "store/image/reference.h"
#include "store/shared_store.h"
#include "tools/cli/filters.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/output/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace oblea::tools {

namespace {

struct PublishOptions {
    std::string folder;
    std::vector<std::string> images;
    std::vector<std::string> remove;
    std::optional<std::string> sweep_after;
    bool blobs = false;
    bool compress_packs = false;
    bool quiet = false;
};

// With the name that was typed; with all names where an id was.
Result<store::Image> image_to_publish(store::Images const& images, std::string const& typed) {
    store::Image image = *OBLEA_TRY(images.resolve(typed));
    auto const reference = store::Reference::parse(typed);
    if (reference.has_value()) {
        std::string const name = reference->with_default_tag().canonical();
        if (std::ranges::find(image.names, name) != image.names.end()) {
            image.names = {name};
        }
    }
    return image;
}

Result<store::PublishRequest> request_of(PublishOptions const& options) {
    using store::PublishRequest;
    if (options.images.empty() && options.remove.empty() && !options.sweep_after.has_value()) {
        return fail(Errno::einval, "", "nothing to do: name images, or --remove or --sweep-after");
    }
    PublishRequest request{.folder = options.folder};
    request.blobs = options.blobs ? PublishRequest::Blobs::yes : PublishRequest::Blobs::no;
    request.packs =
        options.compress_packs ? PublishRequest::Packs::framed : PublishRequest::Packs::plain;
    for (std::string const& name : options.remove) {
        auto const reference = OBLEA_TRY(store::Reference::parse(name));
        request.remove.push_back(reference.with_default_tag().canonical());
    }
    if (options.sweep_after.has_value()) {
        auto const age = parse_duration(*options.sweep_after);
        if (!age.has_value() || *age < 0) {
            return fail(Errno::einval, "",
                        '"' + *options.sweep_after + "\" is no duration; write 168h or 30m");
        }
        request.sweep_after_seconds = static_cast<std::int64_t>(*age);
    }
    return request;
}

Result<int> publish(Context& context, PublishOptions const& options) {
    auto request = OBLEA_TRY(request_of(options));
    auto const store = OBLEA_TRY(open_store(context));
    auto const lease = OBLEA_TRY(store.take_lease("publish"));
    auto const images = OBLEA_TRY(store.images());
    for (std::string const& typed : options.images) {
        request.images.push_back(OBLEA_TRY(image_to_publish(images, typed)));
    }
    Interrupt const interrupt;
    request.cancel = &interrupt.flag();
    auto const report = OBLEA_TRY(store::publish_into(store, request));
    if (options.quiet) {
        return exit_code::kSuccess;
    }
    if (!options.images.empty()) {
        context.line(fmt::format(
            "Published {} image{} into {}: {} layers new, {} there already, {} "
            "written",
            options.images.size(), options.images.size() == 1 ? "" : "s", options.folder,
            report.layers_new, report.layers_known, human_size_exact(report.bytes)));
    }
    for (std::string const& path : report.swept) {
        context.line("Deleted: " + path);
    }
    if (report.waiting != 0) {
        context.line(
            fmt::format("{} things that nothing refers to wait for their time", report.waiting));
    }
    return exit_code::kSuccess;
}

}  // namespace

Command publish_command() {
    auto options = std::make_shared<PublishOptions>();
    return {
        .name = "publish",
        .aliases = {},
        .section = Command::Section::store,
        .summary = "Copy images into a store that others read",
        .description =
            "DIR becomes a store that everybody may read and nobody changes but by this command: "
            "images in it are listed, mounted and used as a base by whoever names it with --store, "
            "in place, without a byte written there. It may lie on NFS or any other shared file "
            "system, or on read-only media.\n\n"
            "What is published again is not copied again. --remove takes names out; what nothing "
            "refers to any more is deleted by --sweep-after, once that long has passed since a "
            "sweep first found it, so that mounts elsewhere can come to their end.",
        .operands =
            {{.name = "DIR", .help = "The folder, made if missing", .target = &options->folder},
             {.name = "IMAGE", .help = "Name or id", .target = &options->images, .least = 0}},
        .options = {{.names = "--blobs",
                     .value_name = "",
                     .help =
                         "Also layers in their compressed form, for pushing and for other tools",
                     .target = &options->blobs},
                    {.names = "--compress-packs",
                     .value_name = "",
                     .help = "Small files of new layers in zstd frames: less to store and to send, "
                             "more work for whoever reads them first",
                     .target = &options->compress_packs},
                    {.names = "--remove",
                     .value_name = "NAME",
                     .help = "Take this name out of DIR; repeatable",
                     .target = &options->remove},
                    {.names = "--sweep-after",
                     .value_name = "DURATION",
                     .help = "Delete what nothing in DIR has referred to for so long: 168h",
                     .target = &options->sweep_after},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Say nothing but errors",
                     .target = &options->quiet}},
        .examples = {{"oblea publish /shared/oblea debian:12", "For all who can read the folder"},
                     {"oblea --store /shared/oblea mount debian:12 root", "One of them uses it"},
                     {"oblea publish --remove debian:11 --sweep-after 168h /shared/oblea",
                      "Delete, a week late, what is not wanted any more"}},
        .run = [options](Context& context) { return publish(context, *options); },
    };
}

}  // namespace oblea::tools
