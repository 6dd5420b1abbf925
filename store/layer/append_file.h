// SPDX-License-Identifier: MIT
// A file that is written from front to back, through a buffer.
//
// Not thread-safe. Nothing is durable before sync().
#pragma once
#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/unique_fd.h"
#include "store/layer/writeback.h"

#include <cstdint>

namespace oblea::store {

class AppendFile {
public:
    // Given a Writeback, which is borrowed, it is sent to disk as it grows.
    explicit AppendFile(base::UniqueFd file, Writeback* writeback = nullptr,
                        std::size_t buffer_bytes = base::kBufferBytes);

    Status append(base::ByteView data);
    // The same, but for long runs of zeros, which become holes. Of a file that is new.
    Status append_sparse(base::ByteView data);
    Status flush();
    // Flushes, and waits until data and length are on disk.
    Status sync();

    [[nodiscard]] std::uint64_t bytes() const { return written_ + used_; }
    [[nodiscard]] int fd() const { return file_.get(); }

private:
    Status write_buffer();
    Status write_through(base::ByteView data);
    Status leave_hole(std::uint64_t bytes);

    base::UniqueFd file_;
    SteadyWriteback writeback_;
    base::Bytes buffer_;
    std::size_t used_ = 0;
    std::uint64_t written_ = 0;
    bool ends_in_hole_ = false;  // the file is shorter than written_
};

}  // namespace oblea::store
