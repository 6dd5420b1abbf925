// SPDX-License-Identifier: MIT
#include "tools/container/capabilities.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace oblea::tools {
namespace {

struct Capability {
    char const* name;
    int number;
    enum class Docker { has, has_not } docker = Docker::has_not;  // by default
};

constexpr auto kHas = Capability::Docker::has;
constexpr std::array kCapabilities{Capability{"CAP_CHOWN", CAP_CHOWN, kHas},
                                   Capability{"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE, kHas},
                                   Capability{"CAP_FSETID", CAP_FSETID, kHas},
                                   Capability{"CAP_FOWNER", CAP_FOWNER, kHas},
                                   Capability{"CAP_MKNOD", CAP_MKNOD, kHas},
                                   Capability{"CAP_NET_RAW", CAP_NET_RAW, kHas},
                                   Capability{"CAP_SETGID", CAP_SETGID, kHas},
                                   Capability{"CAP_SETUID", CAP_SETUID, kHas},
                                   Capability{"CAP_SETFCAP", CAP_SETFCAP, kHas},
                                   Capability{"CAP_SETPCAP", CAP_SETPCAP, kHas},
                                   Capability{"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE, kHas},
                                   Capability{"CAP_SYS_CHROOT", CAP_SYS_CHROOT, kHas},
                                   Capability{"CAP_KILL", CAP_KILL, kHas},
                                   Capability{"CAP_AUDIT_WRITE", CAP_AUDIT_WRITE, kHas},
                                   Capability{"CAP_AUDIT_CONTROL", CAP_AUDIT_CONTROL},
                                   Capability{"CAP_AUDIT_READ", CAP_AUDIT_READ},
                                   Capability{"CAP_BLOCK_SUSPEND", CAP_BLOCK_SUSPEND},
                                   Capability{"CAP_BPF", CAP_BPF},
                                   Capability{"CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE},
                                   Capability{"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
                                   Capability{"CAP_IPC_LOCK", CAP_IPC_LOCK},
                                   Capability{"CAP_IPC_OWNER", CAP_IPC_OWNER},
                                   Capability{"CAP_LEASE", CAP_LEASE},
                                   Capability{"CAP_LINUX_IMMUTABLE", CAP_LINUX_IMMUTABLE},
                                   Capability{"CAP_MAC_ADMIN", CAP_MAC_ADMIN},
                                   Capability{"CAP_MAC_OVERRIDE", CAP_MAC_OVERRIDE},
                                   Capability{"CAP_NET_ADMIN", CAP_NET_ADMIN},
                                   Capability{"CAP_NET_BROADCAST", CAP_NET_BROADCAST},
                                   Capability{"CAP_PERFMON", CAP_PERFMON},
                                   Capability{"CAP_SYS_ADMIN", CAP_SYS_ADMIN},
                                   Capability{"CAP_SYS_BOOT", CAP_SYS_BOOT},
                                   Capability{"CAP_SYSLOG", CAP_SYSLOG},
                                   Capability{"CAP_SYS_MODULE", CAP_SYS_MODULE},
                                   Capability{"CAP_SYS_NICE", CAP_SYS_NICE},
                                   Capability{"CAP_SYS_PACCT", CAP_SYS_PACCT},
                                   Capability{"CAP_SYS_PTRACE", CAP_SYS_PTRACE},
                                   Capability{"CAP_SYS_RAWIO", CAP_SYS_RAWIO},
                                   Capability{"CAP_SYS_RESOURCE", CAP_SYS_RESOURCE},
                                   Capability{"CAP_SYS_TIME", CAP_SYS_TIME},
                                   Capability{"CAP_SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG},
                                   Capability{"CAP_WAKE_ALARM", CAP_WAKE_ALARM}};
constexpr char const* kAll = "ALL";

// In capitals, with what they begin with.
Result<std::vector<std::string>> named(std::vector<std::string> const& typed, char const* field) {
    std::vector<std::string> names;
    for (std::string name : typed) {
        std::ranges::transform(name, name.begin(),
                               [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        if (name != kAll && !name.starts_with("CAP_")) {
            name.insert(0, "CAP_");
        }
        if (name != kAll && !capability_number(name).has_value()) {
            return fail(Errno::einval, "",
                        fmt::format("invalid {}: unknown capability: \"{}\"", field, name));
        }
        names.push_back(std::move(name));
    }
    return names;
}

bool has(std::vector<std::string> const& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

// What is named counts more than ALL on the other side; of ALL on both sides that of adding.
bool is_wished(Capability const& one, std::vector<std::string> const& add,
               std::vector<std::string> const& drop) {
    if (has(add, one.name)) {
        return true;
    }
    if (has(drop, one.name)) {
        return false;
    }
    return has(add, kAll) || (!has(drop, kAll) && one.docker == kHas);
}

}  // namespace

Result<std::vector<std::string>> plan_capabilities(CapabilityWishes const& wishes) {
    auto const add = OBLEA_TRY(named(wishes.add, "CapAdd"));
    auto const drop = OBLEA_TRY(named(wishes.drop, "CapDrop"));
    std::vector<std::string> names;
    for (Capability const& one : kCapabilities) {
        if (!is_wished(one, add, drop)) {
            continue;
        }
        if (::prctl(PR_CAPBSET_READ, one.number) == 1) {
            names.emplace_back(one.name);
        } else if (has(add, one.name)) {
            return fail(
                Errno::eperm, "",
                fmt::format("--cap-add {}: this process does not have it itself", one.name));
        }
    }
    return names;
}

std::optional<int> capability_number(std::string_view name) {
    auto const* const found = std::ranges::find(kCapabilities, name, &Capability::name);
    return found == kCapabilities.end() ? std::nullopt : std::optional{found->number};
}

}  // namespace oblea::tools
