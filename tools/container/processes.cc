// SPDX-License-Identifier: MIT
#include "tools/container/processes.h"

#include "store/base/sys.h"

#include <fmt/format.h>

#include <charconv>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

Result<std::string> namespace_of(std::string const& pid) {
    return sys::readlinkat(AT_FDCWD, fmt::format("/proc/{}/ns/pid", pid).c_str());
}

}  // namespace

Result<std::vector<pid_t>> processes_beside(pid_t init) {
    std::string const space = OBLEA_TRY(namespace_of(std::to_string(init)));
    auto const folder = OBLEA_TRY(sys::open("/proc", O_RDONLY | O_DIRECTORY));
    std::vector<pid_t> found;
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder.get()))) {
        pid_t pid = 0;
        auto const [end, error] =
            std::from_chars(entry.name.data(), entry.name.data() + entry.name.size(), pid);
        if (error != std::errc{} || end != entry.name.data() + entry.name.size()) {
            continue;
        }
        auto const its = namespace_of(entry.name);
        if (its.has_value() && *its == space) {
            found.push_back(pid);
        }
    }
    return found;
}

}  // namespace oblea::tools
