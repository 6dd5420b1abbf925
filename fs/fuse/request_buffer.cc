// SPDX-License-Identifier: MIT
#include "fs/fuse/request_buffer.h"

#include "fs/fuse/negotiate.h"
#include "store/base/sys.h"

#include <linux/fuse.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

namespace oblea::fs {

Result<RequestBuffer> RequestBuffer::make() {
    // Before the data of a WRITE come its header and its arguments, which get a page.
    auto const bytes = kRequestBytesMax + static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return fail(base::sys::last_errno(), "mmap");
    }
    RequestBuffer made;
    made.memory_ = {static_cast<std::byte*>(at), bytes};
    made.populate(kSmallBytes);
    return made;
}

RequestBuffer::RequestBuffer(RequestBuffer&& other) noexcept
    : memory_(std::exchange(other.memory_, {})), expects_data_(other.expects_data_) {}

RequestBuffer& RequestBuffer::operator=(RequestBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(expects_data_, other.expects_data_);
    return *this;
}

RequestBuffer::~RequestBuffer() {
    if (!memory_.empty()) {
        ::munmap(memory_.data(), memory_.size());
    }
}

void RequestBuffer::expect_data() {
    if (!std::exchange(expects_data_, true)) {
        populate(memory_.size());
    }
}

// Spec: madvise(2), MADV_POPULATE_WRITE since Linux 5.14.
void RequestBuffer::populate(std::size_t bytes) {
    constexpr int kPopulateWrite = 23;
    // Where it fails, requests are lost to kills that need not be; nothing else.
    static_cast<void>(::madvise(memory_.data(), bytes, kPopulateWrite));
}

Result<base::MutableBytes> RequestBuffer::receive(int device) {
    ssize_t const count = ::read(device, memory_.data(), memory_.size());
    if (count < 0) {
        return fail(base::sys::last_errno(), "read", "/dev/fuse");
    }
    return memory_.first(static_cast<std::size_t>(count));
}

}  // namespace oblea::fs
