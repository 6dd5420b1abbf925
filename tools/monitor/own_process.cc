// SPDX-License-Identifier: MIT
#include "tools/monitor/own_process.h"

#include "store/base/sys.h"
#include "tools/mount/become_user.h"
#include "tools/mount/exit_code.h"

#include <linux/capability.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <limits>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr int kSignalMax = 64;

bool has(std::uint64_t set, int capability) {
    return ((set >> static_cast<unsigned>(capability)) & 1U) != 0;
}

Status limit_capabilities(std::uint64_t bounding) {
    for (int one = 0; ::prctl(PR_CAPBSET_READ, one) >= 0; ++one) {
        if (!has(bounding, one) && ::prctl(PR_CAPBSET_DROP, one) != 0) {
            return fail(sys::last_errno(), "prctl", "capabilities");
        }
    }
    return {};
}

Status set_capabilities(std::uint64_t held) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    for (std::size_t i = 0; i < data.size(); ++i) {
        auto const part = static_cast<std::uint32_t>(held >> (32 * i));
        data.at(i) = {.effective = part, .permitted = part, .inheritable = 0};
    }
    if (::syscall(SYS_capset, &header, data.data()) != 0) {
        return fail(sys::last_errno(), "capset");
    }
    return {};
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

void restore_signals() {
    for (int signal = 1; signal <= kSignalMax; ++signal) {
        static_cast<void>(std::signal(signal, SIG_DFL));
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

Status become_command(BundleProcess const& process) {
    for (BundleProcess::Limit const& limit : process.limits) {
        rlimit const wanted{.rlim_cur = limit.soft, .rlim_max = limit.hard};
        // The C library has the number as an enumeration of its own.
        if (::syscall(SYS_prlimit64, 0, limit.number, &wanted, nullptr) != 0) {
            return fail(sys::last_errno(), "setrlimit");
        }
    }
    // A folder that only its user may enter, and one that only root may.
    bool const entered = ::chdir(process.workdir.c_str()) == 0;
    OBLEA_TRY(limit_capabilities(process.bounding));
    OBLEA_TRY(become_user({.uid = process.uid, .gid = process.gid, .groups = process.groups}));
    OBLEA_TRY(set_capabilities(process.effective));
    if (!entered && ::chdir(process.workdir.c_str()) != 0) {
        return fail(sys::last_errno(), "chdir", process.workdir);
    }
    return {};
}

Error execute_command(BundleProcess process) {
    restore_signals();
    ::umask(022);
    ::close_range(3, std::numeric_limits<unsigned>::max(), CLOSE_RANGE_CLOEXEC);
    std::vector<char*> const variables = pointers_to(process.env);
    environ = const_cast<char**>(variables.data());  // NOLINT: execvp looks PATH up in it
    ::execvp(process.arguments.front().c_str(), pointers_to(process.arguments).data());
    Errno const code = sys::last_errno();
    if (code == Errno::enoent) {
        return {code, "", process.arguments.front() + ": not found in the container"};
    }
    return {code, "exec", process.arguments.front()};
}

int exit_status_of(Error const& not_executed) {
    return not_executed.code == Errno::enoent ? exit_code::kNotFound : exit_code::kNotExecutable;
}

}  // namespace oblea::tools
