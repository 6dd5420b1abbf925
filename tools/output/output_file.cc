// SPDX-License-Identifier: MIT
#include "tools/output/output_file.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

// Written beside the target, so that the target is either the whole file or what it was.
Status write_atomically(std::string const& path, mode_t mode,
                        std::function<Status(int)> const& write) {
    std::string const staged = fmt::format("{}.oblea-{}", path, ::getpid());
    auto opened = sys::open(staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (!opened.has_value() && opened.error().code == Errno::enoent) {
        std::string const folder = path.substr(0, path.rfind('/'));
        return fail(Errno::enoent, "",
                    fmt::format("invalid output path: directory \"{}\" does not exist", folder));
    }
    auto const named = [&] { return path; };
    base::UniqueFd const file = OBLEA_TRY(with_context(std::move(opened), named));
    base::ScopeExit discard{
        [&] { static_cast<void>(sys::unlink_if_exists(AT_FDCWD, staged.c_str())); }};
    OBLEA_TRY(with_context(write(file.get()), named));
    OBLEA_TRY(sys::renameat2(AT_FDCWD, staged.c_str(), AT_FDCWD, path.c_str()));
    discard.dismiss();
    return {};
}

Status write_in_place(std::string const& path, std::function<Status(int)> const& write) {
    auto const named = [&] { return path; };
    base::UniqueFd const file = OBLEA_TRY(with_context(sys::open(path, O_WRONLY), named));
    return with_context(write(file.get()), named);
}

}  // namespace

Status write_output_file(std::string const& path, mode_t mode,
                         std::function<Status(int fd)> const& write) {
    auto const there = sys::fstatat(AT_FDCWD, path.c_str(), 0);
    bool const special = there.has_value() && !S_ISREG(there->st_mode);
    std::error_code code;
    auto const real = std::filesystem::canonical(path, code);
    return special ? write_in_place(path, write)
                   : write_atomically(code ? path : real.string(), mode, write);
}

}  // namespace oblea::tools
