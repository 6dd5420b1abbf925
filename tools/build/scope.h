// SPDX-License-Identifier: MIT
// What variables are worth at one place of a Dockerfile: build arguments and the environment.
//
// Before the first FROM there are only arguments; a stage begins without any, and gets those that
// it declares. Pure. Spec: Dockerfile reference "ARG", "Scope", "Predefined ARGs", "Automatic
// platform ARGs in the global scope", "Using ARG variables".
#pragma once
#include "store/image/platform.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::build {

using Variables = std::map<std::string, std::string, std::less<>>;

// TARGETPLATFORM, TARGETOS, ..., BUILDPLATFORM, ...
Variables platform_variables(store::Platform const& target, store::Platform const& machine);

class Scope {
public:
    // The global one: `given` are those of --build-arg, `automatic` the platform's.
    Scope(Variables given, Variables automatic);

    // That of a stage below this one.
    [[nodiscard]] Scope of_stage() const;

    // ARG. What was given counts, else the default, else what the global scope has.
    void declare(std::string const& name, std::optional<std::string> const& standard);

    // `env` are the image's "NAME=VALUE", which hide arguments.
    [[nodiscard]] std::optional<std::string> find(std::string_view name,
                                                  std::vector<std::string> const& env) const;

    // Those that a RUN has in its environment beside `env`, "NAME=VALUE", sorted: declared ones,
    // and predefined ones (HTTP_PROXY, ...) that were given.
    [[nodiscard]] std::vector<std::string> for_run(std::vector<std::string> const& env) const;
    // Those of them that decide whether a step can be reused: predefined ones only when declared.
    [[nodiscard]] std::vector<std::string> for_key(std::vector<std::string> const& env) const;

    // What was given and is asked for by an ARG of this scope.
    [[nodiscard]] std::set<std::string> const& consumed() const { return consumed_; }

    // Whether --build-arg may give it though no ARG asks for it.
    [[nodiscard]] static bool is_known_without_arg(std::string_view name);

private:
    [[nodiscard]] static bool is_predefined(std::string_view name);
    [[nodiscard]] static bool is_in(std::vector<std::string> const& env, std::string_view name);

    Variables given_;
    Variables global_;    // a stage's: what its ARGs find outside
    Variables declared_;  // with a value
    std::set<std::string> consumed_;
};

}  // namespace oblea::tools::build
