// SPDX-License-Identifier: MIT
// A file mapped read-only into memory.
//
// Immutable; safe from any thread. Reading it after the file has shrunk raises SIGBUS: see
// sigbus_guard.h.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"

namespace oblea::base {

class MappedFile {
public:
    MappedFile() = default;
    // Maps the first `bytes` bytes, at least one; `fd` may be closed afterwards. Errors: as
    // mmap(2).
    static Result<MappedFile> map(int fd, std::size_t bytes);

    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(MappedFile const&) = delete;
    MappedFile& operator=(MappedFile const&) = delete;
    ~MappedFile();

    [[nodiscard]] ByteView bytes() const noexcept { return bytes_; }

private:
    explicit MappedFile(ByteView bytes) : bytes_(bytes) {}
    ByteView bytes_;
};

}  // namespace oblea::base
