// SPDX-License-Identifier: MIT
#include "tools/registry/credentials/credential.h"

namespace oblea::registry {

namespace {

bool is_docker_hub(std::string_view host) {
    return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io";
}

}  // namespace

std::string storage_key(std::string_view domain) {
    return std::string{is_docker_hub(domain) ? kDockerHubKey : domain};
}

std::string normal_key(std::string_view key) {
    for (std::string_view const scheme : {"https://", "http://"}) {
        if (key.starts_with(scheme)) {
            key.remove_prefix(scheme.size());
            key = key.substr(0, key.find('/'));
            break;
        }
    }
    while (key.ends_with('/')) {
        key.remove_suffix(1);
    }
    auto const slash = key.find('/');
    if (is_docker_hub(key.substr(0, slash))) {
        return "docker.io" + std::string{slash == std::string_view::npos ? "" : key.substr(slash)};
    }
    return std::string{key};
}

std::vector<std::string> candidate_keys(std::string_view domain, std::string_view path) {
    std::vector<std::string> keys;
    std::string key = normal_key(domain);
    std::size_t const host_size = key.size();
    if (!path.empty()) {
        key += '/';
        key += path;
    }
    while (key.size() > host_size) {
        keys.push_back(key);
        key.resize(key.rfind('/'));
    }
    keys.push_back(key);
    return keys;
}

}  // namespace oblea::registry
