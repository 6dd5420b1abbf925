// SPDX-License-Identifier: MIT
#include "store/image/image_files.h"

#include "store/base/absence.h"
#include "store/base/checked.h"
#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/image/archive_reader.h"

#include <fmt/format.h>
#include <linux/openat2.h>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

constexpr std::size_t kLinksMax = 16;

// A source that owns the descriptor it reads.
class OwnedFileSource final : public base::ByteSource {
public:
    OwnedFileSource(UniqueFd file, std::uint64_t bytes)
        : file_(std::move(file)), range_(file_.get(), 0, bytes) {}
    Result<std::size_t> read(base::MutableBytes buffer) override { return range_.read(buffer); }

private:
    UniqueFd file_;
    base::FileRangeSource range_;
};

class FolderFiles final : public SeekableFiles {
public:
    explicit FolderFiles(UniqueFd folder) : folder_(std::move(folder)) {}

    [[nodiscard]] Result<std::optional<std::string>>
    resolve(std::string const& name) const override {
        auto const opened = open_beneath(name, O_PATH);
        if (!opened.has_value()) {
            if (base::is_absent(opened.error().code)) {
                return std::optional<std::string>{};
            }
            return std::unexpected<Error>(with_context(opened.error(), name));
        }
        struct stat const info = OBLEA_TRY(sys::fstat(opened->get()));
        return S_ISREG(info.st_mode) ? std::optional{name} : std::nullopt;
    }

    [[nodiscard]] Result<File> open(std::string const& name) const override {
        // Not blocking, for it may have become a pipe since it was resolved.
        UniqueFd file = OBLEA_TRY(
            with_context(open_beneath(name, O_RDONLY | O_NONBLOCK), [&] { return name; }));
        struct stat const info = OBLEA_TRY(sys::fstat(file.get()));
        if (!S_ISREG(info.st_mode)) {
            return fail(Errno::einval, "", name + " is not a file");
        }
        auto const bytes = static_cast<std::uint64_t>(info.st_size);
        return File{std::make_unique<OwnedFileSource>(std::move(file), bytes), bytes};
    }

private:
    [[nodiscard]] Result<UniqueFd> open_beneath(std::string const& name, int flags) const {
        return sys::openat2(folder_.get(), name.c_str(), static_cast<std::uint64_t>(flags),
                            RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    }

    UniqueFd folder_;
};

class TarFiles final : public SeekableFiles {
public:
    explicit TarFiles(int fd) : fd_(fd) {}

    Status scan() {
        auto const file_bytes = static_cast<std::uint64_t>(OBLEA_TRY(sys::fstat(fd_)).st_size);
        ArchiveReader archive =
            OBLEA_TRY(ArchiveReader::open_file(fd_, ArchiveReader::Format::tar));
        for (;;) {
            auto const entry = OBLEA_TRY(archive.next());
            if (!entry.has_value()) {
                return {};
            }
            if (members_.size() >= limits::kArchiveMembersMax) {
                return fail(Errno::e2big, "",
                            fmt::format("more than {} members; as a root file system it can be "
                                        "imported by --as rootfs",
                                        limits::kArchiveMembersMax));
            }
            OBLEA_TRY(add(*entry, archive.content_offset(), file_bytes));
        }
    }

    [[nodiscard]] Result<std::optional<std::string>>
    resolve(std::string const& name) const override {
        std::string end = OBLEA_TRY(links_.follow(name));
        return members_.contains(end) ? std::optional{std::move(end)} : std::nullopt;
    }

    [[nodiscard]] Result<File> open(std::string const& name) const override {
        auto const at = members_.find(name);
        if (at == members_.end()) {
            return fail(Errno::enoent, "", name + " is not in the archive");
        }
        Member const& member = at->second;
        if (member.layout == ArchiveEntry::Layout::sparse) {
            return fail(Errno::eopnotsupp, "",
                        name + " is stored as a sparse member; pipe the archive instead: "
                               "oblea import - < FILE");
        }
        return File{std::make_unique<base::FileRangeSource>(fd_, member.offset, member.bytes),
                    member.bytes};
    }

private:
    struct Member {
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
        ArchiveEntry::Layout layout = ArchiveEntry::Layout::plain;
    };

    Status add(ArchiveEntry const& entry, std::uint64_t offset, std::uint64_t file_bytes) {
        std::string const name = OBLEA_TRY(links_.take(entry));
        members_.erase(name);
        if (entry.type == FileType::regular && entry.hard_link_target.empty()) {
            std::uint64_t const bytes = entry.size.value_or(0);
            if (entry.layout == ArchiveEntry::Layout::plain &&
                !base::range_fits(offset, bytes, file_bytes)) {
                return fail(Errno::einval, "",
                            fmt::format("the archive is truncated: {} would end at byte {} of {}",
                                        name,
                                        static_cast<double>(offset) + static_cast<double>(bytes),
                                        file_bytes));
            }
            members_[name] = {offset, bytes, entry.layout};
        }
        return {};
    }

    int fd_;
    std::map<std::string, Member> members_;
    MemberLinks links_;
};

// The target of a symlink at `name`, as a member's name.
Result<std::string> symlink_target(std::string const& name, std::string_view target) {
    std::vector<std::string_view> parts;
    auto const append = [&](std::string_view path) {
        while (!path.empty()) {
            auto const slash = path.find('/');
            std::string_view const part = path.substr(0, slash);
            path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
            if (part == ".." && parts.empty()) {
                return false;
            }
            if (part == "..") {
                parts.pop_back();
            } else if (!part.empty() && part != ".") {
                parts.push_back(part);
            }
        }
        return true;
    };
    auto const slash = name.rfind('/');
    std::string const parent = slash == std::string::npos ? "" : name.substr(0, slash);
    if (target.starts_with('/') || !append(parent) || !append(target)) {
        return fail(Errno::einval, "",
                    fmt::format("the link {} -> {} leads out of the archive", name, target));
    }
    return fmt::format("{}", fmt::join(parts, "/"));
}

}  // namespace

Result<std::optional<std::string>> SeekableFiles::read(std::string const& name,
                                                       std::size_t limit_bytes) const {
    auto const resolved = OBLEA_TRY(resolve(name));
    if (!resolved.has_value()) {
        return std::optional<std::string>{};
    }
    File const file = OBLEA_TRY(open(*resolved));
    if (file.bytes > limit_bytes) {
        return fail(Errno::e2big, "",
                    fmt::format("{}: {} bytes are more than the {} allowed", name, file.bytes,
                                limit_bytes));
    }
    base::Bytes bytes(static_cast<std::size_t>(file.bytes));
    std::size_t const count = OBLEA_TRY(base::read_full(*file.source, bytes));
    return std::optional{std::string{base::text_of(bytes).substr(0, count)}};
}

Result<std::string> MemberLinks::take(ArchiveEntry const& entry) {
    auto const path = RelPath::parse(entry.path);
    if (!path.has_value()) {
        return fail(Errno::einval, "", "member \"" + entry.path + "\": " + path.error().detail);
    }
    std::string name = path->string();
    targets_.erase(name);
    if (!entry.hard_link_target.empty()) {
        targets_[name] = OBLEA_TRY(RelPath::parse(entry.hard_link_target)).string();
    } else if (entry.type == FileType::symlink) {
        targets_[name] = OBLEA_TRY(symlink_target(name, entry.symlink_target));
    }
    return name;
}

Result<std::string> MemberLinks::follow(std::string name) const {
    for (std::size_t i = 0; i < kLinksMax; ++i) {
        auto const at = targets_.find(name);
        if (at == targets_.end()) {
            return name;
        }
        name = at->second;
    }
    return fail(Errno::eloop, "", "the links of " + name + " lead in a circle");
}

Result<std::unique_ptr<SeekableFiles>> open_folder_files(std::string const& path) {
    UniqueFd folder = OBLEA_TRY(sys::open(path, O_RDONLY | O_DIRECTORY));
    return std::unique_ptr<SeekableFiles>{std::make_unique<FolderFiles>(std::move(folder))};
}

Result<std::unique_ptr<SeekableFiles>> open_tar_files(int fd) {
    auto files = std::make_unique<TarFiles>(fd);
    OBLEA_TRY(files->scan());
    return std::unique_ptr<SeekableFiles>{std::move(files)};
}

}  // namespace oblea::store
