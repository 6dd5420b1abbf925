// SPDX-License-Identifier: MIT
#include "fs/shared_memory.h"

#include "store/base/sys.h"

#include <sys/mman.h>

#include <utility>

namespace oblea::fs {

namespace sys = base::sys;

Result<SharedMemory> SharedMemory::make(char const* name, std::size_t bytes) {
    base::UniqueFd descriptor{::memfd_create(name, MFD_CLOEXEC)};
    if (!descriptor.valid()) {
        return fail(sys::last_errno(), "memfd_create");
    }
    OBLEA_TRY(sys::ftruncate(descriptor.get(), bytes));
    return map(std::move(descriptor), bytes, kAnywhere);
}

Result<SharedMemory> SharedMemory::make_records(char const* name, std::size_t record_bytes,
                                                std::size_t most, std::size_t least) {
    std::size_t count = most;
    auto memory = make(name, count * record_bytes);
    while (!memory.has_value() && count > least) {
        count /= 4;
        memory = make(name, count * record_bytes);
    }
    return memory;
}

Result<SharedMemory> SharedMemory::adopt(base::UniqueFd descriptor) {
    return adopt_at(std::move(descriptor), kAnywhere);
}

Result<SharedMemory> SharedMemory::adopt_at(base::UniqueFd descriptor, std::uint64_t address) {
    struct stat const info = OBLEA_TRY(sys::fstat(descriptor.get()));
    return map(std::move(descriptor), static_cast<std::size_t>(info.st_size), address);
}

Result<SharedMemory> SharedMemory::map(base::UniqueFd descriptor, std::size_t bytes,
                                       std::uint64_t address) {
    auto* const wanted = reinterpret_cast<void*>(address);  // NOLINT: of another process
    int const exactly = address != kAnywhere ? MAP_FIXED_NOREPLACE : 0;
    void* const data = ::mmap(wanted, bytes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_NORESERVE | exactly, descriptor.get(), 0);
    if (data == MAP_FAILED) {  // NOLINT: the system's own cast
        return fail(sys::last_errno() == Errno::eexist ? Errno::ebusy : sys::last_errno(), "mmap");
    }
    SharedMemory memory;
    memory.descriptor_ = std::move(descriptor);
    memory.data_ = data;
    memory.bytes_ = bytes;
    return memory;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept {
    *this = std::move(other);
}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

SharedMemory::~SharedMemory() {
    if (data_ != nullptr) {
        ::munmap(data_, bytes_);
    }
}

}  // namespace oblea::fs
