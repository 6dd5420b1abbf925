// SPDX-License-Identifier: MIT
// Archives from outside, read entry by entry with libarchive: the outer container of images, and
// root file systems in formats other than tar. Also: a compressed stream made plain.
//
// One pass, in order; the contents of an entry are read or skipped before the next one. Not
// thread-safe, but may move between threads.
#pragma once
#include "store/base/byte_source.h"
#include "store/index/types.h"

#include <memory>
#include <optional>
#include <string>

namespace oblea::store {

struct ArchiveEntry {
    std::string path;  // as it stands
    FileType type = FileType::regular;
    std::optional<std::uint64_t> size;
    std::uint32_t permissions = 0;
    std::uint64_t uid = 0;
    std::uint64_t gid = 0;
    Timestamp mtime;
    DeviceNumber device;
    std::string symlink_target;
    std::string hard_link_target;  // empty: not a hard link
    Xattrs xattrs;
    enum class Layout { plain, sparse } layout = Layout::plain;
};

class ArchiveReader {
public:
    enum class Format {
        tar,   // whatever it is compressed with
        tree,  // tar, cpio, zip
        raw,   // no archive at all: the decompressed stream as one entry
    };
    // `source` is borrowed. Errors: EINVAL for what is no such archive.
    static Result<ArchiveReader> open(base::ByteSource& source, Format format);
    // An uncompressed tar (Format::tar) or any archive in a file that can seek; the descriptor is
    // borrowed and read by pread. Contents that nobody reads are not read from the disk.
    static Result<ArchiveReader> open_file(int fd, Format format);

    ArchiveReader(ArchiveReader&&) noexcept;
    ArchiveReader& operator=(ArchiveReader&&) noexcept;
    ~ArchiveReader();

    // The next entry; nullopt at the end. Errors: EINVAL for a damaged or truncated archive, and
    // those of the source.
    Result<std::optional<ArchiveEntry>> next();

    // Where the contents of the current entry begin in an uncompressed tar. Before any read().
    [[nodiscard]] std::uint64_t content_offset() const;

    // Contents of the current entry; 0 at their end.
    Result<std::size_t> read(base::MutableBytes buffer);

    // What it was found to be compressed with: "gzip", "xz", ...; empty when it is plain.
    [[nodiscard]] std::string compression() const;
    [[nodiscard]] std::string format_name() const;

private:
    struct Impl;
    explicit ArchiveReader(std::unique_ptr<Impl> impl);
    static Result<ArchiveReader> start(std::unique_ptr<Impl> impl, Format format);
    std::unique_ptr<Impl> impl_;
};

// The contents of an archive's current entry as a stream.
class ArchiveEntrySource final : public base::ByteSource {
public:
    explicit ArchiveEntrySource(ArchiveReader& archive) : archive_(archive) {}
    Result<std::size_t> read(base::MutableBytes buffer) override { return archive_.read(buffer); }

private:
    ArchiveReader& archive_;
};

}  // namespace oblea::store
