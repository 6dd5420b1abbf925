// SPDX-License-Identifier: MIT
#include "store/base/mapped_file.h"

#include "store/base/sys.h"

#include <sys/mman.h>

#include <utility>

namespace oblea::base {

Result<MappedFile> MappedFile::map(int fd, std::size_t bytes) {
    void* const start = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (start == MAP_FAILED) {
        return fail(sys::last_errno(), "mmap");
    }
    return MappedFile{ByteView{static_cast<std::byte const*>(start), bytes}};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) {
        ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }
}

}  // namespace oblea::base
