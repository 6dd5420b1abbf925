// SPDX-License-Identifier: MIT
#include "tools/registry/copy/new_archive.h"

#include "store/base/sys.h"
#include "store/image/tar_encode.h"
#include "store/layer/layout.h"

#include <unistd.h>

#include <utility>

namespace oblea::registry {

namespace sys = base::sys;

namespace {

store::TarMemberHeader file_header(std::string const& name, std::uint64_t bytes) {
    store::TarMemberHeader member;
    member.path = name;
    member.permissions = store::layout::kSharedFileMode;
    member.size = bytes;
    return member;
}

}  // namespace

Result<NewArchive> NewArchive::create(std::string path, Existing existing) {
    auto const named = [&] { return path; };
    auto const there = OBLEA_TRY(with_context(sys::stat_if_exists(AT_FDCWD, path.c_str()), named));
    if (there.has_value() && (existing == Existing::refuse || !S_ISREG(there->st_mode))) {
        return fail(Errno::eexist, "",
                    path + " is there already; docker archives are not added to");
    }
    std::string temporary = path + ".new." + std::to_string(::getpid());
    base::UniqueFd file =
        OBLEA_TRY(with_context(sys::openat(AT_FDCWD, temporary.c_str(), O_RDWR | O_CREAT | O_EXCL,
                                           store::layout::kSharedFileMode),
                               named));
    return NewArchive{std::move(file), std::move(path), std::move(temporary), existing};
}

NewArchive::NewArchive(NewArchive&& other) noexcept
    : file_(std::move(other.file_)), path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})), existing_(other.existing_),
      end_(other.end_) {}

NewArchive::~NewArchive() {
    if (!temporary_.empty()) {
        static_cast<void>(sys::unlink_if_exists(AT_FDCWD, temporary_.c_str()));
    }
}

Status NewArchive::write(std::uint64_t offset, base::ByteView data) const {
    return with_context(sys::pwrite_all(file_.get(), data, offset), [&] { return path_; });
}

// The gap reads as zeros, which is what belongs there.
void NewArchive::pass(std::uint64_t bytes) {
    end_ += bytes + store::tar_padding(bytes);
}

Result<std::uint64_t> NewArchive::reserve(std::string const& name, std::uint64_t bytes) {
    std::string const header = OBLEA_TRY(store::encode_tar_header(file_header(name, bytes)));
    OBLEA_TRY(write(end_, base::bytes_of(std::string_view{header})));
    std::uint64_t const contents = end_ + header.size();
    end_ = contents;
    pass(bytes);
    return contents;
}

Status NewArchive::folder(std::string const& name) {
    store::TarMemberHeader member;
    member.path = name;
    member.type = store::FileType::directory;
    member.permissions = store::layout::kSharedFolderMode;
    std::string const header = OBLEA_TRY(store::encode_tar_header(member));
    OBLEA_TRY(write(end_, base::bytes_of(std::string_view{header})));
    end_ += header.size();
    return {};
}

Status NewArchive::document(std::string const& name, std::string_view text) {
    std::uint64_t const offset = OBLEA_TRY(reserve(name, text.size()));
    return write(offset, base::bytes_of(text));
}

std::uint64_t NewArchive::begin_open() const {
    return end_ + store::kTarBlockBytes;
}

Status NewArchive::end_open(std::string const& name, std::uint64_t bytes) {
    std::string const header = OBLEA_TRY(store::encode_tar_header(file_header(name, bytes)));
    if (header.size() != store::kTarBlockBytes) {
        return fail(Errno::efbig, "",
                    path_ + ": " + name + " is larger than 8 GiB; write an oci-archive instead");
    }
    OBLEA_TRY(write(end_, base::bytes_of(std::string_view{header})));
    end_ += header.size();
    pass(bytes);
    return {};
}

Status NewArchive::finish() {
    std::string const end = store::tar_end();
    OBLEA_TRY(write(end_, base::bytes_of(std::string_view{end})));
    auto const named = [&] { return path_; };
    OBLEA_TRY(with_context(sys::fsync(file_.get()), named));
    unsigned const flags = existing_ == Existing::refuse ? RENAME_NOREPLACE : 0;
    OBLEA_TRY(with_context(
        sys::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), flags), named));
    temporary_.clear();
    return {};
}

}  // namespace oblea::registry
