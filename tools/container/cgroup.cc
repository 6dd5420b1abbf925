// SPDX-License-Identifier: MIT
#include "tools/container/cgroup.h"

#include "store/base/sys.h"
#include "store/base/text.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <thread>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr char const* kTop = "/sys/fs/cgroup";
constexpr char const* kOurs = "oblea";
constexpr std::size_t kCgroupFileBytesMax = 1U << 20U;
constexpr std::uint64_t kPeriodUs = 100'000;
constexpr std::uint64_t kNanoPerUs = 1'000'000'000 / kPeriodUs;
constexpr auto kEndWait = std::chrono::seconds{5};
constexpr auto kEndStep = std::chrono::milliseconds{10};

// Where a controller is.
struct Hierarchy {
    std::string path;
    enum class Version { one, two } version = Version::two;
};

bool is_file_system(std::string const& path, std::uint64_t magic) {
    struct statfs info{};
    return ::statfs(path.c_str(), &info) == 0 && static_cast<std::uint64_t>(info.f_type) == magic;
}

bool has_word(std::string_view text, std::string_view word) {
    while (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    auto const words = base::split(text, ' ');
    return std::ranges::find(words, word) != words.end();
}

std::string text_of_file(int folder, char const* name) {
    return sys::read_file(folder, name, kCgroupFileBytesMax).value_or("");
}

std::optional<Hierarchy> find_hierarchy(std::string const& controller) {
    std::string const top = kTop;
    for (std::string const& path : {top, top + "/unified"}) {
        std::string const list = path + "/cgroup.controllers";
        if (is_file_system(path, CGROUP2_SUPER_MAGIC) &&
            has_word(text_of_file(AT_FDCWD, list.c_str()), controller)) {
            return Hierarchy{.path = path, .version = Hierarchy::Version::two};
        }
    }
    std::string const path = top + '/' + controller;
    return is_file_system(path, CGROUP_SUPER_MAGIC)
               ? std::optional{Hierarchy{.path = path, .version = Hierarchy::Version::one}}
               : std::nullopt;
}

struct Need {
    char const* controller;
    char const* option;  // that asks for it
};

std::vector<Need> needs_of(ResourceLimits const& limits) {
    std::vector<Need> needs;
    if (limits.memory_bytes != 0) {
        needs.push_back({"memory", "--memory"});
    }
    if (limits.nano_cpus != 0 || limits.cpu_shares != 0) {
        needs.push_back({"cpu", limits.nano_cpus != 0 ? "--cpus" : "--cpu-shares"});
    }
    if (!limits.cpuset_cpus.empty()) {
        needs.push_back({"cpuset", "--cpuset-cpus"});
    }
    if (limits.pids != 0) {
        needs.push_back({"pids", "--pids-limit"});
    }
    return needs;
}

Status set(UniqueFd const& folder, char const* name, std::string_view value) {
    auto const written = [&]() -> Status {
        auto const file = OBLEA_TRY(sys::openat(folder.get(), name, O_WRONLY));
        return sys::write_all(file.get(), base::bytes_of(value));
    }();
    return with_context(written, [&] { return fmt::format("cgroup: {} = {}", name, value); });
}

Status set(UniqueFd const& folder, char const* name, std::uint64_t value) {
    return set(folder, name, std::to_string(value));
}

// A controller works in a folder of version 2 when the one above hands it on.
Status hand_on(UniqueFd const& folder, std::string const& controller) {
    return has_word(text_of_file(folder.get(), "cgroup.subtree_control"), controller)
               ? Status{}
               : set(folder, "cgroup.subtree_control", '+' + controller);
}

// Nothing can be in a cpuset without processors and memory; a new one of version 1 has neither.
Status inherit_cpuset(UniqueFd const& parent, UniqueFd const& folder) {
    for (char const* name : {"cpuset.cpus", "cpuset.mems"}) {
        std::string const own = text_of_file(folder.get(), name);
        if (own.empty() || own == "\n") {
            OBLEA_TRY(set(folder, name, text_of_file(parent.get(), name)));
        }
    }
    return {};
}

Result<UniqueFd> make_folder(UniqueFd const& parent, Hierarchy const& where,
                             std::string const& controller, std::string const& name) {
    if (where.version == Hierarchy::Version::two) {
        OBLEA_TRY(hand_on(parent, controller));
    }
    OBLEA_TRY(sys::mkdirat_if_missing(parent.get(), name.c_str(), 0755));
    UniqueFd folder = OBLEA_TRY(sys::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY));
    if (where.version == Hierarchy::Version::one && controller == "cpuset") {
        OBLEA_TRY(inherit_cpuset(parent, folder));
    }
    return folder;
}

// As runc and crun convert them: 2 to 262144 into 1 to 10000.
std::uint64_t weight_of(std::uint64_t shares) {
    constexpr std::uint64_t kLeast = 2;
    constexpr std::uint64_t kMost = 262'144;
    return 1 + (std::clamp(shares, kLeast, kMost) - kLeast) * 9999 / (kMost - kLeast);
}

Status set_swap(UniqueFd const& folder, Hierarchy::Version version, ResourceLimits const& limits,
                std::vector<std::string>& warnings) {
    using Swap = ResourceLimits::Swap;
    bool const two = version == Hierarchy::Version::two;
    char const* const name = two ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
    if (!OBLEA_TRY(sys::stat_if_exists(folder.get(), name)).has_value()) {
        warnings.emplace_back(
            "Your kernel does not support swap limit capabilities or the cgroup is "
            "not mounted. Memory limited without swap.");
        return {};
    }
    if (limits.swap == Swap::unlimited) {
        return set(folder, name, two ? "max" : "-1");
    }
    std::uint64_t const swap =
        limits.swap == Swap::as_memory ? limits.memory_bytes : limits.swap_bytes;
    return set(folder, name, two ? swap : limits.memory_bytes + swap);
}

Status set_memory_limit(UniqueFd const& folder, Hierarchy::Version version,
                        ResourceLimits const& limits, std::vector<std::string>& warnings) {
    bool const two = version == Hierarchy::Version::two;
    if (!two) {
        // One that an earlier run has left: its limit for both must not be below the new one.
        static_cast<void>(set(folder, "memory.memsw.limit_in_bytes", "-1"));
    }
    OBLEA_TRY(set(folder, two ? "memory.max" : "memory.limit_in_bytes", limits.memory_bytes));
    return set_swap(folder, version, limits, warnings);
}

Status set_cpu_limit(UniqueFd const& folder, Hierarchy::Version version,
                     ResourceLimits const& limits) {
    bool const two = version == Hierarchy::Version::two;
    std::uint64_t const quota = limits.nano_cpus / kNanoPerUs;
    if (quota != 0 && two) {
        OBLEA_TRY(set(folder, "cpu.max", fmt::format("{} {}", quota, kPeriodUs)));
    } else if (quota != 0) {
        OBLEA_TRY(set(folder, "cpu.cfs_period_us", kPeriodUs));
        OBLEA_TRY(set(folder, "cpu.cfs_quota_us", quota));
    }
    if (limits.cpu_shares == 0) {
        return {};
    }
    return two ? set(folder, "cpu.weight", weight_of(limits.cpu_shares))
               : set(folder, "cpu.shares", limits.cpu_shares);
}

Status set_limit(UniqueFd const& folder, Hierarchy::Version version, std::string_view controller,
                 ResourceLimits const& limits, std::vector<std::string>& warnings) {
    if (controller == "memory") {
        return set_memory_limit(folder, version, limits, warnings);
    }
    if (controller == "cpu") {
        return set_cpu_limit(folder, version, limits);
    }
    return controller == "cpuset" ? set(folder, "cpuset.cpus", limits.cpuset_cpus)
                                  : set(folder, "pids.max", limits.pids);
}

// Every folder there is of a container, in whatever hierarchy.
std::vector<std::string> folders_of(std::string const& id) {
    std::vector<std::string> tops{kTop};
    auto const top = sys::open(kTop, O_RDONLY | O_DIRECTORY);
    auto const entries =
        top.has_value() ? sys::list_dir(top->get()) : Result<std::vector<sys::DirEntry>>{};
    for (sys::DirEntry const& entry : entries.value_or(std::vector<sys::DirEntry>{})) {
        tops.push_back(fmt::format("{}/{}", kTop, entry.name));
    }
    std::vector<std::string> found;
    for (std::string const& one : tops) {
        std::string path = fmt::format("{}/{}/{}", one, kOurs, id);
        if (::access(path.c_str(), F_OK) == 0) {
            found.push_back(std::move(path));
        }
    }
    return found;
}

// Processes that are ending keep it for a moment.
void remove_patiently(int parent, std::string const& name) {
    auto const until = std::chrono::steady_clock::now() + kEndWait;
    while (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 &&
           sys::last_errno() == Errno::ebusy && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(kEndStep);
    }
}

Status add_to(int folder, pid_t process) {
    auto const file = OBLEA_TRY(sys::openat(folder, "cgroup.procs", O_WRONLY));
    return with_context(sys::write_all(file.get(), base::bytes_of(std::to_string(process))), [&] {
        return fmt::format("moving process {} into the container's cgroup", process);
    });
}

}  // namespace

Status check_cgroups(ResourceLimits const& limits) {
    for (Need const& need : needs_of(limits)) {
        if (::geteuid() != 0) {
            return fail(
                Errno::eperm, "",
                fmt::format("{} wants a cgroup for the container, which only root may make: "
                            "leave it out, or run this as root",
                            need.option));
        }
        auto const where = find_hierarchy(need.controller);
        if (!where.has_value()) {
            return fail(Errno::eopnotsupp, "",
                        fmt::format("{} wants the cgroup controller '{}', which this machine does "
                                    "not have in {}",
                                    need.option, need.controller, kTop));
        }
        if (::access(where->path.c_str(), W_OK) != 0) {
            return fail(sys::last_errno(), "",
                        fmt::format("{} wants a cgroup for the container, and {} cannot be written "
                                    "to",
                                    need.option, where->path));
        }
    }
    return {};
}

Result<Cgroup> Cgroup::make(std::string const& id, ResourceLimits const& limits) {
    OBLEA_TRY(check_cgroups(limits));
    Cgroup made;
    made.id_ = id;
    auto const filled = made.fill(limits);
    if (!filled.has_value()) {
        made.remove();
        return std::unexpected<Error>(filled.error());
    }
    return made;
}

Status Cgroup::fill(ResourceLimits const& limits) {
    for (Need const& need : needs_of(limits)) {
        auto const where = find_hierarchy(need.controller);
        if (!where.has_value()) {
            return fail(Errno::eopnotsupp, "", std::string{need.controller});
        }
        UniqueFd const top = OBLEA_TRY(sys::open(where->path, O_RDONLY | O_DIRECTORY));
        UniqueFd ours = OBLEA_TRY(make_folder(top, *where, need.controller, kOurs));
        UniqueFd own = OBLEA_TRY(make_folder(ours, *where, need.controller, id_));
        folders_.push_back({.parent = std::move(ours), .own = std::move(own)});
        OBLEA_TRY(
            set_limit(folders_.back().own, where->version, need.controller, limits, warnings_));
    }
    return {};
}

Status Cgroup::add(pid_t process) const {
    for (Folder const& folder : folders_) {
        OBLEA_TRY(add_to(folder.own.get(), process));
    }
    return {};
}

std::uint64_t Cgroup::oom_kills() const {
    constexpr std::string_view kKey = "oom_kill ";
    std::uint64_t most = 0;
    for (Folder const& folder : folders_) {
        for (char const* name : {"memory.events", "memory.oom_control"}) {
            std::string const text = text_of_file(folder.own.get(), name);
            for (std::string_view const line : base::split(text, '\n')) {
                std::uint64_t count = 0;
                if (line.starts_with(kKey)) {
                    std::string_view const number = line.substr(kKey.size());
                    std::from_chars(number.data(), number.data() + number.size(), count);
                }
                most = std::max(most, count);
            }
        }
    }
    return most;
}

Status enter_cgroup(std::string const& id) {
    for (std::string const& path : folders_of(id)) {
        auto const folder = OBLEA_TRY(sys::open(path, O_RDONLY | O_DIRECTORY));
        OBLEA_TRY(add_to(folder.get(), ::getpid()));
    }
    return {};
}

void Cgroup::remove() const {
    for (Folder const& folder : folders_) {
        remove_patiently(folder.parent.get(), id_);
    }
}

void remove_cgroups(std::string const& id) {
    for (std::string const& path : folders_of(id)) {
        remove_patiently(AT_FDCWD, path);
    }
}

std::string cgroup_path(std::string const& id) {
    return fmt::format("/{}/{}", kOurs, id);
}

}  // namespace oblea::tools
