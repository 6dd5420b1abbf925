// SPDX-License-Identifier: MIT
#include "tools/registry/credentials/credential_helper.h"

#include "store/base/sys.h"

#include <nlohmann/json.hpp>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace oblea::registry {

namespace {

constexpr std::size_t kAnswerBytesMax = 1U << 20U;
constexpr std::string_view kNotFound = "credentials not found";

struct Answer {
    int exit_status = 0;
    Secret output;
};

// The child's standard input as an anonymous file: nothing can block on it, and no secret reaches a
// disk.
Result<base::UniqueFd> input_file(Secret const& input) {
    base::UniqueFd file{::memfd_create("credential", MFD_CLOEXEC)};
    if (!file.valid()) {
        return fail(base::sys::last_errno(), "memfd_create");
    }
    OBLEA_TRY(base::sys::pwrite_all(file.get(), base::bytes_of(input.reveal()), 0));
    return file;
}

Result<pid_t> spawn(std::string const& program, char const* action, int input, int output) {
    std::string word = action;
    std::string name = program;
    std::array<char*, 3> arguments{name.data(), word.data(), nullptr};
    posix_spawn_file_actions_t actions = {};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    pid_t child = 0;
    int const error =
        ::posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        return fail(static_cast<Errno>(error), "run", program);
    }
    return child;
}

Result<std::string> read_all(int fd) {
    std::string text;
    std::array<std::byte, 4096> buffer{};
    for (;;) {
        std::size_t const count = OBLEA_TRY(base::sys::read_some(fd, buffer));
        if (count == 0) {
            return text;
        }
        if (text.size() + count > kAnswerBytesMax) {
            return fail(Errno::e2big, "", "the answer is longer than any credential");
        }
        text += base::text_of(base::ByteView{buffer}.first(count));
    }
}

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && base::sys::last_errno() == Errno::eintr) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Result<Answer> ask(std::string const& program, char const* action, Secret const& input) {
    base::UniqueFd const in = OBLEA_TRY(input_file(input));
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        return fail(base::sys::last_errno(), "pipe");
    }
    base::UniqueFd const out{ends[0]};
    base::UniqueFd child_out{ends[1]};
    pid_t const child = OBLEA_TRY(spawn(program, action, in.get(), child_out.get()));
    child_out.reset();
    auto text = read_all(out.get());
    if (!text.has_value()) {
        // It goes on writing into a pipe that nobody empties: end it before waiting for it.
        ::kill(child, SIGKILL);
    }
    Answer answer;
    answer.exit_status = wait_for(child);
    answer.output = Secret{OBLEA_TRY(std::move(text))};
    return answer;
}

// One line of what a failing helper said; it may not hold secrets, as it has failed to give one.
std::string first_line(std::string_view text) {
    std::string line{text.substr(0, std::min(text.find('\n'), std::size_t{200}))};
    std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    return line;
}

std::unexpected<Error> refused(std::string const& program, char const* action,
                               Answer const& answer) {
    return fail(Errno::eio, "",
                program + ' ' + action + " ended with status " +
                    std::to_string(answer.exit_status) + ": " + first_line(answer.output.reveal()));
}

}  // namespace

Result<CredentialHelper> CredentialHelper::named(std::string_view name) {
    bool const plain = !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
    if (!plain) {
        return fail(Errno::einval, "",
                    "\"" + first_line(name) + "\" cannot be the name of a credential helper");
    }
    return CredentialHelper{"docker-credential-" + std::string{name}};
}

Result<std::optional<Credential>> CredentialHelper::get(std::string const& key) const {
    Answer const answer = OBLEA_TRY(ask(program_, "get", Secret{key}));
    if (answer.exit_status != 0) {
        if (answer.output.reveal().find(kNotFound) != std::string::npos) {
            return std::optional<Credential>{};
        }
        return refused(program_, "get", answer);
    }
    auto const document = nlohmann::json::parse(answer.output.reveal(), nullptr, false);
    auto const field = [&](char const* name) -> std::string {
        auto const at = document.is_object() ? document.find(name) : document.end();
        return at != document.end() && at->is_string() ? at->get<std::string>() : std::string{};
    };
    std::string username = field("Username");
    Secret secret{field("Secret")};
    if (!document.is_object()) {
        return fail(Errno::einval, "", program_ + " get: the answer is not a JSON object");
    }
    if (secret.empty()) {
        return std::optional<Credential>{};
    }
    Credential credential;
    if (username == kTokenUsername) {
        credential.identity_token = std::move(secret);
    } else {
        credential.username = std::move(username);
        credential.password = std::move(secret);
    }
    return std::optional{std::move(credential)};
}

Status CredentialHelper::store(std::string const& key, Credential const& credential) const {
    bool const token = !credential.identity_token.empty();
    nlohmann::json const request{
        {"ServerURL", key},
        {"Username", token ? kTokenUsername : credential.username},
        {"Secret", token ? credential.identity_token.reveal() : credential.password.reveal()}};
    Secret const input{request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
    Answer const answer = OBLEA_TRY(ask(program_, "store", input));
    if (answer.exit_status != 0) {
        return refused(program_, "store", answer);
    }
    return {};
}

Status CredentialHelper::erase(std::string const& key) const {
    Answer const answer = OBLEA_TRY(ask(program_, "erase", Secret{key}));
    if (answer.exit_status != 0 && answer.output.reveal().find(kNotFound) == std::string::npos) {
        return refused(program_, "erase", answer);
    }
    return {};
}

}  // namespace oblea::registry
