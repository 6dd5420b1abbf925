// SPDX-License-Identifier: MIT
#include "store/publish.h"

#include "store/base/sys.h"
#include "store/layer/layout.h"

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

Result<UniqueFd> lock_store(int root, StoreLock kind) {
    UniqueFd file =
        OBLEA_TRY(sys::openat(root, layout::kLock, O_RDWR | O_CREAT | O_NOFOLLOW, mode_t{0600}));
    OBLEA_TRY(sys::lock(file.get(), kind == StoreLock::shared ? sys::LockKind::shared
                                                              : sys::LockKind::exclusive));
    return file;
}

Result<bool> refresh_published(int root, char const* path) {
    UniqueFd const lock = OBLEA_TRY(lock_store(root, StoreLock::shared));
    auto touched = sys::utimensat(root, path, nullptr);
    if (!touched.has_value() && touched.error().code == Errno::enoent) {
        return false;
    }
    OBLEA_TRY(with_context(std::move(touched), [&] { return path; }));
    return true;
}

}  // namespace oblea::store
