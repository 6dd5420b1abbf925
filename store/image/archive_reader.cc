// SPDX-License-Identifier: MIT
#include "store/image/archive_reader.h"

#include "store/base/buffer_bytes.h"
#include "store/base/sys.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstdio>

namespace oblea::store {

namespace sys = base::sys;

namespace {

struct FreeArchive {
    void operator()(archive* handle) const noexcept { archive_read_free(handle); }
};

std::string text_or_empty(char const* text) {
    return text == nullptr ? std::string{} : std::string{text};
}

// Names in archives are bytes; libarchive has them either as such or, when they are marked as
// UTF-8 and the locale cannot say so, as UTF-8 only.
std::string path_of(archive_entry* entry) {
    char const* const bytes = archive_entry_pathname(entry);
    return text_or_empty(bytes != nullptr ? bytes : archive_entry_pathname_utf8(entry));
}

std::string symlink_of(archive_entry* entry) {
    char const* const bytes = archive_entry_symlink(entry);
    return text_or_empty(bytes != nullptr ? bytes : archive_entry_symlink_utf8(entry));
}

std::string hard_link_of(archive_entry* entry) {
    char const* const bytes = archive_entry_hardlink(entry);
    return text_or_empty(bytes != nullptr ? bytes : archive_entry_hardlink_utf8(entry));
}

std::optional<FileType> type_of(archive_entry* entry) {
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return FileType::regular;
    case AE_IFDIR:
        return FileType::directory;
    case AE_IFLNK:
        return FileType::symlink;
    case AE_IFCHR:
        return FileType::char_device;
    case AE_IFBLK:
        return FileType::block_device;
    case AE_IFIFO:
        return FileType::fifo;
    case AE_IFSOCK:
        return FileType::socket;
    default:
        return std::nullopt;
    }
}

Xattrs xattrs_of(archive_entry* entry) {
    Xattrs xattrs;
    archive_entry_xattr_reset(entry);
    char const* name = nullptr;
    void const* value = nullptr;
    std::size_t bytes = 0;
    while (archive_entry_xattr_next(entry, &name, &value, &bytes) == ARCHIVE_OK) {
        xattrs.emplace_back(name, std::string{static_cast<char const*>(value), bytes});
    }
    std::ranges::sort(xattrs);
    return xattrs;
}

}  // namespace

struct ArchiveReader::Impl {
    std::unique_ptr<archive, FreeArchive> handle{archive_read_new()};
    base::ByteSource* source = nullptr;  // streams
    int fd = -1;                         // files
    std::uint64_t position = 0;
    std::uint64_t end = 0;
    base::Bytes block = base::Bytes(base::kBufferBytes);
    // What a callback failed with: libarchive's own text would hide it.
    std::optional<Error> failure;

    std::unexpected<Error> error() {
        if (failure.has_value()) {
            return std::unexpected<Error>(*failure);
        }
        return fail(Errno::einval, "",
                    "damaged archive: " + text_or_empty(archive_error_string(handle.get())));
    }

    Result<std::size_t> fill() {
        if (source != nullptr) {
            return source->read(block);
        }
        std::size_t const count = OBLEA_TRY(sys::pread_full(fd, block, position));
        position += count;
        return count;
    }

    static la_ssize_t on_read(archive* handle, void* self, void const** buffer) {
        auto& impl = *static_cast<Impl*>(self);
        auto const count = impl.fill();
        if (!count.has_value()) {
            impl.failure = count.error();
            archive_set_error(handle, static_cast<int>(count.error().code), "read");
            return ARCHIVE_FATAL;
        }
        *buffer = impl.block.data();
        return static_cast<la_ssize_t>(*count);
    }

    static la_int64_t on_skip(archive*, void* self, la_int64_t request) {
        auto& impl = *static_cast<Impl*>(self);
        auto const room = static_cast<la_int64_t>(impl.end - std::min(impl.position, impl.end));
        la_int64_t const count = std::clamp<la_int64_t>(request, 0, room);
        impl.position += static_cast<std::uint64_t>(count);
        return count;
    }

    static la_int64_t on_seek(archive*, void* self, la_int64_t offset, int whence) {
        auto& impl = *static_cast<Impl*>(self);
        auto const from = whence == SEEK_SET   ? 0
                          : whence == SEEK_CUR ? static_cast<la_int64_t>(impl.position)
                                               : static_cast<la_int64_t>(impl.end);
        la_int64_t target = 0;
        if (__builtin_add_overflow(from, offset, &target) || target < 0) {
            return ARCHIVE_FATAL;
        }
        impl.position = static_cast<std::uint64_t>(target);
        return target;
    }
};

ArchiveReader::ArchiveReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;
ArchiveReader& ArchiveReader::operator=(ArchiveReader&&) noexcept = default;
ArchiveReader::~ArchiveReader() = default;

Result<ArchiveReader> ArchiveReader::start(std::unique_ptr<Impl> impl, Format format) {
    archive* const handle = impl->handle.get();
    if (handle == nullptr) {
        return fail(Errno::enomem, "archive_read_new");
    }
    archive_read_support_filter_gzip(handle);
    archive_read_support_filter_bzip2(handle);
    archive_read_support_filter_xz(handle);
    archive_read_support_filter_lzma(handle);
    archive_read_support_filter_zstd(handle);
    archive_read_support_filter_lz4(handle);
    if (format == Format::raw) {
        archive_read_support_format_raw(handle);
        archive_read_support_format_empty(handle);
    } else {
        archive_read_support_format_tar(handle);
    }
    if (format == Format::tree) {
        archive_read_support_format_cpio(handle);
        archive_read_support_format_zip(handle);
    }
    archive_read_set_callback_data(handle, impl.get());
    archive_read_set_read_callback(handle, &Impl::on_read);
    if (impl->source == nullptr) {
        archive_read_set_skip_callback(handle, &Impl::on_skip);
        archive_read_set_seek_callback(handle, &Impl::on_seek);
    }
    if (archive_read_open1(handle) != ARCHIVE_OK) {
        return impl->error();
    }
    return ArchiveReader{std::move(impl)};
}

Result<ArchiveReader> ArchiveReader::open(base::ByteSource& source, Format format) {
    auto impl = std::make_unique<Impl>();
    impl->source = &source;
    return start(std::move(impl), format);
}

Result<ArchiveReader> ArchiveReader::open_file(int fd, Format format) {
    auto impl = std::make_unique<Impl>();
    impl->fd = fd;
    impl->end = static_cast<std::uint64_t>(OBLEA_TRY(sys::fstat(fd)).st_size);
    return start(std::move(impl), format);
}

Result<std::optional<ArchiveEntry>> ArchiveReader::next() {
    archive_entry* raw = nullptr;
    int const status = archive_read_next_header(impl_->handle.get(), &raw);
    if (status == ARCHIVE_EOF) {
        return std::optional<ArchiveEntry>{};
    }
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
        return impl_->error();
    }
    ArchiveEntry entry;
    entry.path = path_of(raw);
    entry.symlink_target = symlink_of(raw);
    entry.hard_link_target = hard_link_of(raw);
    auto const type = type_of(raw);
    if (!type.has_value() && entry.hard_link_target.empty()) {
        return fail(Errno::einval, "", "damaged archive: " + entry.path + " is of no known type");
    }
    entry.type = type.value_or(FileType::regular);
    if (archive_entry_size_is_set(raw) != 0 && archive_entry_size(raw) >= 0) {
        entry.size = static_cast<std::uint64_t>(archive_entry_size(raw));
    }
    entry.permissions = archive_entry_mode(raw) & 07777U;
    entry.uid = static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_entry_uid(raw)));
    entry.gid = static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_entry_gid(raw)));
    entry.mtime = {archive_entry_mtime(raw), static_cast<std::uint32_t>(std::clamp<long>(
                                                 archive_entry_mtime_nsec(raw), 0, 999'999'999))};
    entry.device = {static_cast<std::uint32_t>(archive_entry_rdevmajor(raw)),
                    static_cast<std::uint32_t>(archive_entry_rdevminor(raw))};
    entry.xattrs = xattrs_of(raw);
    entry.layout = archive_entry_sparse_count(raw) > 0 ? ArchiveEntry::Layout::sparse
                                                       : ArchiveEntry::Layout::plain;
    return std::optional{std::move(entry)};
}

std::uint64_t ArchiveReader::content_offset() const {
    // The innermost filter is the file itself; what it has given away is headers and skipped
    // contents.
    return static_cast<std::uint64_t>(archive_filter_bytes(impl_->handle.get(), 0));
}

Result<std::size_t> ArchiveReader::read(base::MutableBytes buffer) {
    la_ssize_t const count = archive_read_data(impl_->handle.get(), buffer.data(), buffer.size());
    if (count < 0) {
        return impl_->error();
    }
    return static_cast<std::size_t>(count);
}

std::string ArchiveReader::compression() const {
    std::string const name = text_or_empty(archive_filter_name(impl_->handle.get(), 0));
    return name == "none" ? "" : name;
}

std::string ArchiveReader::format_name() const {
    return text_or_empty(archive_format_name(impl_->handle.get()));
}

}  // namespace oblea::store
