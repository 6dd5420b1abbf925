// SPDX-License-Identifier: MIT
#include "tools/monitor/find_command.h"

#include "store/base/absence.h"
#include "store/base/path.h"
#include "store/base/sys.h"
#include "tools/mount/private_mounts.h"

#include <sys/stat.h>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

std::string path_of(std::vector<std::string> const& env) {
    constexpr std::string_view kPath = "PATH=";
    for (std::string const& variable : env) {
        if (variable.starts_with(kPath)) {
            return variable.substr(kPath.size());
        }
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

Result<CommandFound> look_at(UniqueFd const& root, std::string const& path) {
    auto const file = open_in_root(root, path.c_str(), O_PATH);
    if (!file.has_value()) {
        Errno const code = file.error().code;
        return base::is_absent(code) || code == Errno::eloop
                   ? Result<CommandFound>{CommandFound::no}
                   : Result<CommandFound>{std::unexpected<Error>(file.error())};
    }
    struct stat const info = OBLEA_TRY(sys::fstat(file->get()));
    return S_ISREG(info.st_mode) && (info.st_mode & 0111U) != 0 ? CommandFound::yes
                                                                : CommandFound::not_executable;
}

}  // namespace

Result<CommandFound> find_command(UniqueFd const& root, CommandWanted const& wanted) {
    if (wanted.program.empty()) {
        return CommandFound::no;
    }
    if (wanted.program.find('/') != std::string::npos) {
        bool const absolute = wanted.program.starts_with('/');
        return look_at(root, absolute ? wanted.program : wanted.workdir + '/' + wanted.program);
    }
    std::string const path = path_of(wanted.env);
    auto best = CommandFound::no;
    for (std::size_t at = 0; at <= path.size();) {
        std::size_t const end = std::min(path.find(':', at), path.size());
        std::string const folder = end > at ? path.substr(at, end - at) : ".";
        auto const found = OBLEA_TRY(look_at(root, folder + '/' + wanted.program));
        if (found == CommandFound::yes) {
            return found;
        }
        if (found == CommandFound::not_executable) {
            best = found;
        }
        at = end + 1;
    }
    return best;
}

Status make_workdir(UniqueFd const& root, std::string const& workdir) {
    auto const path = OBLEA_TRY(base::RelPath::parse(workdir));
    std::string so_far;
    for (std::string_view const component : path.components()) {
        std::string const parent = so_far.empty() ? "/" : so_far;
        so_far += '/';
        so_far += component;
        auto const there = open_in_root(root, so_far.c_str(), O_PATH | O_DIRECTORY);
        if (there.has_value()) {
            continue;
        }
        if (there.error().code != Errno::enoent) {
            return with_context(Status{std::unexpected<Error>(there.error())},
                                [&] { return "the working folder " + workdir; });
        }
        auto const folder = OBLEA_TRY(open_in_root(root, parent.c_str(), O_RDONLY | O_DIRECTORY));
        OBLEA_TRY(sys::mkdirat(folder.get(), std::string{component}.c_str(), 0755));
    }
    return {};
}

}  // namespace oblea::tools
