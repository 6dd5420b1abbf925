// SPDX-License-Identifier: MIT
// Who one is at a registry, and under which keys files and helpers know a registry.
#pragma once
#include "tools/registry/secret.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

// Either user name and password, or a token that stands for them.
struct Credential {
    std::string username{};
    Secret password{};
    Secret identity_token{};  // an OAuth2 refresh token
    Secret registry_token{};  // a bearer token to send as it is

    bool operator==(Credential const&) const = default;
};

// The user name by which helpers say that the secret is an identity token.
inline constexpr char const* kTokenUsername = "<token>";

// What docker writes for Docker Hub, in files and to helpers.
inline constexpr char const* kDockerHubKey = "https://index.docker.io/v1/";

// The domain of a reference as the key under which docker stores it: kDockerHubKey for docker.io,
// otherwise the domain itself.
[[nodiscard]] std::string storage_key(std::string_view domain);

// The host that a key of a file names, in one spelling: scheme and path behind it are taken off a
// key that is a URL, and all names of Docker Hub become "docker.io". A key without scheme keeps its
// path, since then that is a namespace, to which alone the credential belongs.
[[nodiscard]] std::string normal_key(std::string_view key);

// The keys for a repository, most specific first: "host/a/b", "host/a", "host".
// Spec: containers-auth.json(5) "FORMAT".
[[nodiscard]] std::vector<std::string> candidate_keys(std::string_view domain,
                                                      std::string_view path);

}  // namespace oblea::registry
