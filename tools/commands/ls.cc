// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/images/open_image.h"
#include "tools/images/path_in_image.h"
#include "tools/output/plain_text.h"

#include <fmt/format.h>

#include <array>
#include <ctime>
#include <memory>

namespace oblea::tools {

namespace {

struct LsOptions {
    std::string image;
    std::optional<std::string> given_path;
    bool details = false;
};

std::string minute_of(store::Timestamp const& time) {
    auto const seconds = static_cast<std::time_t>(time.seconds);
    std::tm parts{};
    std::array<char, 32> text{};
    if (::localtime_r(&seconds, &parts) == nullptr) {
        return std::to_string(time.seconds);
    }
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M", &parts)};
}

// As ls -ln shows it.
Result<std::string> details_of(store::Index const& tree, store::InodeNo ino,
                               std::string_view name) {
    auto const attr = OBLEA_TRY(tree.attr(ino));
    bool const is_device =
        attr.type == store::FileType::char_device || attr.type == store::FileType::block_device;
    std::string const size = is_device ? fmt::format("{}, {}", attr.device.major, attr.device.minor)
                                       : std::to_string(attr.size);
    std::string line = fmt::format("{} {:>3} {:>5} {:>5} {:>10} {} {}", mode_text(attr), attr.nlink,
                                   attr.uid, attr.gid, size, minute_of(attr.mtime), one_line(name));
    if (attr.type == store::FileType::symlink) {
        line += " -> " + one_line(OBLEA_TRY(tree.symlink_target(ino)));
    }
    return line;
}

Result<int> list(Context& context, LsOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const opened = OBLEA_TRY(open_image(store, options.image, "ls"));
    auto const& tree = opened.view->tree();
    std::string const path = options.given_path.value_or("/");
    auto const found = OBLEA_TRY(follow_path(tree, path));
    if (!found.has_value()) {
        return fail(Errno::enoent, "", fmt::format("{} has no {}", options.image, path));
    }
    auto show = [&](store::InodeNo ino, std::string_view name) -> Status {
        if (!options.details) {
            context.line(one_line(name));
            return {};
        }
        context.line(OBLEA_TRY(details_of(tree, ino, name)));
        return {};
    };
    if (OBLEA_TRY(tree.attr(*found)).type != store::FileType::directory) {
        OBLEA_TRY(show(*found, path));
        return exit_code::kSuccess;
    }
    std::uint32_t const count = OBLEA_TRY(tree.entry_count(*found));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto const entry = OBLEA_TRY(tree.entry(*found, i));
        OBLEA_TRY(show(entry.ino, entry.name));
    }
    return exit_code::kSuccess;
}

}  // namespace

Command ls_command() {
    auto options = std::make_shared<LsOptions>();
    return {
        .name = "ls",
        .aliases = {},
        .section = Command::Section::images,
        .summary = "List a folder inside an image",
        .description = "Without mounting it. Links are followed as a program inside the image "
                       "would follow them.",
        .operands = {{.name = "IMAGE", .help = "Name or id", .target = &options->image},
                     {.name = "PATH",
                      .help = "The folder or file; default: /",
                      .target = &options->given_path}},
        .options = {{.names = "-l",
                     .value_name = "",
                     .help = "Mode, links, owner, size and time too",
                     .target = &options->details}},
        .examples = {{"oblea ls -l debian /etc", "What is in /etc of debian"}},
        .run = [options](Context& context) { return list(context, *options); },
    };
}

}  // namespace oblea::tools
