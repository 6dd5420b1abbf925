// SPDX-License-Identifier: MIT
#include "store/base/short_io.h"

#include "store/base/sys.h"

#include <unistd.h>

#include <algorithm>

namespace oblea::base::sys {

Result<std::size_t> pwrite_most(int fd, ByteView data, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < data.size()) {
        ssize_t const count =
            ::pwrite(fd, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
        if (count >= 0) {
            done += static_cast<std::size_t>(count);
        } else if (Errno const code = last_errno(); code != Errno::eintr) {
            if (done > 0) {
                break;  // who goes on is told then
            }
            return fail(code, "pwrite");
        }
    }
    return done;
}

Result<std::uint64_t> copy_in_kernel(int source, std::uint64_t source_offset, int target,
                                     std::uint64_t target_offset, std::uint64_t length) {
    constexpr std::uint64_t kStep = 1U << 30U;
    auto from = static_cast<off_t>(source_offset);
    auto to = static_cast<off_t>(target_offset);
    for (;;) {
        ssize_t const count =
            ::copy_file_range(source, &from, target, &to, std::min(length, kStep), 0);
        if (count >= 0) {
            return static_cast<std::uint64_t>(count);
        }
        switch (Errno const code = last_errno()) {
        case Errno::eintr:
            continue;
        case Errno::exdev:
        case Errno::einval:
        case Errno::enosys:
        case Errno::eopnotsupp:
            return std::uint64_t{0};
        default:
            return fail(code, "copy_file_range");
        }
    }
}

}  // namespace oblea::base::sys
