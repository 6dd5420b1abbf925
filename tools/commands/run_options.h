// SPDX-License-Identifier: MIT
// What `create` and `run` have in common.
#pragma once
#include "tools/cli/context.h"
#include "tools/container/run_config.h"
#include "tools/mount/containers.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct RunOptions {
    std::string image;
    std::vector<std::string> command;
    std::string name;
    std::vector<std::string> env;
    std::vector<std::string> env_files;
    std::vector<std::string> labels;
    std::vector<std::string> volumes;
    std::vector<std::string> mounts;
    std::vector<std::string> tmpfs;
    std::vector<std::string> volumes_from;
    std::vector<std::string> devices;
    std::vector<std::string> ports;
    std::string workdir;
    std::string user;
    std::optional<std::string> entrypoint;
    std::string hostname;
    std::string network;
    std::string restart;
    std::string stop_signal;
    NameService names;
    ResourceWishes limits;
    CapabilityWishes capabilities;
    std::vector<std::string> groups;
    std::string cidfile;
    std::string pull = "missing";
    bool publish_all = false;
    bool quiet = false;
    bool input = false;
    bool terminal = false;
    bool init = false;
    bool read_only = false;
    bool remove = false;
    bool verify = false;
};

[[nodiscard]] std::vector<Option> run_option_list(RunOptions& options);
[[nodiscard]] std::vector<Operand> run_operands(RunOptions& options);

// The variables of such files, in order; what is given by itself comes behind them. Errors: as
// read(2), naming the file.
Result<std::vector<std::string>> read_env_files(std::vector<std::string> const& files);

// Who is going to mount it: monitors enter a user namespace where they may not mount.
enum class MountedBy { monitor, this_process };

// Brings the image if need be and makes the container; nothing runs yet. Errors: as ensure_image,
// plan_run_config and create_container; ENOENT without pasta where ports are published; EEXIST for
// the file that its id should be written to.
Result<Container> make_container(Context const& context, store::Store const& store,
                                 RunOptions const& options,
                                 MountedBy mounted_by = MountedBy::monitor);

}  // namespace oblea::tools
