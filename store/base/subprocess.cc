// SPDX-License-Identifier: MIT
#include "store/base/subprocess.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace oblea::base {
namespace {

constexpr std::size_t kMessagesBytesMax = 64U << 10U;
constexpr int kHandedDescriptor = 3;

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

Status check(int code, char const* op) {
    return code == 0 ? Status{} : fail(Errno{code}, op);
}

Result<pid_t> spawn(Program const& program, int output) {
    posix_spawn_file_actions_t actions;
    OBLEA_TRY(check(posix_spawn_file_actions_init(&actions), "posix_spawn"));
    ScopeExit const destroy{[&] { posix_spawn_file_actions_destroy(&actions); }};
    OBLEA_TRY(
        check(posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
              "posix_spawn"));
    // Output first: its own number may be the one that is handed on.
    OBLEA_TRY(
        check(posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO), "posix_spawn"));
    OBLEA_TRY(
        check(posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO), "posix_spawn"));
    if (program.descriptor >= 0) {
        OBLEA_TRY(
            check(posix_spawn_file_actions_adddup2(&actions, program.descriptor, kHandedDescriptor),
                  "posix_spawn"));
    }
    std::vector<std::string> arguments = program.arguments;
    std::vector<std::string> environment = program.environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        environment.emplace_back(*entry);
    }
    pid_t pid = -1;
    int const code = ::posix_spawnp(&pid, arguments.front().c_str(), &actions, nullptr,
                                    pointers_to(arguments).data(), pointers_to(environment).data());
    OBLEA_TRY(with_context(check(code, "posix_spawn"), [&] { return arguments.front(); }));
    return pid;
}

Result<std::string> read_messages(int fd) {
    std::string messages;
    std::array<std::byte, 4096> part{};
    for (;;) {
        std::size_t const count = OBLEA_TRY(sys::read_some(fd, part));
        if (count == 0) {
            return messages;
        }
        std::size_t const room = kMessagesBytesMax - messages.size();
        messages += text_of(ByteView{part}.first(std::min(count, room)));
    }
}

Result<int> wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (sys::last_errno() != Errno::eintr) {
            return fail(sys::last_errno(), "waitpid");
        }
    }
    return status;
}

}  // namespace

Result<ProgramEnd> run_program(Program const& program) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe2");
    }
    UniqueFd const reader{ends[0]};
    UniqueFd writer{ends[1]};
    pid_t const pid = OBLEA_TRY(spawn(program, writer.get()));
    writer.reset();
    auto messages = read_messages(reader.get());
    int const status = OBLEA_TRY(wait_for(pid));
    return ProgramEnd{.wait_status = status, .messages = OBLEA_TRY(std::move(messages))};
}

}  // namespace oblea::base
