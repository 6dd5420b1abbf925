// SPDX-License-Identifier: MIT
#include "tools/mount/become_user.h"

#include "store/base/sys.h"

#include <fmt/core.h>
#include <grp.h>
#include <unistd.h>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

// In a user namespace with one id, or without the helpers, the kernel forbids setgroups; the groups
// from outside are kept then, as for every such process.
Status set_groups(UserIds const& ids) {
    std::vector<gid_t> const groups{ids.groups.begin(), ids.groups.end()};
    if (::setgroups(groups.size(), groups.data()) != 0 && sys::last_errno() != Errno::eperm) {
        return fail(sys::last_errno(), "setgroups");
    }
    return {};
}

}  // namespace

Status become_user(UserIds const& ids) {
    OBLEA_TRY(set_groups(ids));
    if (::setresgid(ids.gid, ids.gid, ids.gid) != 0 ||
        ::setresuid(ids.uid, ids.uid, ids.uid) != 0) {
        Errno const code = sys::last_errno();
        if (code == Errno::einval) {
            return fail(code, "",
                        fmt::format("user {}:{} does not exist in this user namespace, which has "
                                    "too few ids; see subuid(5)",
                                    ids.uid, ids.gid));
        }
        return fail(code, "setresuid");
    }
    return {};
}

}  // namespace oblea::tools
