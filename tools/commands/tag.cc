// SPDX-License-Identifier: MIT
#include "store/base/limits.h"
#include "store/image/reference.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"

#include <memory>

namespace oblea::tools {

namespace {

struct TagOptions {
    std::string source;
    std::string target;
};

// Of an image in a shared store, the own one gets the documents, and the name; the layers stay
// where they are.
Status adopt_image(store::Store const& store, store::Image image, std::string const& name) {
    std::vector<store::Digest> documents{image.id};
    if (image.manifest.has_value()) {
        documents.push_back(*image.manifest);
    }
    for (store::Digest const& digest : documents) {
        auto const bytes = OBLEA_TRY(store.read_blob(digest, oblea::limits::kConfigBytesMax));
        if (!bytes.has_value()) {
            return fail(Errno::enoent, "",
                        "the shared store " + image.store + " lacks " + digest.to_string());
        }
        OBLEA_TRY(store.write_blob(*bytes, digest));
    }
    image.names = {name};
    return store.change_images([&](store::Images& own) -> Status {
        own.put(image);
        return {};
    });
}

Result<int> tag_image(Context& context, TagOptions const& options) {
    auto const target = OBLEA_TRY(store::Reference::parse(options.target));
    if (target.digest.has_value()) {
        return fail(Errno::einval, "", "refusing to create a tag with a digest reference");
    }
    std::string const name = target.with_default_tag().canonical();
    auto const store = OBLEA_TRY(open_store(context));
    auto const lease = OBLEA_TRY(store.take_lease("tag"));
    auto const images = OBLEA_TRY(store.images());
    store::Image const& image = *OBLEA_TRY(images.resolve(options.source));
    Status tagged = image.store.empty() ? store.change_images([&](store::Images& own) -> Status {
        return own.tag(image.id, name);
    })
                                        : adopt_image(store, image, name);
    OBLEA_TRY(std::move(tagged));
    return exit_code::kSuccess;
}

}  // namespace

Command tag_command() {
    auto options = std::make_shared<TagOptions>();
    return {
        .name = "tag",
        .aliases = {"image tag"},
        .section = Command::Section::images,
        .summary = "Give an image a further name",
        .description = "Whichever image had the name loses it. Without a tag, ':latest' is meant.",
        .operands = {{.name = "SOURCE",
                      .help = "The image, by name or id",
                      .target = &options->source},
                     {.name = "TARGET", .help = "The new name", .target = &options->target}},
        .options = {},
        .examples = {{"oblea tag debian:12 example.org/base:1", "A second name for debian:12"}},
        .run = [options](Context& context) { return tag_image(context, *options); },
    };
}

}  // namespace oblea::tools
