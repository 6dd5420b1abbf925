// SPDX-License-Identifier: MIT
#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/base/sys.h"
#include "store/image/folder_tar.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_changes.h"
#include "tools/output/output_file.h"

#include <memory>

namespace oblea::tools {

namespace {

namespace sys = base::sys;

struct ExportOptions {
    std::string container;
    std::string output;
};

Result<std::string> write_tar(ContainerView const& view) {
    auto root = OBLEA_TRY(sys::duplicate(view.root));
    store::FolderTar tar{std::move(root), layer_options(view.container, std::nullopt)};
    std::vector<std::byte> buffer(base::kLargeBufferBytes);
    for (;;) {
        std::size_t const count = OBLEA_TRY(tar.read(buffer));
        if (count == 0) {
            return std::string{};
        }
        OBLEA_TRY(sys::write_all(view.extra, base::ByteView{buffer}.first(count)));
    }
}

Result<int> write_export(Context& context, ExportOptions const& options) {
    if (options.output.empty() && is_terminal(context.streams().out)) {
        return fail(Errno::einval, "",
                    "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    auto const store = OBLEA_TRY(open_store(context));
    auto const container = OBLEA_TRY(need_container(store, options.container));
    if (options.output.empty()) {
        auto const out = OBLEA_TRY(sys::duplicate(::fileno(context.streams().out)));
        OBLEA_TRY(look_into(store, container, out.get(), write_tar));
        return exit_code::kSuccess;
    }
    auto const write = [&](int file) -> Status {
        OBLEA_TRY(look_into(store, container, file, write_tar));
        return {};
    };
    OBLEA_TRY(write_output_file(options.output, 0600, write));
    return exit_code::kSuccess;
}

}  // namespace

Command export_command() {
    auto options = std::make_shared<ExportOptions>();
    return {
        .name = "export",
        .aliases = {"container export"},
        .section = Command::Section::containers,
        .summary = "Write the whole tree of a container as a tar",
        .description = "As a program in the container sees it, without history or config: 'oblea "
                       "import' makes "
                       "an image of one layer of it. The same tree gives the same bytes.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->container}},
        .options = {{.names = "-o,--output",
                     .value_name = "FILE",
                     .help = "Write to this file; default: standard output",
                     .target = &options->output}},
        .examples = {{"oblea export -o web.tar web", "The tree of 'web' as web.tar"},
                     {"oblea export web | oblea import - web:flat", "As an image of one layer"}},
        .run = [options](Context& context) { return write_export(context, *options); },
    };
}

}  // namespace oblea::tools
