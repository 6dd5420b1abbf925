// SPDX-License-Identifier: MIT
#include "tools/mount/leftovers.h"

#include "store/base/sys.h"

#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <ctime>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr int kPatienceMs = 2000;
// One that even SIGKILL does not end waits for something that we cannot give; it is left alone.
constexpr int kPatienceMaxMs = 10'000;
constexpr int kStepMs = 10;

std::vector<pid_t> children_but(pid_t spared) {
    std::string const path = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
    auto const text = sys::read_file(AT_FDCWD, path.c_str(), 1U << 20U);
    std::vector<pid_t> children;
    if (!text.has_value()) {
        return children;
    }
    for (auto&& word : *text | std::views::split(' ')) {
        std::string_view const digits{word.begin(), word.end()};
        pid_t pid = 0;
        auto const [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
        if (code == std::errc{} && pid > 0 && pid != spared) {
            children.push_back(pid);
        }
    }
    return children;
}

}  // namespace

void end_leftovers(pid_t spared) {
    int waited_ms = 0;
    for (;;) {
        auto const children = children_but(spared);
        if (children.empty() || waited_ms > kPatienceMaxMs) {
            return;
        }
        for (pid_t const child : children) {
            // Children of ours stay zombies until they are waited for here: no number is reused.
            ::kill(child, waited_ms < kPatienceMs ? SIGTERM : SIGKILL);
            ::kill(child, SIGCONT);
            ::waitpid(child, nullptr, WNOHANG);
        }
        timespec const step{.tv_sec = 0, .tv_nsec = kStepMs * 1'000'000L};
        ::nanosleep(&step, nullptr);
        waited_ms += kStepMs;
    }
}

}  // namespace oblea::tools
