// SPDX-License-Identifier: MIT
// The config.json of an OCI runtime bundle for a container.
//
// Pure. Spec: OCI runtime-spec config.md, config-linux.md; image-spec conversion.md. Capabilities,
// masked and read-only paths are those that docker gives.
#pragma once
#include "tools/container/run_config.h"
#include "tools/mount/containers.h"
#include "tools/mount/private_mounts.h"
#include "tools/mount/user_spec.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct BundleFacts {
    RunConfig const& config;
    std::string root;  // as the runtime sees it; relative to the bundle or absolute
    std::string hostname;
    Identity identity;  // of the command
    Rights rights = Rights::machine_root;
    OwnerIds ids = OwnerIds::real;
    std::vector<std::string> capabilities;  // "CAP_CHOWN", ...: those that this process has itself
    std::vector<BindMount> files;           // of the machine, shown inside: resolv.conf, hosts, ...
    // The harmless ones of the machine's /dev: "null", ... In a user namespace crun and runc show
    // them by themselves, and stumble over those that are there.
    std::vector<std::string> devices = {};
    std::vector<DeviceNumbers> allowed = {};  // of config.devices
    std::string cgroup = {};                  // empty: none of its own
    // For a runtime that is started outside of any user namespace by an ordinary user: the one id
    // that root inside is. None: no user namespace.
    struct OneId {
        std::uint32_t uid = 0;
        std::uint32_t gid = 0;
    };
    std::optional<OneId> user_namespace = {};
};

// No device is one in there but those of `devices`, those asked for, and of its own devpts: neither
// what root makes nor what lies in a folder that is shown. So root is given CAP_MKNOD, as docker
// does, without a cgroup that would have to forbid what comes of it.
std::string make_bundle_config(BundleFacts const& facts);

// The part of it that `exec` wants for a further command.
struct ProcessFacts {
    std::vector<std::string> arguments;
    std::vector<std::string> env;
    std::string workdir;
    Identity identity;
    std::vector<std::string> capabilities;
    bool terminal = false;
    std::vector<Ulimit> ulimits = {};
    std::string hostname = {};  // for HOSTNAME; empty: it is not told
};
std::string make_process_config(ProcessFacts const& facts);

}  // namespace oblea::tools
