// SPDX-License-Identifier: MIT
// How much of the machine a container may take, as docker's options have it.
//
// Pure. Memory, processors and processes are limited by a cgroup (cgroup.h), the rest by the
// container's own bundle.
#pragma once
#include "store/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct Ulimit {
    std::string name;  // "nofile"
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;  // UINT64_MAX: none
    auto operator<=>(Ulimit const&) const = default;
};

struct ResourceLimits {
    std::uint64_t memory_bytes = 0;  // of each: 0 is no limit
    std::uint64_t swap_bytes = 0;    // beside memory
    enum class Swap {
        as_memory,  // as much again as memory
        limited,    // to swap_bytes
        unlimited,
    } swap = Swap::as_memory;
    std::uint64_t nano_cpus = 0;   // 10^9 is one processor
    std::uint64_t cpu_shares = 0;  // weight beside others: 1024 is what everybody has
    std::string cpuset_cpus;       // "0-2,4"
    std::uint64_t pids = 0;
    std::uint64_t shm_bytes = kShmBytes;  // of /dev/shm
    std::vector<Ulimit> ulimits;

    static constexpr std::uint64_t kShmBytes = 64U << 20U;  // docker's
    // Whether a cgroup is wanted for them.
    [[nodiscard]] bool want_cgroup() const;
    bool operator==(ResourceLimits const&) const = default;
};

// As typed.
struct ResourceWishes {
    std::string memory;       // "64m"
    std::string memory_swap;  // both together; "-1": as much swap as there is
    std::string cpus;         // "1.5"
    std::string cpu_shares;
    std::string cpuset_cpus;
    std::string pids_limit;  // "-1": none
    std::string shm_size;
    std::vector<std::string> ulimits;  // "NAME=SOFT[:HARD]"
};

// `processors` is how many the machine has. Errors: EINVAL, in docker's words.
Result<ResourceLimits> plan_limits(ResourceWishes const& wishes, unsigned processors);

// "64m", "1.5GB", "4096". Errors: EINVAL "invalid size: 'x'".
Result<std::uint64_t> parse_size(std::string_view text);

// Of container.json and back; an object that lacks something has no such limit. Errors: EINVAL.
nlohmann::json encode_limits(ResourceLimits const& limits);
Result<ResourceLimits> decode_limits(nlohmann::json const& object);

// "RLIMIT_NOFILE" of "nofile", and the number that setrlimit(2) knows.
std::string rlimit_name(std::string_view ulimit);
Result<int> rlimit_number(std::string_view name);

}  // namespace oblea::tools
