// SPDX-License-Identifier: MIT
// What the config.json of a bundle asks for, as far as bundle.h writes it: for the runtime that
// oblea has itself (tools/monitor/own_runtime.h).
//
// Pure. Spec: OCI runtime-spec config.md, config-linux.md.
#pragma once
#include "store/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct BundleProcess {
    std::vector<std::string> arguments;  // at least one
    std::vector<std::string> env;
    std::string workdir;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
    std::uint64_t bounding = 0;   // capabilities, a bit for each by its number
    std::uint64_t effective = 0;  // and permitted
    struct Limit {
        int number = 0;  // as setrlimit(2) has it
        std::uint64_t soft = 0;
        std::uint64_t hard = 0;
    };
    std::vector<Limit> limits = {};
    bool terminal = false;
};

struct BundleMount {
    std::string target;
    std::string type;  // of a new file system; empty: `source` is shown there too
    std::string source;
    std::uint64_t flags = 0;  // MS_* of a new file system, MOUNT_ATTR_* of what is shown
    std::string data;         // options of the file system itself
};

struct Bundle {
    std::string root;
    enum class Access { read_write, read_only } access = Access::read_write;
    std::string hostname;
    BundleProcess process;
    std::vector<BundleMount> mounts;  // in this order
    std::vector<std::string> masked_paths;
    std::vector<std::string> read_only_paths;
    enum class Network { machine, own } network = Network::machine;
};

// Errors: EINVAL naming the field, also for an option or a capability that is not known.
Result<Bundle> read_bundle(std::string_view config);
Result<BundleProcess> read_bundle_process(std::string_view process);

}  // namespace oblea::tools
