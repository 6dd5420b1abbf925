// SPDX-License-Identifier: MIT
#include "tools/commands/registry_commands.h"

#include "store/image/reference.h"

#include <cstdlib>

namespace oblea::tools {

Result<std::unique_ptr<registry::RegistrySession>>
open_registry_session(Context const& context, std::atomic<bool> const* cancel) {
    char const* const home = std::getenv("HOME");
    registry::SessionOptions options;
    options.home = home == nullptr ? "/root" : home;
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
