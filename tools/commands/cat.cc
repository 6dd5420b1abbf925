// SPDX-License-Identifier: MIT
#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/open_image.h"
#include "tools/images/path_in_image.h"

#include <fmt/format.h>

#include <memory>

namespace oblea::tools {

namespace {

struct CatOptions {
    std::string image;
    std::vector<std::string> paths;
};

Status print_file(Context const& context, store::ImageView const& view, std::string const& path) {
    auto const found = OBLEA_TRY(follow_path(view.tree(), path));
    if (!found.has_value()) {
        return fail(Errno::enoent, "", "no such file");
    }
    auto const type = OBLEA_TRY(view.tree().attr(*found)).type;
    if (type == store::FileType::directory) {
        return fail(Errno::eisdir, "", "is a folder: 'oblea ls' lists it");
    }
    if (type != store::FileType::regular) {
        return fail(Errno::einval, "", "a device or another special file has no contents to show");
    }
    base::Bytes buffer(base::kBufferBytes);
    std::uint64_t offset = 0;
    while (std::size_t const count = OBLEA_TRY(view.read(*found, buffer, offset))) {
        context.print(base::text_of(base::ByteView{buffer}.first(count)));
        offset += count;
    }
    return {};
}

Result<int> print_files(Context& context, CatOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const opened = OBLEA_TRY(open_image(store, options.image, "cat"));
    int status = exit_code::kSuccess;
    for (auto const& path : options.paths) {
        auto const printed = print_file(context, *opened.view, path);
        if (!printed.has_value()) {
            context.error(with_context(printed.error(), fmt::format("{}:{}", options.image, path)));
            status = exit_code::kFailure;
        }
    }
    return status;
}

}  // namespace

Command cat_command() {
    auto options = std::make_shared<CatOptions>();
    return {
        .name = "cat",
        .aliases = {},
        .section = Command::Section::images,
        .summary = "Print files inside an image",
        .description = "Without mounting it. Links are followed as a program inside the image "
                       "would follow them.",
        .operands = {{.name = "IMAGE", .help = "Name or id", .target = &options->image},
                     {.name = "PATH", .help = "The files", .target = &options->paths}},
        .options = {},
        .examples = {{"oblea cat debian /etc/os-release", "Which Debian it is"}},
        .run = [options](Context& context) { return print_files(context, *options); },
    };
}

}  // namespace oblea::tools
