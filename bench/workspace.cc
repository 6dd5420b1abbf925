// SPDX-License-Identifier: MIT
#include "bench/workspace.h"

#include "fs/mountinfo.h"
#include "store/base/subprocess.h"
#include "store/base/sys.h"

#include <fmt/core.h>
#include <sys/mount.h>
#include <unistd.h>

#include <utility>

namespace oblea::bench {
namespace {

namespace sys = base::sys;

// Sparse: only what is written takes room.
constexpr std::uint64_t kDiskBytes = std::uint64_t{64} << 30U;

Status make_disk(std::string const& image, std::string const& at) {
    auto const file = OBLEA_TRY(sys::open(image, O_RDWR | O_CREAT | O_EXCL));
    OBLEA_TRY(sys::ftruncate(file.get(), kDiskBytes));
    // Without lazy initialisation nothing of it goes on while something is measured.
    OBLEA_TRY(run({"mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
                   "-N", "4000000", image}));
    return run({"mount", "-o", "loop", image, at});
}

void unmount_below(std::string const& folder) {
    auto const table = fs::read_mountinfo();
    if (!table.has_value()) {
        return;
    }
    for (auto entry = table->rbegin(); entry != table->rend(); ++entry) {
        if (entry->mount_point.starts_with(folder + '/') &&
            ::umount2(entry->mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
            static_cast<void>(run({"fusermount3", "-u", "-z", entry->mount_point}));
        }
    }
}

}  // namespace

Result<Workspace> Workspace::make(std::string const& below) {
    Workspace space;
    // Without capital letters, which podman refuses in the path of an image.
    std::string folder = fmt::format("{}/oblea-bench-{}", below, ::getpid());
    OBLEA_TRY(sys::mkdirat(AT_FDCWD, folder.c_str(), 0755));
    space.folder_ = std::move(folder);
    space.disk_ = space.folder_ + "/disk";
    OBLEA_TRY(sys::mkdirat(AT_FDCWD, space.disk_.c_str(), 0755));
    if (::geteuid() != 0) {
        space.kind_ = "a folder: an ext4 of its own takes root";
        return space;
    }
    auto const made = make_disk(space.folder_ + "/image", space.disk_);
    space.mounted_ = made.has_value();
    space.kind_ = space.mounted_ ? "an ext4 of its own" : "a folder: " + made.error().message();
    return space;
}

Workspace::Workspace(Workspace&& other) noexcept
    : folder_(std::exchange(other.folder_, {})), disk_(std::move(other.disk_)),
      kind_(std::move(other.kind_)), mounted_(std::exchange(other.mounted_, false)),
      folders_(other.folders_) {}

Workspace::~Workspace() {
    if (folder_.empty()) {
        return;
    }
    unmount_below(folder_);
    static_cast<void>(sys::remove_tree(AT_FDCWD, folder_.c_str()));
}

Result<std::string> Workspace::fresh_folder(std::string const& what) {
    std::string path = fmt::format("{}/{}-{}", disk_, what, ++folders_);
    OBLEA_TRY(sys::mkdirat(AT_FDCWD, path.c_str(), 0755));
    return path;
}

Status drop_caches() {
    ::sync();
    auto const control = OBLEA_TRY(sys::open("/proc/sys/vm/drop_caches", O_WRONLY));
    return sys::write_all(control.get(), base::bytes_of("3"));
}

Result<std::string> output_of(std::vector<std::string> const& arguments) {
    auto ended =
        OBLEA_TRY(base::run_program({.arguments = arguments, .environment = {}, .descriptor = -1}));
    if (!ended.succeeded()) {
        return fail(Errno::eio, "",
                    fmt::format("{} failed: {}", arguments.front(), ended.messages));
    }
    return std::move(ended.messages);
}

Status run(std::vector<std::string> const& arguments) {
    OBLEA_TRY(output_of(arguments));
    return {};
}

}  // namespace oblea::bench
