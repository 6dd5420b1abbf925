// SPDX-License-Identifier: MIT
#include "store/image/folder_tar.h"

#include "store/base/absence.h"
#include "store/base/sys.h"
#include "store/image/tar_encode.h"
#include "store/index/file_mode.h"

#include <linux/openat2.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>

namespace oblea::store {

namespace sys = base::sys;
using base::MutableBytes;
using base::UniqueFd;

namespace {

// Nullopt: a socket, which no tar holds.
std::optional<FileType> type_of(mode_t mode) {
    return S_ISSOCK(mode) ? std::nullopt : std::optional{type_of_mode(mode)};
}

bool is_of_this_machine(std::string_view xattr) {
    return xattr == "security.selinux" || xattr.starts_with("trusted.overlay.");
}

// Where the data of a file is; empty for a file without holes.
Result<std::vector<TarPiece>> find_pieces(int fd, std::uint64_t size) {
    std::vector<TarPiece> pieces;
    std::uint64_t position = 0;
    while (position < size) {
        off_t const data = ::lseek(fd, static_cast<off_t>(position), SEEK_DATA);
        if (data < 0 && sys::last_errno() == Errno{ENXIO}) {
            break;  // a hole to the end
        }
        if (data < 0) {
            return fail(sys::last_errno(), "lseek");
        }
        off_t const hole = ::lseek(fd, data, SEEK_HOLE);
        if (hole < 0) {
            return fail(sys::last_errno(), "lseek");
        }
        auto const end = std::min(static_cast<std::uint64_t>(hole), size);
        pieces.push_back(
            {static_cast<std::uint64_t>(data), end - static_cast<std::uint64_t>(data)});
        position = end;
    }
    if (pieces.size() == 1 && pieces.front().bytes == size) {
        pieces.clear();
    } else if (size > 0 && (pieces.empty() || pieces.back().offset + pieces.back().bytes < size)) {
        pieces.push_back({size, 0});  // as GNU tar ends the map of a file that ends in a hole
    }
    return pieces;
}

}  // namespace

struct FolderTar::Impl {
    // A folder that is being gone through.
    struct Level {
        UniqueFd folder;
        std::string path;
        std::vector<std::string> names;  // sorted backwards: the next one is at the end
    };
    // A file whose contents are being read.
    struct OpenFile {
        UniqueFd file;
        std::string path;
        std::deque<TarPiece> rest;
        std::uint64_t bytes = 0;
    };

    enum class Depth { this_one, all };

    UniqueFd root;
    FolderTarOptions options;
    std::deque<TarStep> steps;
    enum class Names { all, of_a_layer } names_allowed = Names::all;
    std::optional<TarOwner> owner;  // of the step that is under way
    dev_t device = 0;
    enum class State { fresh, running, ended } state = State::fresh;
    std::vector<Level> levels;
    std::optional<OpenFile> open_file;
    std::map<std::pair<dev_t, ino_t>, std::string> first_names;
    std::string pending;  // produced, and not yet taken from `taken` on
    std::size_t taken = 0;

    [[nodiscard]] bool is_included(dev_t found) const {
        return found == device || options.mounted == FolderTarOptions::Mounted::included;
    }

    // Produces more, or ends.
    Status advance() {
        pending.clear();
        taken = 0;
        if (state == State::fresh) {
            state = State::running;
            device = OBLEA_TRY(sys::fstat(root.get())).st_dev;
        }
        if (levels.empty()) {
            return next_step();
        }
        Level& level = levels.back();
        if (level.names.empty()) {
            levels.pop_back();
            return {};
        }
        std::string const name = std::move(level.names.back());
        level.names.pop_back();
        std::string const path = level.path.empty() ? name : level.path + '/' + name;
        return with_context(add(level.folder.get(), name, path, Depth::all), [&] { return path; });
    }

    Status next_step() {
        if (steps.empty()) {
            pending = tar_end();
            state = State::ended;
            return {};
        }
        TarStep const step = std::move(steps.front());
        steps.pop_front();
        owner = step.owner.has_value() ? step.owner : options.owner;
        auto done = carry_out(step);
        owner = options.owner;
        return with_context(std::move(done), [&] { return step.path.string(); });
    }

    Status carry_out(TarStep const& step) {
        switch (step.kind) {
        case TarStep::Kind::whiteout:
            OBLEA_TRY(check_name(std::string{step.path.filename()}));
            return add_mark(step.path.parent(), ".wh." + std::string{step.path.filename()});
        case TarStep::Kind::opaque_tree:
            OBLEA_TRY(add_from_root(step.path, Depth::all));
            // When the folder is gone so is the mark.
            return levels.empty() ? Status{} : add_mark(step.path, ".wh..wh..opq");
        case TarStep::Kind::member:
            return add_from_root(step.path, Depth::this_one);
        case TarStep::Kind::tree:
            return add_from_root(step.path, Depth::all);
        }
        return {};
    }

    Status add_from_root(RelPath const& path, Depth depth) {
        if (path.is_root()) {
            return add_root(depth);
        }
        auto const parent = sys::openat2(root.get(), path.parent().c_str(), O_PATH | O_DIRECTORY,
                                         RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (!parent.has_value()) {
            return base::is_absent(parent.error().code)
                       ? Status{}
                       : Status{std::unexpected<Error>(parent.error())};
        }
        return add(parent->get(), std::string{path.filename()}, path.string(), depth);
    }

    // An empty file that says something of the layers below.
    Status add_mark(RelPath const& folder, std::string const& name) {
        TarMemberHeader header;
        header.path = folder.is_root() ? name : folder.string() + '/' + name;
        header.permissions = 0600;
        pending += OBLEA_TRY(encode_tar_header(header));
        return {};
    }

    [[nodiscard]] Status check_name(std::string const& name) const {
        if (names_allowed == Names::of_a_layer && name.starts_with(".wh.")) {
            return fail(Errno::einval, "",
                        "a layer cannot hold a file whose name begins with .wh.: rename it");
        }
        return {};
    }

    Status add_root(Depth depth) {
        struct stat const info = OBLEA_TRY(sys::fstat(root.get()));
        TarMemberHeader header = header_of(info, FileType::directory, ".");
        header.xattrs = OBLEA_TRY(xattrs_of(root.get()));
        pending = OBLEA_TRY(encode_tar_header(header));
        UniqueFd folder = OBLEA_TRY(sys::openat(root.get(), ".", O_RDONLY | O_DIRECTORY));
        return depth == Depth::all ? enter(std::move(folder), "") : Status{};
    }

    Status enter(UniqueFd folder, std::string path) {
        Level level{std::move(folder), std::move(path), {}};
        for (sys::DirEntry& entry : OBLEA_TRY(sys::list_dir(level.folder.get()))) {
            level.names.push_back(std::move(entry.name));
        }
        std::ranges::sort(level.names, std::greater<>{});
        levels.push_back(std::move(level));
        return {};
    }

    [[nodiscard]] TarMemberHeader header_of(struct stat const& info, FileType type,
                                            std::string path) const {
        TarMemberHeader header;
        header.path = std::move(path);
        header.type = type;
        header.permissions = info.st_mode & 07777U;
        header.uid = owner.has_value() ? owner->uid : info.st_uid;
        header.gid = owner.has_value() ? owner->gid : info.st_gid;
        header.size = type == FileType::regular ? static_cast<std::uint64_t>(info.st_size) : 0;
        header.mtime = {info.st_mtim.tv_sec, static_cast<std::uint32_t>(info.st_mtim.tv_nsec)};
        if (options.latest.has_value() && header.mtime > Timestamp{*options.latest, 0}) {
            header.mtime = {*options.latest, 0};
        }
        header.device = {major(info.st_rdev), minor(info.st_rdev)};
        return header;
    }

    // `list` and `get` are those of a descriptor or of a path.
    template <typename List, typename Get>
    static Result<Xattrs> read_xattrs(List&& list, Get&& get) {
        Xattrs xattrs;
        auto names = list();
        if (!names.has_value() && names.error().code == Errno::eopnotsupp) {
            return xattrs;
        }
        for (std::string& name : OBLEA_TRY(std::move(names))) {
            if (is_of_this_machine(name)) {
                continue;
            }
            auto value = OBLEA_TRY(get(name.c_str()));
            if (value.has_value()) {
                xattrs.emplace_back(std::move(name), *std::move(value));
            }
        }
        std::ranges::sort(xattrs);
        return xattrs;
    }

    static Result<Xattrs> xattrs_of(int fd) {
        return read_xattrs([&] { return sys::flistxattr(fd); },
                           [&](char const* name) { return sys::fgetxattr(fd, name); });
    }

    // Of what cannot be opened without effect: links and special files.
    static Result<Xattrs> xattrs_of(int folder, std::string const& name) {
        std::string const path = sys::proc_path(folder) + '/' + name;
        return read_xattrs([&] { return sys::llistxattr(path); },
                           [&](char const* key) { return sys::lgetxattr(path, key); });
    }

    Status add(int folder, std::string const& name, std::string const& path, Depth depth) {
        OBLEA_TRY(check_name(name));
        auto const info = OBLEA_TRY(sys::stat_if_exists(folder, name.c_str()));
        auto const type = info.has_value() ? type_of(info->st_mode) : std::nullopt;
        if (!type.has_value()) {
            return {};
        }
        TarMemberHeader header = header_of(*info, *type, path);
        if (*type != FileType::directory && info->st_nlink > 1) {
            auto const [first, added] = first_names.try_emplace({info->st_dev, info->st_ino}, path);
            if (!added) {
                header.link = TarMemberHeader::Link::hard;
                header.link_target = first->second;
                header.size = 0;
                pending = OBLEA_TRY(encode_tar_header(header));
                return {};
            }
        }
        if (*type == FileType::symlink) {
            header.link_target = OBLEA_TRY(sys::readlinkat(folder, name.c_str()));
        }
        if (*type == FileType::directory) {
            return add_folder(folder, name, std::move(header),
                              is_included(info->st_dev) ? depth : Depth::this_one);
        }
        if (*type == FileType::regular) {
            return add_file(folder, name, std::move(header));
        }
        header.xattrs = OBLEA_TRY(xattrs_of(folder, name));
        pending = OBLEA_TRY(encode_tar_header(header));
        return {};
    }

    Status add_folder(int folder, std::string const& name, TarMemberHeader header, Depth depth) {
        UniqueFd opened =
            OBLEA_TRY(sys::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        header.xattrs = OBLEA_TRY(xattrs_of(opened.get()));
        pending = OBLEA_TRY(encode_tar_header(header));
        return depth == Depth::all ? enter(std::move(opened), header.path) : Status{};
    }

    Status add_file(int folder, std::string const& name, TarMemberHeader header) {
        UniqueFd file =
            OBLEA_TRY(sys::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        struct stat const info = OBLEA_TRY(sys::fstat(file.get()));
        header.size = static_cast<std::uint64_t>(info.st_size);
        header.xattrs = OBLEA_TRY(xattrs_of(file.get()));
        if (static_cast<std::uint64_t>(info.st_blocks) * 512 < header.size) {
            header.pieces = OBLEA_TRY(find_pieces(file.get(), header.size));
        }
        pending = OBLEA_TRY(encode_tar_header(header));
        OpenFile next{std::move(file), header.path, {}, stored_bytes(header)};
        if (header.pieces.empty()) {
            next.rest.push_back({0, header.size});
        } else {
            next.rest.assign(header.pieces.begin(), header.pieces.end());
        }
        open_file = std::move(next);
        return {};
    }

    // Straight into the reader's buffer.
    Result<std::size_t> read_file(OpenFile& file, MutableBytes buffer) {
        while (!file.rest.empty() && file.rest.front().bytes == 0) {
            file.rest.pop_front();
        }
        if (file.rest.empty()) {
            pending.assign(tar_padding(file.bytes), '\0');
            taken = 0;
            open_file.reset();
            return std::size_t{0};
        }
        TarPiece& piece = file.rest.front();
        auto const room =
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), piece.bytes));
        std::size_t const count =
            OBLEA_TRY(sys::pread_full(file.file.get(), buffer.first(room), piece.offset));
        if (count < room) {
            return fail(Errno::eio, "", file.path + " became shorter while it was read");
        }
        piece.offset += count;
        piece.bytes -= count;
        return count;
    }
};

FolderTar::FolderTar(UniqueFd folder, FolderTarOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->root = std::move(folder);
    impl_->options = options;
    impl_->steps.push_back({.path = {}, .kind = TarStep::Kind::tree});
}

FolderTar::FolderTar(UniqueFd folder, std::vector<TarStep> steps, FolderTarOptions options)
    : impl_(std::make_unique<Impl>()) {
    impl_->root = std::move(folder);
    impl_->options = options;
    impl_->steps.assign(std::make_move_iterator(steps.begin()),
                        std::make_move_iterator(steps.end()));
    impl_->names_allowed = Impl::Names::of_a_layer;
}

FolderTar::~FolderTar() = default;

Result<std::size_t> FolderTar::read(MutableBytes buffer) {
    for (;;) {
        Impl& impl = *impl_;
        if (impl.taken < impl.pending.size()) {
            auto const rest = base::bytes_of(std::string_view{impl.pending}.substr(impl.taken));
            std::size_t const count = std::min(rest.size(), buffer.size());
            std::ranges::copy(rest.first(count), buffer.begin());
            impl.taken += count;
            return count;
        }
        if (impl.state == Impl::State::ended) {
            return std::size_t{0};
        }
        if (!impl.open_file.has_value()) {
            OBLEA_TRY(impl.advance());
            continue;
        }
        std::size_t const count = OBLEA_TRY(impl.read_file(*impl.open_file, buffer));
        if (count > 0) {
            return count;
        }
    }
}

}  // namespace oblea::store
