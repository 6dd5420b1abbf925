// SPDX-License-Identifier: MIT
#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/progress_option.h"
#include "tools/images/open_image.h"
#include "tools/output/human.h"
#include "tools/unpack/unpack_tree.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

namespace oblea::tools {

namespace sys = base::sys;

namespace {

struct UnpackCommandOptions {
    std::string image;
    std::string folder;
    std::string progress = "auto";
    bool force = false;
    bool quiet = false;
};

struct UnpackFolder {
    base::UniqueFd folder;
    enum class Made { by_us, before } made = Made::before;
};

Result<UnpackFolder> open_target(std::string const& path) {
    UnpackFolder target;
    auto const made = sys::mkdirat(AT_FDCWD, path.c_str(), 0755);
    if (made.has_value()) {
        target.made = UnpackFolder::Made::by_us;
    } else if (made.error().code != Errno::eexist) {
        return std::unexpected<Error>(with_context(made.error(), path));
    }
    target.folder =
        OBLEA_TRY(with_context(sys::open(path, O_RDONLY | O_DIRECTORY), [&] { return path; }));
    return target;
}

// After a failure: a folder that was empty is empty again, one that we made is gone.
void take_back(UnpackFolder const& target, std::string const& path) {
    auto const entries = sys::list_dir(target.folder.get());
    if (entries.has_value()) {
        for (auto const& entry : *entries) {
            static_cast<void>(sys::remove_tree(target.folder.get(), entry.name.c_str()));
        }
    }
    if (target.made == UnpackFolder::Made::by_us) {
        static_cast<void>(sys::unlinkat(AT_FDCWD, path.c_str(), AT_REMOVEDIR));
    }
}

// Shows the bytes of the whole tree as one line, some times a second.
class UnpackProgress {
public:
    UnpackProgress(std::string const& mode, Streams const& streams, std::string id,
                   std::uint64_t total)
        : progress_(make_progress(parse_progress_mode(mode),
                                  {.live = streams.err, .plain = streams.out})) {
        state_.layers.push_back({.id = std::move(id),
                                 .state = store::ImportProgress::State::reading,
                                 .total_bytes = total});
    }
    void update(UnpackSummary const& summary) {
        auto const now = Progress::Clock::now();
        if (now - last_ >= std::chrono::milliseconds{100}) {
            last_ = now;
            state_.layers.front().bytes = summary.bytes;
            progress_->update(state_, now);
        }
    }

private:
    std::unique_ptr<Progress> progress_;
    store::ImportProgress state_;
    Progress::Clock::time_point last_;
};

void report(Context const& context, UnpackCommandOptions const& options,
            UnpackSummary const& summary) {
    for (auto const& loss : describe_losses(summary)) {
        context.warning(loss);
    }
    if (!options.quiet) {
        context.line(fmt::format("Unpacked {} into {}: {} files, {} folders, {} links, {} others, "
                                 "{}",
                                 options.image, options.folder, summary.files, summary.folders,
                                 summary.links, summary.others, human_size_exact(summary.bytes)));
    }
}

Result<int> unpack(Context& context, UnpackCommandOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const opened = OBLEA_TRY(open_image(store, options.image, "unpack"));
    UnpackFolder const target = OBLEA_TRY(open_target(options.folder));
    bool const was_empty = OBLEA_TRY(sys::list_dir(target.folder.get())).empty();
    if (!was_empty && !options.force) {
        return fail(Errno::enotempty, "",
                    options.folder + " is not empty: name another folder, or say --force to "
                                     "replace what is in the way");
    }
    base::ScopeExit undo{[&] {
        if (was_empty) {
            take_back(target, options.folder);
        }
    }};

    Interrupt const interrupt;
    auto progress = std::make_unique<UnpackProgress>(options.quiet ? "none" : options.progress,
                                                     context.streams(), opened.image.id.short_hex(),
                                                     opened.view->tree().content_bytes());
    UnpackOptions unpack_options;
    unpack_options.existing =
        options.force ? UnpackOptions::Existing::replace : UnpackOptions::Existing::refuse;
    unpack_options.ownership =
        ::geteuid() == 0 ? UnpackOptions::Ownership::keep : UnpackOptions::Ownership::drop;
    unpack_options.cancel = &interrupt.flag();
    unpack_options.progress = [&](UnpackSummary const& so_far) { progress->update(so_far); };
    auto const summary = unpack_tree(*opened.view, target.folder.get(), unpack_options);
    progress.reset();
    report(context, options,
           OBLEA_TRY(with_context(summary, [&] { return "unpack into " + options.folder; })));
    undo.dismiss();
    return exit_code::kSuccess;
}

}  // namespace

Command unpack_command() {
    auto options = std::make_shared<UnpackCommandOptions>();
    return {
        .name = "unpack",
        .aliases = {"image unpack"},
        .section = Command::Section::images,
        .summary = "Write the files of an image into a folder",
        .description =
            "For machines without FUSE, and for tools that want plain files. Root gets owners, "
            "devices and all attributes; other users get what they may have, and a line for each "
            "kind of thing that could not be kept. Nothing outside of the folder is touched, "
            "whatever links are in the way.\n\n"
            "Nothing is left behind when it fails in a folder that was empty.",
        .operands = {{.name = "IMAGE", .help = "Name or id", .target = &options->image},
                     {.name = "DIR",
                      .help = "The folder; made when it is missing",
                      .target = &options->folder}},
        .options = {{.names = "-f,--force",
                     .value_name = "",
                     .help = "Unpack into a folder that is not empty: files and links in the way "
                             "are replaced, folders joined",
                     .target = &options->force},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only warnings and errors",
                     .target = &options->quiet},
                    progress_option(options->progress)},
        .examples = {{"oblea unpack debian ./root", "All files of debian"}},
        .run = [options](Context& context) { return unpack(context, *options); },
    };
}

}  // namespace oblea::tools
