// SPDX-License-Identifier: MIT
#include "tools/mount/mount_notice.h"

#include "store/base/parse_number.h"
#include "store/base/sys.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr char const* kName = "oblea-mount";
constexpr std::string_view kLink = "/memfd:oblea-mount (deleted)";  // as /proc shows it
constexpr std::size_t kNoticeBytesMax = 1U << 20U;
constexpr std::size_t kStatusBytesMax = 1U << 16U;

// The descriptor's file, in the folder of a process in /proc; nullopt also where we may not look.
std::optional<std::string> find_notice(pid_t process) {
    std::string const folder = fmt::format("/proc/{}/fd", process);
    auto const opened = sys::open(folder, O_RDONLY | O_DIRECTORY);
    auto const entries =
        opened.has_value() ? sys::list_dir(opened->get()) : Result<std::vector<sys::DirEntry>>{};
    if (!entries.has_value()) {
        return std::nullopt;
    }
    auto const found = std::ranges::find_if(*entries, [&](sys::DirEntry const& entry) {
        auto const target = sys::readlinkat(opened->get(), entry.name.c_str());
        return target.has_value() && *target == kLink;
    });
    return found != entries->end() ? std::optional{folder + '/' + found->name} : std::nullopt;
}

// The last of a line "NSpid:\t17\t1": what the process itself sees.
std::optional<pid_t> own_pid_of(pid_t process) {
    auto const status =
        sys::read_file(AT_FDCWD, fmt::format("/proc/{}/status", process).c_str(), kStatusBytesMax);
    constexpr std::string_view kField = "\nNSpid:";
    auto const field = status.has_value() ? status->find(kField) : std::string::npos;
    if (field == std::string::npos) {
        return std::nullopt;
    }
    auto const end = status->find('\n', field + kField.size());
    std::string_view const line = std::string_view{*status}.substr(0, end);
    return base::parse_number<pid_t>(line.substr(line.rfind('\t') + 1));
}

}  // namespace

Status MountNotice::write(std::string_view text) {
    base::UniqueFd fresh{::memfd_create(kName, MFD_CLOEXEC)};
    if (!fresh.valid()) {
        return fail(sys::last_errno(), "memfd_create");
    }
    OBLEA_TRY(sys::write_all(fresh.get(), base::bytes_of(text)));
    if (!memory_.valid()) {
        memory_ = std::move(fresh);
        return {};
    }
    // In one step, under the same number.
    return ::dup3(fresh.get(), memory_.get(), O_CLOEXEC) >= 0 ? Status{}
                                                              : fail(sys::last_errno(), "dup3");
}

Result<std::vector<pid_t>> processes_with_notice() {
    std::vector<pid_t> found;
    auto const proc = OBLEA_TRY(sys::open("/proc", O_RDONLY | O_DIRECTORY));
    for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(proc.get()))) {
        auto const process = base::parse_number<pid_t>(entry.name);
        if (process.has_value() && find_notice(*process).has_value()) {
            found.push_back(*process);
        }
    }
    return found;
}

std::optional<FoundNotice> read_notice(pid_t process) {
    auto const path = find_notice(process);
    auto const own_pid = own_pid_of(process);
    if (!path.has_value() || !own_pid.has_value()) {
        return std::nullopt;
    }
    auto text = sys::read_file(AT_FDCWD, path->c_str(), kNoticeBytesMax);
    if (!text.has_value()) {
        return std::nullopt;
    }
    return FoundNotice{.text = *std::move(text), .own_pid = *own_pid};
}

}  // namespace oblea::tools
