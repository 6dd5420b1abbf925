// SPDX-License-Identifier: MIT
// A stream of bytes that is pulled: the input side of every reader here.
//
// Not thread-safe. After an error a source stays failed.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <cstdint>

namespace oblea::base {

class ByteSource {
public:
    ByteSource() = default;
    ByteSource(ByteSource const&) = delete;
    ByteSource& operator=(ByteSource const&) = delete;
    virtual ~ByteSource() = default;

    // Fills as much of `buffer` as it has at hand, at least one byte; 0 only at the end.
    virtual Result<std::size_t> read(MutableBytes buffer) = 0;
};

// [offset, offset + bytes) of a file, by pread: many may read one descriptor at once. The
// descriptor is borrowed. A file that ends early gives EIO.
class FileRangeSource final : public ByteSource {
public:
    FileRangeSource(int fd, std::uint64_t offset, std::uint64_t bytes)
        : fd_(fd), offset_(offset), left_(bytes) {}
    Result<std::size_t> read(MutableBytes buffer) override;

private:
    int fd_;
    std::uint64_t offset_;
    std::uint64_t left_;
};

// A descriptor read to its end: a pipe, or a file from its position on.
class FdSource final : public ByteSource {
public:
    explicit FdSource(UniqueFd fd) : fd_(std::move(fd)) {}
    Result<std::size_t> read(MutableBytes buffer) override;

private:
    UniqueFd fd_;
};

// Bytes in memory, borrowed.
class MemorySource final : public ByteSource {
public:
    explicit MemorySource(ByteView data) : rest_(data) {}
    Result<std::size_t> read(MutableBytes buffer) override;

private:
    ByteView rest_;
};

// A stream that hands out views of buffers of its own, so that nothing is copied between stages.
class ChunkSource {
public:
    ChunkSource() = default;
    ChunkSource(ChunkSource const&) = delete;
    ChunkSource& operator=(ChunkSource const&) = delete;
    virtual ~ChunkSource() = default;

    // The next bytes, valid until the following call; empty only at the end.
    virtual Result<ByteView> next() = 0;
};

// Another source, read piece by piece into one buffer. The source is borrowed.
class BufferedChunks final : public ChunkSource {
public:
    explicit BufferedChunks(ByteSource& source, std::size_t buffer_bytes = 64U << 10U)
        : source_(source), buffer_(buffer_bytes) {}
    Result<ByteView> next() override;

private:
    ByteSource& source_;
    Bytes buffer_;
};

// Reads until `buffer` is full or the source ends; returns the count.
Result<std::size_t> read_full(ByteSource& source, MutableBytes buffer);

}  // namespace oblea::base
