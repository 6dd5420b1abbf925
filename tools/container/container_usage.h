// SPDX-License-Identifier: MIT
// What the processes of a container use, as /proc has it: there are no cgroups that would count.
//
// So memory is the part of each process (shared pages are divided among those who share them), and
// processor time and blocks are those of the processes that live, not of those that have ended.
#pragma once
#include "store/base/error.h"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string_view>

namespace oblea::tools {

struct ProcessUsage {
    std::uint64_t cpu_ticks =
        0;  // of sysconf(_SC_CLK_TCK) a second, by it and in the kernel for it
    std::uint64_t memory_bytes = 0;
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;
    std::uint64_t threads = 0;
};

struct NetworkUsage {
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
};

struct ContainerUsage {
    std::map<pid_t, ProcessUsage> processes;
    NetworkUsage network;  // of the network that the first process has

    [[nodiscard]] ProcessUsage sum() const;
    // In ticks since `earlier`, by processes of both and by new ones.
    [[nodiscard]] std::uint64_t cpu_ticks_since(ContainerUsage const& earlier) const;
};

// Errors: ENOENT when the first process has ended. What the kernel does not tell of one counts
// nothing.
Result<ContainerUsage> measure_usage(pid_t init);

// /proc/net/dev without the loopback; /proc/PID/stat with the name in it. Pure.
NetworkUsage parse_network_devices(std::string_view text);
ProcessUsage parse_process_stat(std::string_view text);

// Physical memory of the machine; 0: unknown.
std::uint64_t machine_memory_bytes();

}  // namespace oblea::tools
