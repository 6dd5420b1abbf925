// SPDX-License-Identifier: MIT
#include "tools/overlay/overlay_mount.h"

#include "fs/fuse/attach.h"
#include "fs/lower/folder_lower.h"
#include "fs/upper/upper_dir.h"
#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/keep_serving.h"
#include "tools/mount/serve_process.h"
#include "tools/mount/stop_signals.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;
using fs::UpperDir;

constexpr char const* kWorkName = "oblea";      // in the work folder
constexpr char const* kOtherWorkName = "work";  // of overlayfs and fuse-overlayfs there
constexpr std::chrono::milliseconds kLockPoll{20};
constexpr int kLockPolls = 500;  // a server that was unmounted seals and ends

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

bool users_may_share() {
    std::ifstream conf{"/etc/fuse.conf"};
    for (std::string line; std::getline(conf, line);) {
        if (line.starts_with("user_allow_other")) {
            return true;
        }
    }
    return false;
}

fs::MountOptions mount_options(OverlayOptions const& options) {
    using Mount = fs::MountOptions;
    bool const root = ::geteuid() == 0;
    Mount mount;
    mount.source = "oblea-overlay";
    bool const shared =
        options.access == OverlayOptions::Access::allow_other || root || users_may_share();
    mount.access = shared ? Mount::Access::allow_other : Mount::Access::owner_only;
    bool const suid = options.suid == OverlayOptions::Suid::by_default
                          ? root
                          : options.suid == OverlayOptions::Suid::yes;
    mount.suid = suid ? Mount::Suid::yes : Mount::Suid::no;
    mount.dev = options.dev == OverlayOptions::Dev::yes ? Mount::Dev::yes : Mount::Dev::no;
    mount.exec = options.exec == OverlayOptions::Exec::yes ? Mount::Exec::yes : Mount::Exec::no;
    mount.read_only = options.upper.empty() ? Mount::ReadOnly::yes : Mount::ReadOnly::no;
    mount.debug =
        options.debug == OverlayOptions::Debug::yes ? Mount::Debug::yes : Mount::Debug::no;
    mount.selinux_context = options.context;
    mount.threads = options.threads;
    return mount;
}

fs::UnionOptions union_options(OverlayOptions const& options) {
    fs::UnionOptions result{.fresh_root = fs::FreshRoot::of_upper};
    // So that little is left to do when the upper folder is sealed at the end.
    result.blocks.complete = fs::CopyUpBlocks::Complete::everything;
    if (options.owners != fs::OwnerMaps{}) {
        result.owners = {.kind = fs::Owners::Kind::mapped, .maps = options.owners};
    }
    if (options.durability == OverlayOptions::Durability::none) {
        result.durable = fs::Durable::no;
    }
    result.override_xattr = options.override_xattr;
    switch (options.xattrs) {
    case OverlayOptions::Xattrs::all:
        break;
    case OverlayOptions::Xattrs::without_acls:
        result.xattrs = fs::Xattrs::without_acls;
        break;
    case OverlayOptions::Xattrs::none:
        result.xattrs = fs::Xattrs::none;
        break;
    }
    return result;
}

// Whether attributes of the trusted space are ours to read: else users' are believed, as overlayfs
// does with userxattr.
bool sees_trusted_xattrs() {
    if (::geteuid() != 0) {
        return false;
    }
    auto const map = sys::read_file(AT_FDCWD, "/proc/self/uid_map", 4096);
    return map.has_value() && map->find("4294967295") != std::string::npos;
}

Result<std::shared_ptr<fs::LowerTree const>> open_lower(OverlayOptions const& options) {
    using Lower = fs::FolderLowerOptions;
    Lower lower{.redirects =
                    sees_trusted_xattrs() ? Lower::Redirects::trusted : Lower::Redirects::user};
    if (options.redirects == OverlayOptions::Redirects::ignored) {
        lower.redirects = Lower::Redirects::none;
    }
    if (options.folder_links == OverlayOptions::FolderLinks::one) {
        lower.folder_links = Lower::FolderLinks::one;
    }
    return fs::folder_lower(options.lower, lower);
}

// The folders that take changes, held for one server.
class UpperFolders {
public:
    static Result<UpperFolders> take(std::string const& upper, std::string const& work) {
        UpperFolders folders;
        folders.path_ = upper;
        folders.work_path_ = work;
        folders.upper_ = OBLEA_TRY(sys::open(upper, O_RDONLY | O_DIRECTORY));
        folders.work_ = OBLEA_TRY(sys::open(work, O_RDONLY | O_DIRECTORY));
        for (int poll = 0;
             !OBLEA_TRY(sys::try_lock(folders.upper_.get(), sys::LockKind::exclusive)); ++poll) {
            if (poll == kLockPolls) {
                return fail(Errno::ebusy, "",
                            fmt::format("upper folder {} belongs to another mount", upper));
            }
            std::this_thread::sleep_for(kLockPoll);
        }
        return folders;
    }

    // The upper layer, in overlayfs' format whoever wrote it, and marked as ours.
    Result<std::unique_ptr<UpperDir>> open() const {
        auto upper = OBLEA_TRY(UpperDir::open(path_, work_path_ + '/' + kWorkName));
        auto const state = OBLEA_TRY(upper->state());
        if (state == UpperDir::State::unmarked ||
            (state == UpperDir::State::sealed && !OBLEA_TRY(unchanged_since_sealing()))) {
            OBLEA_TRY(upper->adopt());
        }
        OBLEA_TRY(upper->set_state(UpperDir::State::private_));
        return upper;
    }

    Status seal(std::unique_ptr<fs::UnionFs> file_system) const {
        OBLEA_TRY(file_system->seal());
        file_system.reset();
        auto removed = sys::unlinkat(work_.get(), kWorkName, AT_REMOVEDIR);
        if (!removed.has_value() && removed.error().code != Errno::enoent) {
            return removed;
        }
        auto stamped = sys::fsetxattr(work_.get(), stamp(), "1 sealed");
        // Without it the next mount looks for marks of other programs, and finds none.
        return !stamped.has_value() && stamped.error().code == Errno::eopnotsupp ? Status{}
                                                                                 : stamped;
    }

    Result<bool> is_sealed() const {
        for (char const* xattr : {"trusted.overlay.oblea.format", "user.overlay.oblea.format"}) {
            auto const value = sys::fgetxattr(upper_.get(), xattr);
            if (value.has_value() && value->has_value()) {
                return !(*value)->ends_with("private");
            }
        }
        return true;
    }

private:
    UpperFolders() = default;
    // Another program that mounts makes a folder of its own beside ours, or a new work folder.
    Result<bool> unchanged_since_sealing() const {
        auto const sealed = OBLEA_TRY(sys::fgetxattr(work_.get(), stamp()));
        return sealed.has_value() &&
               !OBLEA_TRY(sys::stat_if_exists(work_.get(), kOtherWorkName)).has_value();
    }
    static char const* stamp() { return "user.overlay.oblea.format"; }

    std::string path_, work_path_;
    UniqueFd upper_, work_;
};

class ServedOverlay {
public:
    static Result<std::unique_ptr<ServedOverlay>> open(Paths paths) {
        auto served = std::make_unique<ServedOverlay>();
        served->paths_ = std::move(paths);
        OBLEA_TRY(served->mount());
        return served;
    }

    // Serves until unmounted, in child processes (keep_serving()), the last of which seals.
    Status run(StopSignals& signals) {
        return keep_serving(*server_, signals,
                            {.start = [&](First first, fs::Server::Crashed crashed) {
                                return fork_server([&] { serve(signals, first, crashed); });
                            }});
    }

    // After run() in a child, or instead of it: unmounts what is still mounted, and seals.
    Status seal() {
        auto file_system = server_->take_union();
        server_.reset();
        return folders_.has_value() ? folders_->seal(std::move(file_system)) : Status{};
    }

private:
    [[noreturn]] void serve(StopSignals& signals, First first, fs::Server::Crashed crashed) {
        Status ended = first == First::yes ? Status{} : server_->resume(crashed);
        if (ended.has_value()) {
            // Whoever started it may go.
            ended = signals.run(*server_, [] {});
            auto const sealed = seal();
            ended = ended.has_value() ? sealed : ended;
        }
        log_end(ended);
        std::fflush(nullptr);
        ::_exit(ended.has_value() ? 0 : 1);
    }

    Status mount() {
        OverlayOptions const& options = paths_.options;
        auto lower = OBLEA_TRY(open_lower(options));
        std::unique_ptr<fs::UnionFs> file_system;
        if (options.upper.empty()) {
            file_system = OBLEA_TRY(fs::UnionFs::mount(std::move(lower), union_options(options)));
        } else {
            folders_ = OBLEA_TRY(UpperFolders::take(options.upper, options.work));
            auto upper = OBLEA_TRY(folders_->open());
            file_system = OBLEA_TRY(
                fs::UnionFs::mount(std::move(lower), std::move(upper), union_options(options)));
        }
        server_ = OBLEA_TRY(
            fs::Server::mount(std::move(file_system), paths_.mount_point, mount_options(options)));
        return {};
    }

    Paths paths_;
    std::optional<UpperFolders> folders_;
    std::unique_ptr<fs::Server> server_;
};

int serve_in_background(Paths const& paths, Report& report) {
    StopSignals signals{Hangup::is_ignored};
    auto const settled = settle_process();
    auto const served =
        settled.has_value()
            ? ServedOverlay::open(paths)
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
    auto const served = OBLEA_TRY(ServedOverlay::open(paths));
    return served->run(signals);
}

Status seal_overlay(OverlayOptions const& options) {
    OverlayOptions const paths = OBLEA_TRY(with_real_paths(options));
    auto const folders = OBLEA_TRY(UpperFolders::take(paths.upper, paths.work));
    if (OBLEA_TRY(folders.is_sealed())) {
        return {};
    }
    auto lower = OBLEA_TRY(open_lower(paths));
    auto upper = OBLEA_TRY(folders.open());
    auto file_system =
        OBLEA_TRY(fs::UnionFs::mount(std::move(lower), std::move(upper), union_options(paths)));
    return folders.seal(std::move(file_system));
}

}  // namespace oblea::tools
