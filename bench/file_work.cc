// SPDX-License-Identifier: MIT
#include "bench/file_work.h"

#include "store/base/sys.h"

#include <dirent.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>

namespace oblea::bench {
namespace {

namespace sys = base::sys;

Result<base::UniqueFd> open_folder(std::string const& path) {
    return sys::open(path, O_RDONLY | O_DIRECTORY);
}

// Calls `each` with the open root and every path.
template <typename F>
Status for_all(std::string const& root, Paths const& paths, F const& each) {
    auto const folder = OBLEA_TRY(open_folder(root));
    for (std::string const& path : paths) {
        OBLEA_TRY(each(folder.get(), path));
    }
    return {};
}

Status read_to_end(int file, base::MutableBytes buffer) {
    while (OBLEA_TRY(sys::read_some(file, buffer)) != 0) {
    }
    return {};
}

struct CloseFolder {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

Result<Folder> read_folder(int parent, char const* name) {
    base::UniqueFd fd = OBLEA_TRY(sys::openat(parent, name, O_RDONLY | O_DIRECTORY));
    Folder folder{::fdopendir(fd.get())};
    if (!folder) {
        return fail(sys::last_errno(), "fdopendir", name);
    }
    static_cast<void>(fd.release());  // the folder closes it
    return folder;
}

bool is_entry(dirent const& entry) {
    std::string_view const name{static_cast<char const*>(entry.d_name)};
    return name != "." && name != "..";
}

Status walk_below(int parent, char const* name) {
    Folder const folder = OBLEA_TRY(read_folder(parent, name));
    int const fd = ::dirfd(folder.get());
    while (dirent const* entry = ::readdir(folder.get())) {
        if (!is_entry(*entry)) {
            continue;
        }
        auto const found = OBLEA_TRY(sys::fstatat(fd, entry->d_name));
        if (S_ISDIR(found.st_mode)) {
            OBLEA_TRY(walk_below(fd, entry->d_name));
        }
    }
    return {};
}

}  // namespace

Status stat_all(std::string const& root, Paths const& paths) {
    return for_all(root, paths, [](int folder, std::string const& path) -> Status {
        OBLEA_TRY(sys::fstatat(folder, path.c_str()));
        return {};
    });
}

Status stat_missing(std::string const& root, Paths const& paths) {
    return for_all(root, paths, [](int folder, std::string const& path) -> Status {
        if (OBLEA_TRY(sys::stat_if_exists(folder, path.c_str()))) {
            return fail(Errno::eexist, "stat", path);
        }
        return {};
    });
}

Status read_all(std::string const& root, Paths const& paths) {
    std::vector<std::byte> buffer(std::size_t{128} << 10U);
    return for_all(root, paths, [&](int folder, std::string const& path) -> Status {
        auto const file = OBLEA_TRY(sys::openat(folder, path.c_str(), O_RDONLY));
        return read_to_end(file.get(), buffer);
    });
}

Status walk(std::string const& root) {
    return walk_below(AT_FDCWD, root.c_str());
}

Status list(std::string const& folder) {
    Folder const open = OBLEA_TRY(read_folder(AT_FDCWD, folder.c_str()));
    while (::readdir(open.get()) != nullptr) {
    }
    return {};
}

Status read_file(std::string const& path) {
    std::vector<std::byte> buffer(std::size_t{128} << 10U);
    auto const file = OBLEA_TRY(sys::open(path, O_RDONLY));
    return read_to_end(file.get(), buffer);
}

Status read_randomly(std::string const& path, unsigned reads) {
    std::array<std::byte, 4096> buffer{};
    auto const file = OBLEA_TRY(sys::open(path, O_RDONLY));
    auto const info = OBLEA_TRY(sys::fstat(file.get()));
    std::mt19937_64 random{1};
    std::uint64_t const blocks =
        std::max<std::uint64_t>(static_cast<std::uint64_t>(info.st_size) / buffer.size(), 1);
    for (unsigned i = 0; i < reads; ++i) {
        OBLEA_TRY(sys::pread_full(file.get(), buffer, random() % blocks * buffer.size()));
    }
    return {};
}

Status read_mapped(std::string const& path) {
    auto const file = OBLEA_TRY(sys::open(path, O_RDONLY));
    auto const bytes = static_cast<std::size_t>(OBLEA_TRY(sys::fstat(file.get())).st_size);
    void* const at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), 0);
    if (at == MAP_FAILED) {  // NOLINT: the system's own cast
        return fail(sys::last_errno(), "mmap", path);
    }
    unsigned sum = 0;
    auto const* const begin = static_cast<std::byte const volatile*>(at);
    for (std::size_t i = 0; i < bytes; i += 4096) {
        sum += std::to_integer<unsigned>(static_cast<std::byte>(begin[i]));
    }
    ::munmap(at, bytes);
    return sum == 0 ? Status{fail(Errno::eio, "mmap", path + ": nothing but zeros")} : Status{};
}

Status write_file(std::string const& path, WriteOptions const& options) {
    std::vector<std::byte> const piece(options.piece_bytes, std::byte{'w'});
    auto const file = OBLEA_TRY(sys::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    for (std::uint64_t done = 0; done < options.bytes; done += piece.size()) {
        OBLEA_TRY(sys::write_all(file.get(), piece));
    }
    return options.sync == Sync::yes ? sys::fsync(file.get()) : Status{};
}

Status touch_bytes(std::string const& path, std::uint64_t bytes) {
    std::vector<std::byte> const piece(bytes, std::byte{'t'});
    auto const file = OBLEA_TRY(sys::open(path, O_WRONLY));
    return sys::pwrite_all(file.get(), piece, 0);
}

Status append_all(std::string const& root, Paths const& paths) {
    return for_all(root, paths, [](int folder, std::string const& path) -> Status {
        auto const file = OBLEA_TRY(sys::openat(folder, path.c_str(), O_WRONLY | O_APPEND));
        return sys::write_all(file.get(), base::bytes_of("one more line\n"));
    });
}

Status chmod_all(std::string const& root, Paths const& paths) {
    return for_all(root, paths, [](int folder, std::string const& path) {
        return sys::fchmodat(folder, path.c_str(), 0600);
    });
}

Status create_all(std::string const& root, Paths const& paths) {
    std::array<std::byte, 100> const content{};
    return for_all(root, paths, [&](int folder, std::string const& path) -> Status {
        auto const file =
            OBLEA_TRY(sys::openat(folder, path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
        return sys::write_all(file.get(), content);
    });
}

Status rename_all(std::string const& root, Paths const& from, Paths const& to) {
    auto const folder = OBLEA_TRY(open_folder(root));
    for (std::size_t i = 0; i < from.size(); ++i) {
        OBLEA_TRY(sys::renameat2(folder.get(), from[i].c_str(), folder.get(), to.at(i).c_str()));
    }
    return {};
}

Status unlink_all(std::string const& root, Paths const& paths) {
    return for_all(root, paths, [](int folder, std::string const& path) {
        return sys::unlinkat(folder, path.c_str());
    });
}

}  // namespace oblea::bench
