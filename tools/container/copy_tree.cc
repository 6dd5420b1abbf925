// SPDX-License-Identifier: MIT
#include "tools/container/copy_tree.h"

#include "store/base/buffer_bytes.h"
#include "store/base/sys.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <cstring>
#include <memory>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

struct ReadEnd {
    void operator()(archive* reader) const { ::archive_read_free(reader); }
};
struct WriteEnd {
    void operator()(archive* writer) const { ::archive_write_free(writer); }
};
using Reader = std::unique_ptr<archive, ReadEnd>;
using Writer = std::unique_ptr<archive, WriteEnd>;

// libarchive pulls through this.
struct Pulled {
    base::ByteSource* source;
    std::vector<std::byte> buffer;
    std::optional<Error> error;
};

la_ssize_t pull(archive*, void* client, void const** data) {
    auto& pulled = *static_cast<Pulled*>(client);
    auto const count = pulled.source->read(pulled.buffer);
    if (!count.has_value()) {
        pulled.error = count.error();
        return -1;
    }
    *data = pulled.buffer.data();
    return static_cast<la_ssize_t>(*count);
}

Error error_of(archive* from, std::optional<Error> const& cause) {
    if (cause.has_value()) {
        return *cause;
    }
    int const code = ::archive_errno(from);
    char const* text = ::archive_error_string(from);
    return {code > 0 ? Errno{code} : Errno::einval, "",
            text != nullptr ? std::string{text} : "no tar"};
}

// "top/rest" with another top.
std::string renamed(std::string path, std::string const& top) {
    while (path.starts_with("./")) {
        path.erase(0, 2);
    }
    if (top.empty()) {
        return path;
    }
    auto const slash = path.find('/');
    return slash == std::string::npos ? top : top + path.substr(slash);
}

Status copy_contents(archive* reader, archive* writer, Pulled const& pulled) {
    for (;;) {
        void const* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        int const read = ::archive_read_data_block(reader, &block, &size, &offset);
        if (read == ARCHIVE_EOF) {
            return {};
        }
        if (read < ARCHIVE_WARN) {
            return std::unexpected<Error>(error_of(reader, pulled.error));
        }
        if (::archive_write_data_block(writer, block, size, offset) < ARCHIVE_WARN) {
            return std::unexpected<Error>(error_of(writer, {}));
        }
    }
}

// A header, and the contents in whole blocks. Times to the nanosecond, which docker does not copy,
// do not count.
std::uint64_t tar_bytes_of(archive_entry* entry) {
    constexpr std::uint64_t kBlock = 512;
    bool const has_contents =
        ::archive_entry_filetype(entry) == AE_IFREG && ::archive_entry_hardlink(entry) == nullptr;
    auto const size =
        has_contents ? static_cast<std::uint64_t>(::archive_entry_size(entry)) : std::uint64_t{0};
    return kBlock + (size + kBlock - 1) / kBlock * kBlock;
}

// A folder stays one, and only a folder does: libarchive would put the one in the other's place.
Status check_kind(int target, std::string path, bool is_folder) {
    while (path.ends_with('/')) {
        path.pop_back();
    }
    struct stat there{};
    if (::fstatat(target, path.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISDIR(there.st_mode) == is_folder) {
        return {};
    }
    return is_folder ? fail(Errno::enotdir, "",
                            "cannot overwrite non-directory \"" + path + "\" with directory")
                     : fail(Errno::eisdir, "",
                            "cannot overwrite directory \"" + path + "\" with non-directory");
}

Result<std::uint64_t> unpack_entries(archive* reader, archive* writer, Pulled const& pulled,
                                     UnpackWish const& wish) {
    constexpr std::uint64_t kTarEnd = 1024;
    std::uint64_t bytes = kTarEnd;
    for (;;) {
        archive_entry* entry = nullptr;
        int const next = ::archive_read_next_header(reader, &entry);
        if (next == ARCHIVE_EOF) {
            if (::archive_write_close(writer) < ARCHIVE_WARN) {
                return std::unexpected<Error>(error_of(writer, {}));
            }
            return bytes;
        }
        if (next < ARCHIVE_WARN) {
            return std::unexpected<Error>(error_of(reader, pulled.error));
        }
        bytes += tar_bytes_of(entry);
        std::string const path = renamed(::archive_entry_pathname(entry), wish.rename);
        if (path.empty() || path == ".") {
            continue;  // the target itself
        }
        bool const is_folder = ::archive_entry_filetype(entry) == AE_IFDIR;
        OBLEA_TRY(check_kind(wish.target, path, is_folder));
        ::archive_entry_set_pathname(entry, path.c_str());
        if (char const* link = ::archive_entry_hardlink(entry)) {
            ::archive_entry_set_hardlink(entry, renamed(link, wish.rename).c_str());
        }
        if (::archive_write_header(writer, entry) < ARCHIVE_WARN) {
            return with_context(Result<std::uint64_t>{std::unexpected<Error>(error_of(writer, {}))},
                                [&] { return path; });
        }
        OBLEA_TRY(with_context(copy_contents(reader, writer, pulled), [&] { return path; }));
        if (::archive_write_finish_entry(writer) < ARCHIVE_WARN) {
            return with_context(Result<std::uint64_t>{std::unexpected<Error>(error_of(writer, {}))},
                                [&] { return path; });
        }
    }
}

}  // namespace

Result<std::uint64_t> unpack_tar(base::ByteSource& tar, UnpackWish const& wish) {
    // libarchive knows no folders but the working one; the secure options hold it there.
    if (::fchdir(wish.target) != 0) {
        return fail(sys::last_errno(), "fchdir");
    }
    Reader const reader{::archive_read_new()};
    Writer const writer{::archive_write_disk_new()};
    Pulled pulled{
        .source = &tar, .buffer = std::vector<std::byte>(base::kBufferBytes), .error = {}};
    ::archive_read_support_format_tar(reader.get());
    ::archive_read_support_filter_all(reader.get());
    int options = ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_XATTR |
                  ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                  ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS |
                  ARCHIVE_EXTRACT_SPARSE;
    if (wish.owners == UnpackWish::Owners::kept) {
        options |= ARCHIVE_EXTRACT_OWNER;
    }
    ::archive_write_disk_set_options(writer.get(), options);
    if (::archive_read_open(reader.get(), &pulled, nullptr, pull, nullptr) != ARCHIVE_OK) {
        return std::unexpected<Error>(error_of(reader.get(), pulled.error));
    }
    return unpack_entries(reader.get(), writer.get(), pulled, wish);
}

std::unique_ptr<store::FolderTar> tar_of(UniqueFd folder, std::string const& name,
                                         store::FolderTarOptions options) {
    if (name == ".") {
        return std::make_unique<store::FolderTar>(std::move(folder), options);
    }
    std::vector<store::TarStep> steps;
    if (auto path = base::RelPath::parse(name); path.has_value()) {
        steps.push_back({.path = *std::move(path), .kind = store::TarStep::Kind::tree});
    }
    return std::make_unique<store::FolderTar>(std::move(folder), std::move(steps), options);
}

CopyEnd parse_copy_end(std::string_view typed) {
    auto const colon = typed.find(':');
    if (typed.empty() || typed.front() == '/' || typed.front() == '.' ||
        colon == std::string_view::npos) {
        return {.container = {}, .path = std::string{typed}};
    }
    return {.container = std::string{typed.substr(0, colon)},
            .path = std::string{typed.substr(colon + 1)}};
}

Result<CopyPlan> plan_copy(CopySource const& source, CopyTarget const& target) {
    using SourceKind = CopySource::Kind;
    using TargetKind = CopyTarget::Kind;
    using Into = CopyPlan::Into;
    switch (target.kind) {
    case TargetKind::folder:
        return CopyPlan{.into = Into::target, .rename = {}};
    case TargetKind::file:
        if (source.kind != SourceKind::file) {
            return fail(Errno::enotdir, "", "cannot copy directory");
        }
        if (target.slash) {
            return fail(Errno::enotdir, "", "not a directory");
        }
        return CopyPlan{.into = Into::parent, .rename = target.name};
    case TargetKind::missing:
        break;
    }
    if (source.kind == SourceKind::contents) {
        return CopyPlan{.into = Into::new_folder, .rename = target.name};
    }
    if (source.kind == SourceKind::file && target.slash) {
        return fail(Errno::enoent, "", "no such directory");
    }
    return CopyPlan{.into = Into::parent, .rename = target.name};
}

}  // namespace oblea::tools
