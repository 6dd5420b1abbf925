// SPDX-License-Identifier: MIT
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/registry_commands.h"

#include <termios.h>
#include <unistd.h>

#include <array>
#include <memory>

namespace oblea::tools {

namespace {

using registry::Credential;
using registry::Secret;

constexpr std::size_t kSecretBytesMax = 1U << 20U;

struct LoginOptions {
    std::optional<std::string> server;
    std::optional<std::string> username;
    std::optional<std::string> password;
    bool password_stdin = false;
};

// What is typed is not shown for as long as this lives.
class EchoOff {
public:
    explicit EchoOff(int fd) : fd_(fd), changed_(::tcgetattr(fd, &before_) == 0) {
        if (changed_) {
            struct termios quiet = before_;
            quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
            ::tcsetattr(fd_, TCSAFLUSH, &quiet);
        }
    }
    EchoOff(EchoOff const&) = delete;
    EchoOff& operator=(EchoOff const&) = delete;
    ~EchoOff() {
        if (changed_) {
            ::tcsetattr(fd_, TCSAFLUSH, &before_);
        }
    }

private:
    int fd_;
    struct termios before_ = {};
    bool changed_;
};

enum class Until { line, end };

// Without the line break at its end.
Result<Secret> read_input(std::FILE* in, Until until) {
    std::string text;
    for (int c = std::fgetc(in); c != EOF; c = std::fgetc(in)) {
        if (until == Until::line && c == '\n') {
            break;
        }
        if (text.size() == kSecretBytesMax) {
            return fail(Errno::e2big, "", "the password on standard input is too long");
        }
        text += static_cast<char>(c);
    }
    while (text.ends_with('\n') || text.ends_with('\r')) {
        text.pop_back();
    }
    return Secret{std::move(text)};
}

Result<Credential> ask(Context const& context, LoginOptions const& options) {
    Credential credential{.username = options.username.value_or("")};
    if (options.password_stdin) {
        credential.password = OBLEA_TRY(read_input(context.streams().in, Until::end));
        return credential;
    }
    if (options.password.has_value()) {
        context.error("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
        credential.password = Secret{*options.password};
    }
    bool const complete = !credential.username.empty() && !credential.password.empty();
    int const terminal = ::fileno(context.streams().in);
    if (!complete && ::isatty(terminal) == 0) {
        return fail(Errno::einval, "",
                    "cannot perform an interactive login from a non-TTY device; use "
                    "--username and --password-stdin");
    }
    if (credential.username.empty()) {
        context.print("Username: ");
        credential.username = OBLEA_TRY(read_input(context.streams().in, Until::line)).reveal();
    }
    if (credential.password.empty()) {
        context.print("Password: ");
        EchoOff const quiet{terminal};
        credential.password = OBLEA_TRY(read_input(context.streams().in, Until::line));
        context.line("");
    }
    return credential;
}

Status check_options(LoginOptions const& options) {
    if (options.password_stdin && options.password.has_value()) {
        return fail(Errno::einval, "", "--password and --password-stdin are mutually exclusive");
    }
    if (options.password_stdin && !options.username.has_value()) {
        return fail(Errno::einval, "", "the --password-stdin option requires --username to be set");
    }
    return {};
}

Result<int> log_in(Context& context, LoginOptions const& options) {
    OBLEA_TRY(check_options(options));
    std::string const domain = OBLEA_TRY(parse_server(options.server));
    auto const session = OBLEA_TRY(open_registry_session(context, nullptr));
    bool const nothing_said = !options.username.has_value() && !options.password.has_value();
    if (nothing_said) {
        auto const known = session->credentials().find(domain, "");
        if (known.credential.has_value() &&
            session->log_in(domain, *known.credential).has_value()) {
            context.line("Authenticated with existing credentials");
            context.line("Login Succeeded");
            return exit_code::kSuccess;
        }
    }
    Credential const typed = OBLEA_TRY(ask(context, options));
    if (typed.username.empty() || typed.password.empty()) {
        return fail(Errno::einval, "", "user name and password may not be empty");
    }
    Credential const kept = OBLEA_TRY(session->log_in(domain, typed));
    auto const stored = OBLEA_TRY(session->credentials().put(domain, kept));
    if (stored.kind == registry::CredentialStore::Stored::Kind::plain_text) {
        context.warning("the credentials are stored unencrypted in '" + stored.place +
                        "'; a credential helper (\"credsStore\" there) keeps them better");
    }
    context.line("Login Succeeded");
    return exit_code::kSuccess;
}

Result<int> log_out(Context& context, std::optional<std::string> const& server) {
    std::string const domain = OBLEA_TRY(parse_server(server));
    registry::CredentialStore const credentials{registry::CredentialPlaces::of_process()};
    context.line("Removing login credentials for " + registry::storage_key(domain));
    OBLEA_TRY(credentials.erase(domain));
    if (credentials.find(domain, "").credential.has_value()) {
        context.warning("other files still hold credentials for " + domain +
                        " (podman's auth.json, or DOCKER_AUTH_CONFIG), which oblea reads too");
    }
    return exit_code::kSuccess;
}

}  // namespace

Command login_command() {
    auto options = std::make_shared<LoginOptions>();
    return {
        .name = "login",
        .aliases = {},
        .section = Command::Section::images,
        .summary = "Log in to a registry",
        .description =
            "Checks user name and password, or what the terminal is asked for, and stores them "
            "where "
            "docker does (~/.docker/config.json, or the helper named there). Where the registry "
            "gives an identity token, that is stored in place of the password.",
        .operands = {{.name = "SERVER",
                      .help = "The registry as HOST or HOST:PORT; default: Docker Hub",
                      .target = &options->server}},
        .options = {{.names = "-u,--username",
                     .value_name = "NAME",
                     .help = "User name",
                     .target = &options->username},
                    {.names = "-p,--password",
                     .value_name = "PASSWORD",
                     .help = "Password, which others can see here: better --password-stdin",
                     .target = &options->password},
                    {.names = "--password-stdin",
                     .value_name = "",
                     .help = "Take the password from standard input",
                     .target = &options->password_stdin}},
        .examples = {{"oblea login", "Docker Hub, asking for user name and password"},
                     {"oblea login -u ann --password-stdin quay.io < token", "From a script"}},
        .run = [options](Context& context) { return log_in(context, *options); },
    };
}

Command logout_command() {
    auto server = std::make_shared<std::optional<std::string>>();
    return {
        .name = "logout",
        .aliases = {},
        .section = Command::Section::images,
        .summary = "Forget the credentials for a registry",
        .description = "",
        .operands = {{.name = "SERVER",
                      .help = "The registry as HOST or HOST:PORT; default: Docker Hub",
                      .target = server.get()}},
        .options = {},
        .examples = {{"oblea logout quay.io", "No more pulls from quay.io as oneself"}},
        .run = [server](Context& context) { return log_out(context, *server); },
    };
}

}  // namespace oblea::tools
