// SPDX-License-Identifier: MIT
#include "store/base/sigbus_guard.h"

#include <csignal>
#include <mutex>

namespace oblea::base {

namespace {

thread_local SigbusGuard* innermost = nullptr;
struct sigaction previous_action;  // written once, before the handler can run

void pass_on(int signal, siginfo_t* info, void* context) {
    if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
        previous_action.sa_sigaction(signal, info, context);
    } else if (previous_action.sa_handler == SIG_DFL || previous_action.sa_handler == SIG_IGN) {
        // A synchronous fault cannot be ignored. The instruction faults again on return, now with
        // the default action; a SIGBUS that was sent is sent again.
        ::signal(signal, SIG_DFL);
        if (info->si_code <= 0) {
            ::raise(signal);
        }
    } else {
        previous_action.sa_handler(signal);
    }
}

void on_sigbus(int signal, siginfo_t* info, void* context) {
    auto const* const address = static_cast<std::byte const*>(info->si_addr);
    bool const fault = info->si_code > 0;  // of the kernel, not of kill(2)
    for (SigbusGuard* guard = innermost; fault && guard != nullptr; guard = guard->outer()) {
        if (guard->covers(address)) {
            innermost = guard;  // the guards inside of it are left without their destructors
            siglongjmp(guard->resume_point(), 1);
        }
    }
    pass_on(signal, info, context);
}

void install() {
    ::sigaction(SIGBUS, nullptr, &previous_action);
    struct sigaction action = {};
    action.sa_sigaction = &on_sigbus;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

SigbusGuard::SigbusGuard(ByteView range) noexcept : range_(range), outer_(innermost) {
    static std::once_flag installed;
    std::call_once(installed, install);
    innermost = this;
}

SigbusGuard::~SigbusGuard() {
    innermost = outer_;
}

}  // namespace oblea::base
