// SPDX-License-Identifier: MIT
#include "tools/mount/background.h"

#include "store/base/sys.h"
#include "tools/mount/child_work.h"

#include <linux/close_range.h>
#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <limits>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using nlohmann::json;

constexpr char kSuccess = 'S';
constexpr char kFailure = 'E';

[[noreturn]] void run_child(base::UniqueFd pipe, std::function<int(Report&)> const& body) noexcept {
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    int status = 1;
    {
        Report report{std::move(pipe)};
        try {
            status = body(report);
        } catch (std::exception const& thrown) {
            report.failure({Errno::eio, "exception", thrown.what()});
        }
    }
    std::fflush(nullptr);
    ::_exit(status);
}

Result<std::string> read_report(int fd) {
    std::string text;
    std::array<std::byte, 4096> part{};
    for (;;) {
        std::size_t const count = OBLEA_TRY(sys::read_some(fd, part));
        if (count == 0) {
            break;
        }
        text += base::text_of(base::ByteView{part}.first(count));
    }
    if (text.starts_with(kSuccess)) {
        return text.substr(1);
    }
    if (text.starts_with(kFailure)) {
        return std::unexpected<Error>(parse_error(std::string_view{text}.substr(1)));
    }
    return fail(Errno::eio, "", "the process that did the work ended without a word");
}

}  // namespace

std::string encode_error(Error const& error) {
    json const document = {
        {"code", static_cast<int>(error.code)}, {"op", error.op}, {"detail", error.detail}};
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Error parse_error(std::string_view text) {
    json const document = json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return {Errno::eio, "", std::string{text}};
    }
    Error error{Errno{document.value("code", EIO)}, "", document.value("detail", "")};
    // The name of the step is text of another process: only its message outlives the pipe.
    if (std::string const op = document.value("op", ""); !op.empty()) {
        error.op = "failed";
        error.detail += error.detail.empty() ? op : ": " + op;
    }
    return error;
}

Status Report::send(std::string_view message) {
    auto sent = sys::write_all(pipe_.get(), base::bytes_of(message));
    pipe_.reset();
    return sent;
}

Status Report::success(std::string_view text) {
    return send(std::string{kSuccess} + std::string{text});
}

void Report::failure(Error const& error) {
    // Without a parent nobody is left to tell.
    static_cast<void>(send(std::string{kFailure} + encode_error(error)));
}

Result<Child> start_child(Parentage parentage, std::vector<int> const& keep,
                          std::function<int(Report&)> const& body) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe2");
    }
    base::UniqueFd const reader{ends[0]};
    base::UniqueFd writer{ends[1]};
    std::fflush(nullptr);  // else the child would print what is buffered once more
    pid_t const pid = ::fork();
    if (pid < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (pid == 0) {
        if (parentage != Parentage::own) {
            ::setsid();
        }
        if (parentage == Parentage::detached && ::fork() != 0) {
            ::_exit(0);  // the grandchild leads no session and so never gets a terminal
        }
        std::vector<int> kept = keep;
        kept.push_back(writer.get());
        close_all_but(std::move(kept));
        run_child(std::move(writer), body);
    }
    writer.reset();
    if (parentage == Parentage::detached) {
        OBLEA_TRY(wait_for_child(pid));
    }
    auto report = read_report(reader.get());
    if (!report.has_value() && parentage != Parentage::detached) {
        static_cast<void>(wait_for_child(pid));  // it has reported its failure and is ending
    }
    std::string text = OBLEA_TRY(std::move(report));
    return Child{.pid = parentage == Parentage::detached ? -1 : pid, .report = std::move(text)};
}

Result<std::string> run_in_child(std::function<Result<std::string>()> const& work) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe2");
    }
    base::UniqueFd const reader{ends[0]};
    base::UniqueFd writer{ends[1]};
    std::fflush(nullptr);
    pid_t const parent = ::getpid();
    pid_t const pid = ::fork();
    if (pid < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) {
            ::_exit(1);
        }
        run_child(std::move(writer), [&](Report& report) {
            auto const done = work();
            if (!done.has_value()) {
                report.failure(done.error());
                return 1;
            }
            return report.success(*done).has_value() ? 0 : 1;
        });
    }
    writer.reset();
    auto report = read_report(reader.get());
    OBLEA_TRY(wait_for_child(pid));
    return report;
}

void close_all_but(std::vector<int> kept) {
    std::ranges::sort(kept);
    constexpr unsigned kLast = std::numeric_limits<unsigned>::max();
    unsigned from = 3;
    for (int const one : kept) {
        auto const number = static_cast<unsigned>(one);
        if (one < 3 || number < from) {
            continue;
        }
        if (number > from) {
            static_cast<void>(::close_range(from, number - 1, 0));
        }
        from = number + 1;
    }
    static_cast<void>(::close_range(from, kLast, 0));
}

Status redirect_standard_streams(int log) {
    auto const null = OBLEA_TRY(sys::open("/dev/null", O_RDWR));
    int const output = log >= 0 ? log : null.get();
    if (::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
        ::dup2(output, STDERR_FILENO) < 0) {
        return fail(sys::last_errno(), "dup2");
    }
    return {};
}

Result<int> wait_for_child(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (sys::last_errno() != Errno::eintr) {
            return fail(sys::last_errno(), "waitpid");
        }
    }
    return status;
}

}  // namespace oblea::tools
