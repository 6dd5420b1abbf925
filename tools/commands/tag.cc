// SPDX-License-Identifier: MIT
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

Result<int> tag_image(Context& context, TagOptions const& options) {
    auto const target = OBLEA_TRY(store::Reference::parse(options.target));
    if (target.digest.has_value()) {
        return fail(Errno::einval, "", "refusing to create a tag with a digest reference");
    }
    auto const store = OBLEA_TRY(open_store(context));
    Status tagged = store.change_images([&](store::Images& images) -> Status {
        store::Digest const id = OBLEA_TRY(images.resolve(options.source))->id;
        return images.tag(id, target.with_default_tag().canonical());
    });
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
