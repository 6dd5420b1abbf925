// SPDX-License-Identifier: MIT
#include "fs/write_mapped.h"

#include "store/base/scope_exit.h"
#include "store/base/sigbus_guard.h"
#include "store/base/sys.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace oblea::fs {

Status write_mapped(int file, base::ByteView data, std::uint64_t offset) {
    auto const page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    auto const lead = static_cast<std::size_t>(offset % page);
    std::size_t const bytes = lead + data.size();
    void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file,
                                static_cast<off_t>(offset - lead));
    if (mapped == MAP_FAILED) {
        return fail(base::sys::last_errno(), "mmap");
    }
    base::ScopeExit const unmap{[&] { ::munmap(mapped, bytes); }};
    auto* const begin = static_cast<std::byte*>(mapped);
    auto const written = base::read_guarded({begin, bytes}, [&] {
        std::memcpy(begin + lead, data.data(), data.size());
        return Status{};
    });
    return written.has_value() ? written : fail(Errno::enospc, "write to a mapped file");
}

}  // namespace oblea::fs
