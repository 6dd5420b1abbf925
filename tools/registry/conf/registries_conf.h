// SPDX-License-Identifier: MIT
// What the administrator says of registries: podman's registries.conf, docker's daemon.json.
//
// A value: parsed and merged here, read from its files by read_registries_conf. Fields that concern
// other programs are ignored. Spec: containers-registries.conf(5), version 2; docker "daemon.json".
#pragma once
#include "store/base/error.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

inline constexpr char const* kDockerHub = "docker.io";

struct RegistryMirror {
    enum class PullFrom { all, digest_only, tag_only };
    std::string location;  // "host[:port][/path]"
    bool insecure = false;
    PullFrom pull_from = PullFrom::all;
};

struct RegistryRule {
    std::string prefix;    // of names: "host", "host/path", "*.host"
    std::string location;  // what stands for the prefix; empty: the prefix itself
    bool insecure = false;
    bool blocked = false;
    std::vector<RegistryMirror> mirrors;  // in order, before the registry itself
};

struct RegistriesConf {
    std::vector<RegistryRule> rules;           // no prefix twice
    std::vector<std::string> docker_mirrors;   // of docker.io alone: URLs, as docker has them
    std::vector<std::string> docker_insecure;  // hosts, and networks in CIDR form

    // What names without a domain stand for: "fedora" for "registry.fedoraproject.org/fedora".
    std::map<std::string, std::string> aliases;
    std::vector<std::string> search_registries;  // where those are looked for that have no alias
    // Whether one of several is chosen by a user, must be, or need not be.
    enum class ShortNames { permissive, enforcing, disabled } short_names = ShortNames::permissive;

    // Takes in another file: its rules replace those of the same prefix. `what` names the file in
    // errors: EINVAL with the place of the fault.
    Status merge_toml(std::string_view text, std::string_view what);
    Status merge_daemon_json(std::string_view text, std::string_view what);
};

struct ConfPlaces {
    std::vector<std::string> files;    // the first that exists
    std::vector<std::string> folders;  // *.conf of each, in lexical order
    std::string daemon_json;
    static ConfPlaces of_process(std::string const& home);
};
// Errors: EINVAL as merge_toml(), those of reading.
Result<RegistriesConf> read_registries_conf(ConfPlaces const& places);

}  // namespace oblea::registry
