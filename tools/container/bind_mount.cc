// SPDX-License-Identifier: MIT
#include "tools/container/bind_mount.h"

#include "store/base/sys.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace oblea::tools {

void find_kinds(std::vector<BindMount>& binds) {
    for (BindMount& bind : binds) {
        if (auto const there = base::sys::fstatat(AT_FDCWD, bind.source.c_str(), 0)) {
            bind.kind = S_ISDIR(there->st_mode) ? BindMount::Kind::folder : BindMount::Kind::file;
        }
    }
}

}  // namespace oblea::tools
