// SPDX-License-Identifier: MIT
#include "tools/overlay/overlay_mount.h"

#include "fs/fuse/attach.h"
#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/serve_process.h"
#include "tools/mount/stop_signals.h"
#include "tools/overlay/overlay_union.h"
#include "tools/overlay/served_overlay.h"
#include "tools/overlay/upper_folders.h"

#include <fmt/format.h>

#include <array>
#include <climits>
#include <cstdlib>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

Result<std::string> real_path(std::string const& path, char const* what) {
    std::array<char, PATH_MAX> resolved{};
    if (::realpath(path.c_str(), resolved.data()) == nullptr) {
        return fail(sys::last_errno(), "realpath", fmt::format("{} {}", what, path));
    }
    return std::string{resolved.data()};
}

// What the server will use when it has left the caller's folder.
struct Paths {
    OverlayOptions options;
    std::string mount_point;
};

std::unexpected<Error> bad_place(std::string text) {
    return fail(Errno::einval, "", std::move(text));
}

Status check_places(Paths const& paths) {
    std::string const& at = paths.mount_point;
    for (std::string const& lower : paths.options.lower) {
        // On a lower folder itself is a common wish, and does no harm: it is open by then.
        if (lower != at && fs::is_within(lower, at)) {
            return bad_place(fmt::format("{} cannot be the mount point: it would cover the lower "
                                         "folder {}",
                                         at, lower));
        }
    }
    if (paths.options.upper.empty()) {
        return {};
    }
    for (auto const& [what, folder] :
         {std::pair{"upper", paths.options.upper}, std::pair{"work", paths.options.work}}) {
        if (fs::is_within(folder, at)) {
            return bad_place(fmt::format("{} cannot be the mount point: it would cover the {} "
                                         "folder {}",
                                         at, what, folder));
        }
        if (fs::is_within(at, folder)) {
            return bad_place(fmt::format(
                "{} cannot be the mount point: it lies in the {} folder {}", at, what, folder));
        }
    }
    if (fs::is_within(paths.options.work, paths.options.upper) ||
        fs::is_within(paths.options.upper, paths.options.work)) {
        return bad_place("upperdir and workdir must not lie in one another");
    }
    return {};
}

Result<OverlayOptions> with_real_paths(OverlayOptions options) {
    for (std::string& lower : options.lower) {
        lower = OBLEA_TRY(real_path(lower, "lower folder"));
    }
    if (!options.upper.empty()) {
        options.upper = OBLEA_TRY(real_path(options.upper, "upper folder"));
    }
    if (!options.work.empty()) {
        options.work = OBLEA_TRY(real_path(options.work, "work folder"));
    }
    if (options.read_only == OverlayOptions::ReadOnly::yes && !options.upper.empty()) {
        // Nothing will be written to it: it is one more folder to look at.
        options.lower.push_back(std::exchange(options.upper, {}));
    }
    return options;
}

Result<Paths> resolved(OverlayOptions const& options, std::string const& mount_point) {
    Paths paths;
    paths.options = OBLEA_TRY(with_real_paths(options));
    paths.mount_point = OBLEA_TRY(real_path(mount_point, "mount point"));
    OBLEA_TRY(check_places(paths));
    return paths;
}

int serve_in_background(Paths const& paths, Report& report) {
    StopSignals signals{Hangup::is_ignored};
    auto const settled = settle_process();
    auto const served =
        settled.has_value()
            ? ServedOverlay::open(paths.options, paths.mount_point)
            : Result<std::unique_ptr<ServedOverlay>>{std::unexpected<Error>(settled.error())};
    if (!served.has_value()) {
        report.failure(served.error());
        return 1;
    }
    auto const quiet = redirect_standard_streams(-1);
    auto const told = quiet.has_value() ? report.success("") : quiet;
    if (!told.has_value()) {
        static_cast<void>((*served)->seal());  // nobody is there to be told
        return 1;
    }
    return (*served)->run(signals).has_value() ? 0 : 1;
}

}  // namespace

Status mount_overlay(OverlayOptions const& options, std::string const& mount_point) {
    Paths const paths = OBLEA_TRY(resolved(options, mount_point));
    OBLEA_TRY(start_child(Parentage::detached, {},
                          [&](Report& report) { return serve_in_background(paths, report); }));
    return {};
}

Status serve_overlay(OverlayOptions const& options, std::string const& mount_point) {
    Paths const paths = OBLEA_TRY(resolved(options, mount_point));
    OBLEA_TRY(settle_process());
    StopSignals signals{Hangup::ends};
    auto const served = OBLEA_TRY(ServedOverlay::open(paths.options, paths.mount_point));
    return served->run(signals);
}

Status seal_overlay(OverlayOptions const& options) {
    OverlayOptions const paths = OBLEA_TRY(with_real_paths(options));
    auto const folders = OBLEA_TRY(UpperFolders::take(paths.upper, paths.work));
    if (OBLEA_TRY(folders.is_sealed())) {
        return {};
    }
    auto lower = OBLEA_TRY(fs::folder_lower(paths.lower, lower_options(paths)));
    auto upper = OBLEA_TRY(folders.open());
    auto file_system =
        OBLEA_TRY(fs::UnionFs::mount(std::move(lower), std::move(upper), union_options(paths)));
    return folders.seal(std::move(file_system));
}

}  // namespace oblea::tools
