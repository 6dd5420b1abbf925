// SPDX-License-Identifier: MIT
#include "tools/monitor/unstarted.h"

#include "store/base/sys.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr int kEndWaitMs = 10'000;

// Its path is told as far as its file system goes: the process has left the folders above, and the
// store may be removed by now. Processes of others do not let us look, and are none of ours.
bool has_open(std::string const& process, std::string const& part) {
    std::string const path = process + "/fd";
    auto const folder = sys::open(path, O_RDONLY | O_DIRECTORY);
    auto const files =
        folder.has_value() ? sys::list_dir(folder->get()) : Result<std::vector<sys::DirEntry>>{};
    return files.has_value() && std::ranges::any_of(*files, [&](sys::DirEntry const& file) {
               auto const target = sys::readlinkat(folder->get(), file.name.c_str());
               return target.has_value() && target->find(part) != std::string::npos;
           });
}

// Told by a descriptor, and looked at again behind it: the number may be another one's by now.
bool end_process(pid_t pid, std::string const& path, std::string const& part) {
    UniqueFd const process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U))};
    if (!process.valid() || !has_open(path, part)) {
        return false;
    }
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U);
    pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, kEndWaitMs);
    return true;
}

}  // namespace

bool end_unstarted(std::string const& container_id) {
    std::string const part = fmt::format("/{}/exec.fifo", container_id);
    auto const table = sys::open("/proc", O_RDONLY | O_DIRECTORY);
    auto const processes =
        table.has_value() ? sys::list_dir(table->get()) : Result<std::vector<sys::DirEntry>>{};
    bool ended = false;
    for (sys::DirEntry const& entry : processes.value_or(std::vector<sys::DirEntry>{})) {
        pid_t pid = 0;
        char const* const name_end = entry.name.data() + entry.name.size();
        auto const [end, error] = std::from_chars(entry.name.data(), name_end, pid);
        std::string const path = "/proc/" + entry.name;
        if (error == std::errc{} && end == name_end && has_open(path, part)) {
            ended = end_process(pid, path, part) || ended;
        }
    }
    return ended;
}

}  // namespace oblea::tools
