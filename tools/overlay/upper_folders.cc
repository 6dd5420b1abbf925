// SPDX-License-Identifier: MIT
#include "tools/overlay/upper_folders.h"

#include "fs/upper/upper_lock.h"
#include "store/base/sys.h"

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;
using fs::UpperDir;

constexpr char const* kWorkName = "oblea";       // in the work folder
constexpr char const* kOtherWorkName = "work";   // of overlayfs and fuse-overlayfs there
constexpr char const* kLockFile = "oblea/lock";  // of the layer that is open
constexpr char const* kStamp = "user.overlay.oblea.format";

}  // namespace

Result<UpperFolders> UpperFolders::take(std::string const& upper, std::string const& work) {
    UpperFolders folders;
    folders.path_ = upper;
    folders.work_path_ = work + '/' + kWorkName;
    folders.upper_ = OBLEA_TRY(sys::open(upper, O_RDONLY | O_DIRECTORY));
    folders.work_ = OBLEA_TRY(sys::open(work, O_RDONLY | O_DIRECTORY));
    // A lock of its own, as another work folder may be named beside the same upper one.
    OBLEA_TRY(with_context(fs::wait_for_lock(folders.upper_.get(), folders.work_.get(), kLockFile),
                           [&] { return "upper folder " + upper; }));
    return folders;
}

UpperFolders UpperFolders::adopt(UniqueFd upper, UniqueFd work) {
    UpperFolders folders;
    folders.upper_ = std::move(upper);
    folders.work_ = std::move(work);
    // Wherever they lie by now.
    folders.path_ = sys::proc_path(folders.upper_.get());
    folders.work_path_ = sys::proc_path(folders.work_.get()) + '/' + kWorkName;
    return folders;
}

UpperFolders::Descriptors UpperFolders::descriptors() const {
    return {.upper = upper_.get(), .work = work_.get()};
}

Result<std::unique_ptr<UpperDir>> UpperFolders::open() const {
    auto upper = OBLEA_TRY(UpperDir::open(path_, work_path_));
    auto const state = OBLEA_TRY(upper->state());
    if (state == UpperDir::State::unmarked ||
        (state == UpperDir::State::sealed && !OBLEA_TRY(unchanged_since_sealing()))) {
        OBLEA_TRY(upper->adopt());
    }
    OBLEA_TRY(upper->set_state(UpperDir::State::private_));
    return upper;
}

Result<std::unique_ptr<UpperDir>> UpperFolders::adopt_open(UniqueFd lock) const {
    return UpperDir::adopt_locked(path_, work_path_, std::move(lock));
}

Status UpperFolders::seal(std::unique_ptr<fs::UnionFs> file_system) const {
    OBLEA_TRY(file_system->seal());
    file_system.reset();
    auto removed = sys::unlinkat(work_.get(), kWorkName, AT_REMOVEDIR);
    if (!removed.has_value() && removed.error().code != Errno::enoent) {
        return removed;
    }
    auto stamped = sys::fsetxattr(work_.get(), kStamp, "1 sealed");
    // Without it the next mount looks for marks of other programs, and finds none.
    return !stamped.has_value() && stamped.error().code == Errno::eopnotsupp ? Status{} : stamped;
}

Result<bool> UpperFolders::is_sealed() const {
    for (char const* xattr : {"trusted.overlay.oblea.format", "user.overlay.oblea.format"}) {
        // One of them cannot be read by everybody.
        auto const value = sys::fgetxattr(upper_.get(), xattr).value_or(std::nullopt);
        if (value.has_value()) {
            return !value->ends_with("private");
        }
    }
    return true;
}

Result<bool> UpperFolders::unchanged_since_sealing() const {
    auto const sealed = OBLEA_TRY(sys::fgetxattr(work_.get(), kStamp));
    return sealed.has_value() &&
           !OBLEA_TRY(sys::stat_if_exists(work_.get(), kOtherWorkName)).has_value();
}

}  // namespace oblea::tools
