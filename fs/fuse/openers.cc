// SPDX-License-Identifier: MIT
#include "fs/fuse/openers.h"

#include "store/base/parse_number.h"
#include "store/base/sys.h"

#include <linux/magic.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <string>

namespace oblea::fs {
namespace {

namespace sys = base::sys;

// A thread sends its OPEN a moment before it goes to sleep; where it has to wait for a processor,
// that moment is longer.
constexpr int kLooksMax = 32;
constexpr int kLooksInARow = 16;
constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 50'000};

// Takes the next word off the text.
std::string_view next_word(std::string_view& text) {
    std::size_t const begin = std::min(text.find_first_not_of(" \t\n"), text.size());
    text.remove_prefix(begin);
    std::string_view const word = text.substr(0, text.find_first_of(" \t\n"));
    text.remove_prefix(word.size());
    return word;
}

std::optional<std::uint64_t> parse_hex(std::string_view word) {
    return word.starts_with("0x") ? base::parse_number<std::uint64_t>(word.substr(2), 16)
                                  : std::nullopt;
}

// The flags with which the call opens; nullopt: it is none that opens by flags in registers.
std::optional<int> flags_of([[maybe_unused]] SystemCall const& call) {
#if defined(__x86_64__) || defined(__aarch64__)
    switch (call.number) {
    case SYS_openat:
        return static_cast<int>(call.arguments[2]);
#if defined(__x86_64__)
    case SYS_open:
        return static_cast<int>(call.arguments[1]);
    case SYS_creat:
        return O_CREAT | O_WRONLY | O_TRUNC;
#endif
    default:
        break;
    }
#endif
    return std::nullopt;
}

// Whether the numbers there are those by which this process and the kernel speak of threads. Seen
// from another namespace a process has a number more.
bool has_our_numbers(int proc) {
    auto const status = sys::read_file(proc, "self/status", std::size_t{64} << 10U);
    if (!status.has_value()) {
        return false;
    }
    std::string_view rest = *status;
    std::size_t const line = rest.find("\nNSpid:");
    if (line == std::string_view::npos) {
        return false;
    }
    rest = rest.substr(line + 1, rest.find('\n', line + 1) - line - 1);
    next_word(rest);
    return base::parse_number<pid_t>(next_word(rest)) == ::getpid() && next_word(rest).empty();
}

}  // namespace

std::optional<SystemCall> parse_system_call(std::string_view text) {
    auto const number = base::parse_number<std::int64_t>(next_word(text));
    if (!number.has_value() || *number < 0) {
        return std::nullopt;
    }
    SystemCall call{.number = *number};
    std::array<std::uint64_t, 8> words{};
    for (std::uint64_t& word : words) {
        auto const value = parse_hex(next_word(text));
        if (!value.has_value()) {
            return std::nullopt;
        }
        word = *value;
    }
    std::copy_n(words.begin(), call.arguments.size(), call.arguments.begin());
    call.stack = words[6];
    call.instruction = words[7];
    return next_word(text).empty() ? std::optional{call} : std::nullopt;
}

bool empties(SystemCall const& call, int open_flags) {
    auto const asked = flags_of(call);
    if (!asked.has_value() || (*asked & O_TRUNC) == 0 || call.stack == 0 || call.instruction == 0) {
        return false;
    }
    // Those that the kernel hands on as they were given.
    constexpr int kSame = O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT | O_NOFOLLOW | O_NOATIME;
    bool const is_this_open = (*asked & kSame) == (open_flags & kSame);
    int const access = open_flags & O_ACCMODE;
    return is_this_open && (access == O_WRONLY || access == O_RDWR) &&
           (open_flags & O_NONBLOCK) == 0;
}

Openers::Openers() {
    auto proc = sys::open("/proc", O_PATH | O_DIRECTORY);
    if (!proc.has_value()) {
        return;
    }
    auto const kind = sys::fstatfs(proc->get());
    if (kind.has_value() && kind->f_type == PROC_SUPER_MAGIC && has_our_numbers(proc->get())) {
        proc_ = *std::move(proc);
    }
}

bool Openers::will_empty(pid_t thread, int open_flags) const {
    if (!proc_.valid() || thread <= 0) {
        return false;
    }
    auto const file =
        sys::openat(proc_.get(), (std::to_string(thread) + "/syscall").c_str(), O_RDONLY);
    if (!file.has_value()) {
        return false;
    }
    std::array<std::byte, 256> text{};
    for (int look = 0; look < kLooksMax; ++look) {
        auto const count = sys::pread_full(file->get(), text, 0);
        if (!count.has_value()) {
            return false;
        }
        std::string_view const line = base::text_of(base::ByteView{text}.first(*count));
        if (!line.starts_with("running")) {
            auto const call = parse_system_call(line);
            return call.has_value() && empties(*call, open_flags);
        }
        if (look < kLooksInARow) {
            ::sched_yield();
        } else {
            ::nanosleep(&kPause, nullptr);
        }
    }
    return false;
}

}  // namespace oblea::fs
