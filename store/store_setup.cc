// SPDX-License-Identifier: MIT
#include "store/store_setup.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/image/images.h"
#include "store/layer/layout.h"
#include "store/publish.h"
#include "store/sync.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <array>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

constexpr std::uint64_t kReserveBytes = 1U << 20U;
constexpr char kEmptyOciIndex[] =
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
    "\"manifests\":[]}\n";

constexpr std::array<char const*, 8> kFolders = {
    layout::kBlobsParent, layout::kBlobs,      layout::kLayers, layout::kObjects,
    layout::kMerged,      layout::kContainers, layout::kLeases, layout::kTmp};

struct NetworkFileSystem {
    std::uint64_t magic;
    char const* name;
};

// File systems on which several machines write, where locks or renames are not what one machine
// sees. Numbers: statfs(2), linux/magic.h.
constexpr std::array kNetworkFileSystems = {
    NetworkFileSystem{0x6969, "NFS"},        NetworkFileSystem{0x517B, "SMB"},
    NetworkFileSystem{0xFF534D42, "CIFS"},   NetworkFileSystem{0xFE534D42, "SMB"},
    NetworkFileSystem{0x5346414F, "AFS"},    NetworkFileSystem{0x6B414653, "AFS"},
    NetworkFileSystem{0x73757245, "Coda"},   NetworkFileSystem{0x00C36400, "Ceph"},
    NetworkFileSystem{0x0BD00BD0, "Lustre"}, NetworkFileSystem{0x47504653, "GPFS"},
    NetworkFileSystem{0x19830326, "BeeGFS"}, NetworkFileSystem{0x01021997, "9p"},
    NetworkFileSystem{0x7461636F, "OCFS2"},  NetworkFileSystem{0x01161970, "GFS2"},
};

constexpr char kAdvice[] = "; put the store on a local disk (--root or OBLEA_ROOT)";

Status refuse_network_file_system(int root, std::string const& path) {
    struct statfs const info = OBLEA_TRY(sys::fstatfs(root));
    auto const magic = static_cast<std::uint32_t>(info.f_type);
    auto const at = std::ranges::find(kNetworkFileSystems, magic, &NetworkFileSystem::magic);
    if (at != kNetworkFileSystems.end()) {
        return fail(Errno::eopnotsupp, "",
                    fmt::format("{}: a store is not safe on a network file system ({}){}", path,
                                at->name, kAdvice));
    }
    return {};
}

// flock must exclude other descriptors, and rename must replace.
Status probe(int root, std::string const& path) {
    std::string const one = fmt::format("{}/probe.{}", layout::kTmp, ::getpid());
    std::string const two = one + ".renamed";
    base::ScopeExit clean{[&] {
        static_cast<void>(sys::unlink_if_exists(root, one.c_str()));
        static_cast<void>(sys::unlink_if_exists(root, two.c_str()));
    }};
    UniqueFd const held =
        OBLEA_TRY(sys::openat(root, one.c_str(), O_RDWR | O_CREAT | O_EXCL, layout::kFileMode));
    UniqueFd const other = OBLEA_TRY(sys::openat(root, one.c_str(), O_RDWR));
    bool const first = OBLEA_TRY(sys::try_lock(held.get(), sys::LockKind::exclusive));
    bool const second = OBLEA_TRY(sys::try_lock(other.get(), sys::LockKind::shared));
    if (!first || second) {
        return fail(Errno::eopnotsupp, "",
                    fmt::format("{}: its file system has no working flock{}", path, kAdvice));
    }
    return sys::renameat2(root, one.c_str(), root, two.c_str());
}

Result<bool> exists(int root, char const* path) {
    return OBLEA_TRY(sys::stat_if_exists(root, path)).has_value();
}

// A folder may become a store when it is empty or one that was not finished.
Status expect_room_for_store(int root, std::string const& path) {
    if (OBLEA_TRY(exists(root, layout::kLock)) || OBLEA_TRY(sys::list_dir(root)).empty()) {
        return {};
    }
    if (OBLEA_TRY(exists(root, layout::kOciLayout))) {
        return fail(Errno::euclean, "",
                    path + ": an OCI image layout, not a store of oblea; import it into a store "
                           "elsewhere (--root or OBLEA_ROOT)");
    }
    return fail(Errno::euclean, "",
                path + ": not a store of oblea, and not empty; name a new or an empty folder "
                       "(--root or OBLEA_ROOT)");
}

Status fill(int root, std::string const& path) {
    UniqueFd const lock = OBLEA_TRY(lock_store(root, StoreLock::exclusive));
    if (OBLEA_TRY(exists(root, layout::kImages))) {
        return {};  // someone else was faster
    }
    // The lock tells a store that is being made from any other folder: it is on disk before
    // anything else is there.
    OBLEA_TRY(sys::fsync(root));
    OBLEA_TRY(sys::fchmodat(root, ".", layout::kFolderMode));
    for (char const* folder : kFolders) {
        OBLEA_TRY(sys::mkdirat_if_missing(root, folder, layout::kFolderMode));
    }
    OBLEA_TRY(probe(root, path));
    OBLEA_TRY(make_reserve(root));
    OBLEA_TRY(sys::replace_file(root, layout::kOciLayout, layout::kOciLayoutText, layout::kFileMode,
                                sys::Sync::no));
    OBLEA_TRY(sys::replace_file(root, layout::kOciIndex, kEmptyOciIndex, layout::kFileMode,
                                sys::Sync::no));
    // All but the last file may be short or missing as long as that is, and is made again.
    OBLEA_TRY(sync_paths(root, {layout::kOciLayout, layout::kOciIndex, layout::kBlobsParent, "."},
                         sync_threads()));
    return sys::replace_file(root, layout::kImages, Images{}.encode(), layout::kFileMode,
                             sys::Sync::yes);
}

Status make_root(std::string const& path) {
    auto made = sys::mkdir_all(path, layout::kFolderMode);
    if (!made.has_value()) {
        return std::unexpected<Error>(with_context(
            std::move(made).error(),
            "cannot make the store " + path + " (choose another place by --root or OBLEA_ROOT)"));
    }
    return {};
}

}  // namespace

Status create_store(std::string const& path) {
    OBLEA_TRY(make_root(path));
    UniqueFd const root = OBLEA_TRY(sys::open(path, O_RDONLY | O_DIRECTORY));
    if (OBLEA_TRY(exists(root.get(), layout::kImages))) {
        return {};
    }
    OBLEA_TRY(expect_room_for_store(root.get(), path));
    OBLEA_TRY(refuse_network_file_system(root.get(), path));
    return with_context(fill(root.get(), path), [&] { return "making the store " + path; });
}

Result<UniqueFd> open_store(std::string const& path) {
    auto opened = sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!opened.has_value()) {
        bool const missing = opened.error().code == Errno::enoent;
        return std::unexpected<Error>(with_context(
            std::move(opened).error(),
            missing ? path + ": there is no store; oblea import makes one, --root or OBLEA_ROOT "
                             "name another"
                    : path));
    }
    UniqueFd root = *std::move(opened);
    if (OBLEA_TRY(exists(root.get(), layout::kPublished))) {
        return fail(Errno::erofs, "",
                    path + ": a published store, which is only read; name it by --store, and a "
                           "store of your own by --root");
    }
    if (!OBLEA_TRY(exists(root.get(), layout::kImages))) {
        OBLEA_TRY(expect_room_for_store(root.get(), path));
        return fail(Errno::enoent, "",
                    path + ": there is no store in this folder; oblea import makes one");
    }
    OBLEA_TRY(refuse_network_file_system(root.get(), path));
    return root;
}

Status make_reserve(int root) {
    auto const there = OBLEA_TRY(sys::stat_if_exists(root, layout::kReserve));
    if (there.has_value() && there->st_size == kReserveBytes) {
        return {};
    }
    UniqueFd const file =
        OBLEA_TRY(sys::openat(root, layout::kReserve, O_WRONLY | O_CREAT, layout::kFileMode));
    base::ScopeExit discard{
        [&] { static_cast<void>(sys::unlink_if_exists(root, layout::kReserve)); }};
    auto filled = sys::fallocate(file.get(), 0, 0, kReserveBytes);
    if (!filled.has_value() && filled.error().code == Errno::eopnotsupp) {
        filled = sys::pwrite_all(file.get(), base::Bytes(kReserveBytes), 0);
    }
    OBLEA_TRY(std::move(filled));
    discard.dismiss();
    return {};
}

Status drop_reserve(int root) {
    return sys::unlink_if_exists(root, layout::kReserve);
}

}  // namespace oblea::store
