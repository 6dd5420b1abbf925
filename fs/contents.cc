// SPDX-License-Identifier: MIT
// The bytes of files: read where they are now, written to the upper.
#include "fs/union_impl.h"
#include "store/base/short_io.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace oblea::fs {

void UnionFs::Impl::add_open(Ino ino) {
    if (upper == nullptr) {
        return;
    }
    if (is_lower_number(ino)) {
        counts.add_open(number(ino));
    } else {
        static_cast<void>(nodes.update(ino, [](Node& node) { ++node.opens; }));
    }
}

void UnionFs::Impl::end_open(Ino ino) {
    if (upper == nullptr) {
        return;
    }
    if (is_lower_number(ino)) {
        if (!counts.contains(number(ino))) {
            return;
        }
        counts.end_open(number(ino));
        if (!counts.has_node(number(ino)) || counts.known(number(ino))) {
            return;
        }
        drop_if_gone(ino);
    } else {
        static_cast<void>(nodes.update(ino, [](Node& node) { node.opens -= node.opens > 0; }));
    }
    collect(ino);
}

Result<Handle> UnionFs::open(Ino ino, OpenFor what) {
    Impl& fs = *impl_;
    FileType const type = OBLEA_TRY(fs.type_of(ino));
    if (what == OpenFor::writing) {
        OBLEA_TRY(fs.need_upper());
    }
    if (type == FileType::directory) {
        return fail(Errno::eisdir, "open");
    }
    if (type != FileType::regular) {
        return fail(Errno::enxio, "open");
    }
    // Opening for writing copies nothing: the first write does. The descriptor pins nothing either.
    fs.add_open(ino);
    return Handle{number(ino)};
}

void UnionFs::release(Handle handle) {
    impl_->end_open(Ino{static_cast<std::uint64_t>(handle)});
}

bool UnionFs::is_settled(Ino ino) const {
    if (impl_->upper == nullptr) {
        return true;
    }
    auto const node = impl_->nodes.find(ino);
    return node.has_value() && node->state == FileState::upper;
}

Result<SharedFd> UnionFs::whole_file(Ino ino) {
    Impl& fs = *impl_;
    if (fs.upper == nullptr) {
        return fs.lower->object(lower_of(ino));
    }
    SharedFd fd = OBLEA_TRY(fs.file_fd(ino));
    struct stat const info = OBLEA_TRY(sys::fstat(fd->get()));
    return (info.st_mode & (S_ISUID | S_ISGID)) != 0 ? SharedFd{} : fd;
}

std::uint64_t UnionFs::opens(Ino ino) const {
    Impl const& fs = *impl_;
    if (fs.upper == nullptr) {
        return 1;  // nobody counts, since nothing depends on it
    }
    if (is_lower_number(ino)) {
        return fs.counts.opens(number(ino));
    }
    auto const node = fs.nodes.find(ino);
    return node.has_value() ? node->opens : 0;
}

bool UnionFs::upper_is_stacked() const {
    Impl const& fs = *impl_;
    if (fs.upper == nullptr) {
        return false;
    }
    auto const info = sys::fstatfs(fs.root_fd->get());
    return info.has_value() && info->f_type == OVERLAYFS_SUPER_MAGIC;
}

Result<ReadResult> UnionFs::read(Ino ino, base::MutableBytes buffer, std::uint64_t offset) {
    Impl& fs = *impl_;
    auto const node = fs.nodes.find(ino);
    if (node.has_value() && is_in_upper(node->state)) {
        SharedFd const file = OBLEA_TRY(fs.file_fd(ino));
        if (node->state == FileState::partial) {
            if (SharedPartial const part = OBLEA_TRY(fs.partial_of(ino))) {
                return fs.read_partial(*part, file->get(), buffer, offset);
            }
        }
        return ReadResult{.in_buffer = OBLEA_TRY(sys::pread_full(file->get(), buffer, offset))};
    }
    if (!is_lower_number(ino) || number(ino) > fs.lower->inode_count()) {
        return fail(Errno::estale, "read");
    }
    base::ByteView const mapped = OBLEA_TRY(fs.lower->mapped(lower_of(ino), offset, buffer.size()));
    if (!mapped.empty()) {
        return ReadResult{.mapped = mapped};
    }
    return ReadResult{.in_buffer = OBLEA_TRY(fs.lower->read(lower_of(ino), buffer, offset))};
}

Result<ChangeAhead> UnionFs::Impl::write_ahead(Ino ino, std::uint64_t offset) const {
    auto const node = nodes.find(ino);
    if ((node.has_value() && is_in_upper(node->state)) || !is_lower_number(ino) ||
        number(ino) > lower->inode_count()) {
        return kContents;
    }
    // What is appended needs nothing of what was there.
    bool const appends = offset >= OBLEA_TRY(lower->attr(lower_of(ino))).size;
    return appends ? ChangeAhead{} : kContents;
}

Result<std::size_t> UnionFs::write(Ino ino, base::ByteView data, std::uint64_t offset,
                                   KillPrivileges kill_privileges) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    ChangeAhead const ahead = OBLEA_TRY(fs.write_ahead(ino, offset));
    OBLEA_TRY(fs.ensure_upper(ino, ahead));
    if (kill_privileges == KillPrivileges::yes) {
        OBLEA_TRY(fs.drop_privileges(ino));
    }
    return fs.write_contents(ino, data, offset);
}

Status UnionFs::fsync(Ino ino, DataOnly data_only) {
    Impl& fs = *impl_;
    auto const node = fs.nodes.find(ino);
    if (!node.has_value() || !is_in_upper(node->state) || fs.options.durable == Durable::no) {
        return {};  // the image is on disk
    }
    SharedFd const fd = OBLEA_TRY(fs.file_fd(ino));
    if (SharedPartial const part = OBLEA_TRY(fs.partial_of(ino))) {
        return fs.sync_partial(ino, *part, fd->get());
    }
    // The program's file had its name all along, so its data must not be lost with the name that
    // the copy got just now: fdatasync(2) leaves that out.
    bool const name_too = data_only == DataOnly::no || is_lower_number(ino);
    return name_too ? sys::fsync(fd->get()) : sys::fdatasync(fd->get());
}

Result<std::uint64_t> UnionFs::seek(Ino ino, std::uint64_t offset, int whence) {
    Impl& fs = *impl_;
    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
        return fail(Errno::einval, "lseek");
    }
    auto const what = whence == SEEK_DATA ? LowerTree::Seek::data : LowerTree::Seek::hole;
    auto const node = fs.nodes.find(ino);
    if (node.has_value() && is_in_upper(node->state)) {
        SharedFd const fd = OBLEA_TRY(fs.file_fd(ino));
        if (SharedPartial const part = OBLEA_TRY(fs.partial_of(ino))) {
            return fs.seek_partial(*part, fd->get(), offset, what);
        }
        // The descriptor's position is shared, but SEEK_DATA and SEEK_HOLE do not depend on it, and
        // pread ignores it.
        return sys::lseek(fd->get(), offset, whence);
    }
    return fs.lower->seek(lower_of(ino), offset, what);
}

Result<std::uint64_t> UnionFs::copy_range(Ino source, std::uint64_t source_offset, Ino target,
                                          std::uint64_t target_offset, std::uint64_t length) {
    Impl& fs = *impl_;
    OBLEA_TRY(fs.need_upper());
    OBLEA_TRY(fs.ensure_upper(target, kContents));
    std::vector<std::byte> buffer;
    // One step of it; 0: the source has ended.
    auto const copy_from = [&](std::uint64_t at) -> Result<std::uint64_t> {
        if (is_settled(source) && is_settled(target)) {
            SharedFd const from = OBLEA_TRY(fs.file_fd(source));
            SharedFd const to = OBLEA_TRY(fs.file_fd(target));
            std::uint64_t const count = OBLEA_TRY(sys::copy_in_kernel(
                from->get(), source_offset + at, to->get(), target_offset + at, length - at));
            if (count > 0) {
                return count;
            }
        }
        buffer.resize(std::min<std::uint64_t>(length - at, std::uint64_t{1} << 20U));
        ReadResult const read = OBLEA_TRY(this->read(source, buffer, source_offset + at));
        base::ByteView const bytes = read.bytes(buffer);
        return bytes.empty() ? Result<std::size_t>{std::size_t{0}}
                             : fs.write_contents(target, bytes, target_offset + at);
    };
    std::uint64_t done = 0;
    while (done < length) {
        auto const count = copy_from(done);
        if (!count.has_value() && done == 0) {
            return count;
        }
        if (!count.has_value() || *count == 0) {
            break;
        }
        done += *count;
    }
    return done;
}

Result<std::string> UnionFs::readlink(Ino ino) {
    Impl& fs = *impl_;
    if (OBLEA_TRY(fs.type_of(ino)) != FileType::symlink) {
        return fail(Errno::einval, "readlink");
    }
    // The target of a link never changes: which layer has it does not matter.
    if (is_lower_number(ino)) {
        return fs.lower->symlink_target(lower_of(ino));
    }
    Node node;
    OBLEA_TRY(fs.stat_node(ino, node));
    Located const at = OBLEA_TRY(fs.locate(node));
    return sys::readlinkat(at.folder->get(), at.name.c_str());
}

Result<StatFs> UnionFs::statfs() {
    Impl& fs = *impl_;
    StatFs result;
    if (fs.upper == nullptr) {
        result.files = fs.lower->inode_count();
        return result;
    }
    struct statfs const info = OBLEA_TRY(sys::fstatfs(fs.root_fd->get()));
    result.block_bytes = static_cast<std::uint64_t>(info.f_bsize);
    result.blocks = info.f_blocks;
    result.blocks_free = info.f_bfree;
    result.blocks_available = info.f_bavail;
    result.files = info.f_files;
    result.files_free = info.f_ffree;
    result.name_bytes_max = static_cast<std::uint32_t>(info.f_namelen);
    return result;
}

}  // namespace oblea::fs
