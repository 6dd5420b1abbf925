// SPDX-License-Identifier: MIT
#include "tools/commands/registry_commands.h"

#include "store/image/reference.h"
#include "tools/cli/home_folder.h"

#include <fmt/format.h>

#include <charconv>

namespace oblea::tools {

namespace {

Result<store::Reference> ask(Context const& context, std::string const& typed,
                             std::vector<store::Reference> const& candidates) {
    std::FILE* const out = context.streams().err;
    fmt::print(out, "Several registries may have {}:\n", typed);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        fmt::print(out, "  {}  {}\n", i + 1, candidates[i].canonical());
    }
    fmt::print(out, "Which one? [1-{}] ", candidates.size());
    std::fflush(out);
    std::string answer;
    for (int c = 0; (c = std::fgetc(context.streams().in)) != EOF && c != '\n';) {
        answer += static_cast<char>(c);
    }
    std::size_t number = 0;
    auto const [end, error] = std::from_chars(answer.data(), answer.data() + answer.size(), number);
    bool const whole = error == std::errc{} && end == answer.data() + answer.size();
    if (!whole || number == 0 || number > candidates.size()) {
        return fail(Errno::ecanceled, "", "none of the names was chosen");
    }
    return candidates[number - 1];
}

}  // namespace

Result<std::vector<store::Reference>> choose_names(Context const& context,
                                                   registry::RegistrySession const& session,
                                                   std::string const& typed) {
    bool const can_ask = is_terminal(context.streams().in) && is_terminal(context.streams().err);
    auto found = OBLEA_TRY(
        session.names_for(typed, can_ask ? registry::Terminal::yes : registry::Terminal::no));
    if (found.choice == registry::ShortName::Choice::by_user) {
        auto chosen = OBLEA_TRY(ask(context, typed, found.candidates));
        return std::vector{std::move(chosen)};
    }
    return std::move(found.candidates);
}

Result<std::unique_ptr<registry::RegistrySession>>
open_registry_session(Context const& context, std::atomic<bool> const* cancel) {
    registry::SessionOptions options;
    options.home = home_folder();
    options.user_agent = "oblea/" OBLEA_VERSION;
    options.cancel = cancel;
    options.warn = [&context](std::string const& text) { context.warning(text); };
    options.note = [&context](std::string const& text) { context.note(text); };
    return registry::RegistrySession::create(std::move(options));
}

Result<std::string> parse_server(std::optional<std::string> const& typed) {
    std::string host = registry::normal_key(typed.value_or("docker.io"));
    host = host.substr(0, host.find('/'));
    // A port makes a domain of a bare name too.
    bool const bare = host.find_first_of(".:") == std::string::npos;
    if (host.empty() || !store::Reference::parse(host + (bare ? ":1/x" : "/x")).has_value()) {
        return fail(Errno::einval, "",
                    "\"" + typed.value_or("") + "\" is no server; write it as HOST or HOST:PORT");
    }
    return host;
}

}  // namespace oblea::tools
