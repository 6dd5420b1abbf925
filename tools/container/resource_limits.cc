// SPDX-License-Identifier: MIT
#include "tools/container/resource_limits.h"

#include "store/base/text.h"
#include "store/image/json_fields.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
using nlohmann::json;

constexpr char const* kLimitsOwner = "container.json";
constexpr std::uint64_t kMemoryBytesMin = 6U << 20U;
constexpr std::uint64_t kNanoCpusMin = 10'000'000;  // the kernel's shortest slice
constexpr double kNanoPerCpu = 1e9;
constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

struct RlimitName {
    char const* name;
    int number;
};
constexpr std::array kRlimits{RlimitName{"as", RLIMIT_AS},
                              RlimitName{"core", RLIMIT_CORE},
                              RlimitName{"cpu", RLIMIT_CPU},
                              RlimitName{"data", RLIMIT_DATA},
                              RlimitName{"fsize", RLIMIT_FSIZE},
                              RlimitName{"locks", RLIMIT_LOCKS},
                              RlimitName{"memlock", RLIMIT_MEMLOCK},
                              RlimitName{"msgqueue", RLIMIT_MSGQUEUE},
                              RlimitName{"nice", RLIMIT_NICE},
                              RlimitName{"nofile", RLIMIT_NOFILE},
                              RlimitName{"nproc", RLIMIT_NPROC},
                              RlimitName{"rss", RLIMIT_RSS},
                              RlimitName{"rtprio", RLIMIT_RTPRIO},
                              RlimitName{"rttime", RLIMIT_RTTIME},
                              RlimitName{"sigpending", RLIMIT_SIGPENDING},
                              RlimitName{"stack", RLIMIT_STACK}};

template <typename Number>
bool read_number(std::string_view text, Number& number) {
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

Error wrong(std::string_view option, std::string_view value, std::string const& why) {
    return {Errno::einval, "",
            fmt::format("invalid argument \"{}\" for \"{}\" flag: {}", value, option, why)};
}

Result<std::uint64_t> size_of(std::string_view option, std::string const& text) {
    auto const size = parse_size(text);
    if (!size.has_value()) {
        return std::unexpected<Error>(wrong(option, text, size.error().message()));
    }
    return size;
}

Status set_memory(ResourceLimits& limits, ResourceWishes const& wishes) {
    if (!wishes.memory.empty()) {
        limits.memory_bytes = OBLEA_TRY(size_of("-m, --memory", wishes.memory));
        if (limits.memory_bytes != 0 && limits.memory_bytes < kMemoryBytesMin) {
            return fail(Errno::einval, "", "Minimum memory limit allowed is 6MB");
        }
    }
    if (wishes.memory_swap.empty()) {
        return {};
    }
    if (limits.memory_bytes == 0) {
        return fail(Errno::einval, "",
                    "You should always set the Memory limit when using Memoryswap limit, see "
                    "usage");
    }
    if (wishes.memory_swap == "-1") {
        limits.swap = ResourceLimits::Swap::unlimited;
        return {};
    }
    std::uint64_t const both = OBLEA_TRY(size_of("--memory-swap", wishes.memory_swap));
    if (both == 0) {
        return {};  // docker's word for: not said
    }
    if (both < limits.memory_bytes) {
        return fail(Errno::einval, "",
                    "Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    limits.swap = ResourceLimits::Swap::limited;
    limits.swap_bytes = both - limits.memory_bytes;
    return {};
}

// "0-2,4", of processors that there are.
bool is_cpu_list(std::string_view text, unsigned processors) {
    for (std::string_view const part : base::split(text, ',')) {
        auto const dash = part.find('-');
        unsigned first = 0;
        unsigned last = 0;
        bool const read = read_number(part.substr(0, dash), first) &&
                          read_number(part.substr(dash == part.npos ? 0 : dash + 1), last);
        if (!read || last < first || last >= processors) {
            return false;
        }
    }
    return true;
}

Status set_processors(ResourceLimits& limits, ResourceWishes const& wishes, unsigned processors) {
    if (!wishes.cpus.empty()) {
        double cpus = 0;
        if (!read_number(wishes.cpus, cpus) || !std::isfinite(cpus) || cpus < 0) {
            return std::unexpected<Error>(wrong("--cpus", wishes.cpus, "it is no number"));
        }
        limits.nano_cpus = static_cast<std::uint64_t>(
            std::llround(std::min(cpus, static_cast<double>(processors) + 1) * kNanoPerCpu));
        if (cpus > 0 && (limits.nano_cpus < kNanoCpusMin || cpus > processors)) {
            return fail(Errno::einval, "",
                        fmt::format("range of CPUs is from 0.01 to {0}.00, as there are only {0} "
                                    "CPUs available",
                                    processors));
        }
    }
    if (!wishes.cpu_shares.empty() && !read_number(wishes.cpu_shares, limits.cpu_shares)) {
        return std::unexpected<Error>(
            wrong("-c, --cpu-shares", wishes.cpu_shares, "it is no number"));
    }
    if (!wishes.cpuset_cpus.empty() && !is_cpu_list(wishes.cpuset_cpus, processors)) {
        return fail(Errno::einval, "",
                    fmt::format("Requested CPUs are not available - requested {}, available: 0-{}",
                                wishes.cpuset_cpus, processors - 1));
    }
    limits.cpuset_cpus = wishes.cpuset_cpus;
    return {};
}

Result<Ulimit> parse_ulimit(std::string const& text) {
    auto const refuse = [&](std::string const& why) {
        return std::unexpected<Error>(wrong("--ulimit", text, why));
    };
    auto const equals = text.find('=');
    if (equals == std::string::npos) {
        return refuse("invalid ulimit argument: " + text);
    }
    Ulimit limit{.name = text.substr(0, equals)};
    if (std::ranges::find(kRlimits, limit.name, &RlimitName::name) == kRlimits.end()) {
        return refuse("invalid ulimit type: " + limit.name);
    }
    std::string_view const values = std::string_view{text}.substr(equals + 1);
    auto const colon = values.find(':');
    auto const read = [](std::string_view value, std::uint64_t& number) {
        if (value == "-1" || value == "unlimited") {
            number = kNoLimit;
            return true;
        }
        return read_number(value, number);
    };
    bool const sound = read(values.substr(0, colon), limit.soft) &&
                       read(colon == values.npos ? values : values.substr(colon + 1), limit.hard);
    if (!sound) {
        return refuse("write NAME=SOFT[:HARD]");
    }
    if (limit.soft > limit.hard) {
        return refuse(fmt::format("ulimit soft limit must be less than or equal to hard limit: "
                                  "{} > {}",
                                  limit.soft, limit.hard));
    }
    return limit;
}

json encode_ulimit(Ulimit const& limit) {
    return {{"name", limit.name}, {"soft", limit.soft}, {"hard", limit.hard}};
}

}  // namespace

bool ResourceLimits::want_cgroup() const {
    return memory_bytes != 0 || nano_cpus != 0 || cpu_shares != 0 || !cpuset_cpus.empty() ||
           pids != 0;
}

Result<std::uint64_t> parse_size(std::string_view text) {
    std::string lower{text};
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view rest = lower;
    if (rest.ends_with("ib")) {
        rest.remove_suffix(2);
    } else if (rest.ends_with('b')) {
        rest.remove_suffix(1);
    }
    constexpr std::string_view kUnits = "kmgtp";
    double factor = 1;
    if (!rest.empty()) {
        if (auto const unit = kUnits.find(rest.back()); unit != kUnits.npos) {
            factor = std::pow(1024.0, static_cast<double>(unit + 1));
            rest.remove_suffix(1);
        }
    }
    double number = 0;
    constexpr double kMax = 9e18;
    if (!read_number(rest, number) || !std::isfinite(number) || number < 0 ||
        number * factor > kMax) {
        return fail(Errno::einval, "", fmt::format("invalid size: '{}'", text));
    }
    return static_cast<std::uint64_t>(number * factor);
}

Result<ResourceLimits> plan_limits(ResourceWishes const& wishes, unsigned processors) {
    ResourceLimits limits;
    OBLEA_TRY(set_memory(limits, wishes));
    OBLEA_TRY(set_processors(limits, wishes, processors));
    if (!wishes.pids_limit.empty() && wishes.pids_limit != "-1" &&
        !read_number(wishes.pids_limit, limits.pids)) {
        return std::unexpected<Error>(wrong("--pids-limit", wishes.pids_limit, "it is no number"));
    }
    if (!wishes.shm_size.empty()) {
        limits.shm_bytes = OBLEA_TRY(size_of("--shm-size", wishes.shm_size));
        if (limits.shm_bytes == 0) {
            return fail(Errno::einval, "", "SHM size can not be less than 0");
        }
    }
    for (std::string const& one : wishes.ulimits) {
        limits.ulimits.push_back(OBLEA_TRY(parse_ulimit(one)));
    }
    return limits;
}

json encode_limits(ResourceLimits const& limits) {
    json ulimits = json::array();
    std::ranges::transform(limits.ulimits, std::back_inserter(ulimits), encode_ulimit);
    return {{"memory_bytes", limits.memory_bytes},
            {"swap_bytes", limits.swap_bytes},
            {"swap", static_cast<unsigned>(limits.swap)},
            {"nano_cpus", limits.nano_cpus},
            {"cpu_shares", limits.cpu_shares},
            {"cpuset_cpus", limits.cpuset_cpus},
            {"pids", limits.pids},
            {"shm_bytes", limits.shm_bytes},
            {"ulimits", std::move(ulimits)}};
}

Result<ResourceLimits> decode_limits(json const& object) {
    ResourceLimits limits;
    limits.memory_bytes = OBLEA_TRY(fields::number(object, "memory_bytes", kLimitsOwner));
    limits.swap_bytes = OBLEA_TRY(fields::number(object, "swap_bytes", kLimitsOwner));
    std::uint64_t const swap = OBLEA_TRY(fields::number(object, "swap", kLimitsOwner));
    if (swap > static_cast<unsigned>(ResourceLimits::Swap::unlimited)) {
        return fields::invalid(kLimitsOwner, "swap is none of its values");
    }
    limits.swap = static_cast<ResourceLimits::Swap>(swap);
    limits.nano_cpus = OBLEA_TRY(fields::number(object, "nano_cpus", kLimitsOwner));
    limits.cpu_shares = OBLEA_TRY(fields::number(object, "cpu_shares", kLimitsOwner));
    limits.cpuset_cpus = OBLEA_TRY(fields::text(object, "cpuset_cpus", kLimitsOwner));
    limits.pids = OBLEA_TRY(fields::number(object, "pids", kLimitsOwner));
    limits.shm_bytes = OBLEA_TRY(fields::number(object, "shm_bytes", kLimitsOwner));
    for (json const& one : *OBLEA_TRY(fields::array(object, "ulimits", kLimitsOwner))) {
        Ulimit limit;
        limit.name = OBLEA_TRY(fields::text(one, "name", kLimitsOwner));
        limit.soft = OBLEA_TRY(fields::number(one, "soft", kLimitsOwner));
        limit.hard = OBLEA_TRY(fields::number(one, "hard", kLimitsOwner));
        limits.ulimits.push_back(std::move(limit));
    }
    return limits;
}

std::string rlimit_name(std::string_view ulimit) {
    std::string name = "RLIMIT_";
    std::ranges::transform(ulimit, std::back_inserter(name),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return name;
}

Result<int> rlimit_number(std::string_view name) {
    auto const* const found = std::ranges::find_if(
        kRlimits, [&](RlimitName const& one) { return rlimit_name(one.name) == name; });
    if (found == kRlimits.end()) {
        return fail(Errno::einval, "", fmt::format("unknown limit {}", name));
    }
    return found->number;
}

}  // namespace oblea::tools
