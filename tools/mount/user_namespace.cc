// SPDX-License-Identifier: MIT
#include "tools/mount/user_namespace.h"

#include "store/base/limits.h"
#include "store/base/subprocess.h"
#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/id_map.h"

#include <fmt/core.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

// A Debian system uses ids up to 65534 (nobody).
constexpr std::uint64_t kIdsWanted = 65535;

struct MapPlan {
    std::vector<IdMapLine> uids;
    std::vector<IdMapLine> gids;
    std::string missing;  // why they are not complete

    [[nodiscard]] bool is_single() const { return uids.size() == 1 || gids.size() == 1; }
};

std::string user_name() {
    passwd const* entry = ::getpwuid(::getuid());
    return entry != nullptr ? entry->pw_name : std::to_string(::getuid());
}

std::vector<IdRange> granted(char const* file, std::string const& user) {
    auto const text = sys::read_file(AT_FDCWD, file, limits::kIdFileBytesMax);
    return text.has_value() ? parse_subordinate_ids(*text, user, ::getuid())
                            : std::vector<IdRange>{};
}

MapPlan plan_maps() {
    std::string const user = user_name();
    MapPlan plan{.uids = plan_id_map(::geteuid(), granted("/etc/subuid", user)),
                 .gids = plan_id_map(::getegid(), granted("/etc/subgid", user)),
                 .missing = {}};
    if (std::min(id_count(plan.uids), id_count(plan.gids)) < kIdsWanted) {
        plan.missing = fmt::format(
            "{0} has {1} in /etc/subuid and /etc/subgid; `usermod --add-subuids 100000-165535 "
            "--add-subgids 100000-165535 {0}`, by the administrator, gives them",
            user, plan.is_single() ? "no subordinate ids" : "too few subordinate ids");
    }
    return plan;
}

Status run_id_mapper(char const* program, pid_t process, std::vector<IdMapLine> const& map) {
    base::Program call{.arguments = {program, std::to_string(process)}, .environment = {}};
    for (IdMapLine const& line : map) {
        for (std::uint32_t const number : {line.inside, line.outside, line.count}) {
            call.arguments.push_back(std::to_string(number));
        }
    }
    auto const end = OBLEA_TRY(base::run_program(call));
    if (!end.succeeded()) {
        return fail(Errno::eperm, "", fmt::format("{}: {}", program, end.messages));
    }
    return {};
}

Status write_text(char const* path, std::string_view text) {
    auto const file = OBLEA_TRY(sys::open(path, O_WRONLY));
    return with_context(sys::write_all(file.get(), base::bytes_of(text)),
                        [&] { return std::string{path}; });
}

// With one id no helper is needed; the kernel wants setgroups closed for it.
Status map_own_id(unsigned uid, unsigned gid) {
    OBLEA_TRY(write_text("/proc/self/setgroups", "deny"));
    OBLEA_TRY(write_text("/proc/self/uid_map", fmt::format("0 {} 1\n", uid)));
    return write_text("/proc/self/gid_map", fmt::format("0 {} 1\n", gid));
}

// A child that stays outside of the new namespace and writes the maps when told to.
struct Mapper {
    pid_t pid = -1;
    base::UniqueFd start;
};

Result<Mapper> fork_mapper(MapPlan const& plan) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe2");
    }
    base::UniqueFd const reader{ends[0]};
    base::UniqueFd writer{ends[1]};
    pid_t const target = ::getpid();
    pid_t const child = ::fork();
    if (child < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (child == 0) {
        writer.reset();
        std::array<std::byte, 1> byte{};
        auto const told = sys::read_some(reader.get(), byte);
        bool const mapped = told.has_value() && *told == 1 &&
                            run_id_mapper("newuidmap", target, plan.uids).has_value() &&
                            run_id_mapper("newgidmap", target, plan.gids).has_value();
        ::_exit(mapped ? 0 : 1);
    }
    return Mapper{.pid = child, .start = std::move(writer)};
}

Error explain_refusal(Errno code) {
    if (code == Errno::enospc || code == Errno{EUSERS}) {
        return {code, "",
                "no more user namespaces are allowed here; the administrator can raise "
                "user.max_user_namespaces (sysctl)"};
    }
    if (code == Errno::eperm) {
        return {code, "",
                "user namespaces are forbidden here; the administrator can allow them: sysctl "
                "kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_"
                "userns=0 where there is AppArmor; in a container, run it with fewer restrictions"};
    }
    return {code, "unshare", "user namespace"};
}

// Root inside in name as well as in rights, and without the groups from outside.
enum class Map { full, single };
Status become_root_inside(Map map) {
    if (map == Map::full && ::setgroups(0, nullptr) != 0) {
        return fail(sys::last_errno(), "setgroups");
    }
    if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) {
        return fail(sys::last_errno(), "setresuid");
    }
    return {};
}

bool mapped_fully(MapPlan const& plan) {
    auto mapper = fork_mapper(plan);
    if (!mapper.has_value()) {
        return false;
    }
    if (::unshare(CLONE_NEWUSER) != 0) {
        return false;
    }
    std::array<std::byte, 1> const go{};
    if (!sys::write_all(mapper->start.get(), go).has_value()) {
        return false;
    }
    auto const status = wait_for_child(mapper->pid);
    return status.has_value() && *status == 0;
}

// Whether a full map can be made is tried in a child, since a namespace cannot be left again.
bool full_map_works(MapPlan const& plan) {
    pid_t const child = ::fork();
    if (child == 0) {
        ::_exit(mapped_fully(plan) ? 0 : 1);
    }
    auto const status = child > 0 ? wait_for_child(child) : Result<int>{1};
    return status.has_value() && *status == 0;
}

}  // namespace

Result<OwnerIds> owner_ids_here() {
    if (::geteuid() != 0) {
        return OwnerIds::squashed;
    }
    std::string const text =
        OBLEA_TRY(sys::read_file(AT_FDCWD, "/proc/self/uid_map", limits::kIdFileBytesMax));
    return id_count(parse_id_map(text)) > 1 ? OwnerIds::real : OwnerIds::squashed;
}

fs::Owners owners_of(OwnerIds ids) {
    if (ids == OwnerIds::real) {
        return {};
    }
    return {.kind = fs::Owners::Kind::squashed, .uid = ::geteuid(), .gid = ::getegid()};
}

bool may_mount() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) {
        return false;
    }
    return (data[CAP_SYS_ADMIN / 32].effective & (1U << (CAP_SYS_ADMIN % 32))) != 0;
}

Result<EnteredNamespace> enter_user_namespace() {
    unsigned const uid = ::geteuid();
    unsigned const gid = ::getegid();
    MapPlan const plan = plan_maps();
    if (!plan.is_single() && full_map_works(plan)) {
        if (!mapped_fully(plan)) {
            return fail(Errno::eperm, "", "newuidmap worked once and then failed");
        }
        OBLEA_TRY(become_root_inside(Map::full));
        return EnteredNamespace{.ids = OwnerIds::real, .warning = plan.missing};
    }
    if (::unshare(CLONE_NEWUSER) != 0) {
        return std::unexpected<Error>(explain_refusal(sys::last_errno()));
    }
    OBLEA_TRY(map_own_id(uid, gid));
    OBLEA_TRY(become_root_inside(Map::single));
    std::string why = plan.is_single()
                          ? plan.missing
                          : "newuidmap and newgidmap cannot be used: install the package uidmap "
                            "(both have to be setuid root)";
    return EnteredNamespace{.ids = OwnerIds::squashed,
                            .warning = "only one user id works here, so programs that change "
                                       "owners or users (apt, su) will fail: " +
                                       why};
}

Status remove_tree_as_root_of_namespace(int dir, std::string const& path) {
    pid_t const child = ::fork();
    if (child < 0) {
        return fail(sys::last_errno(), "fork");
    }
    if (child == 0) {
        auto const entered = enter_user_namespace();
        if (!entered.has_value()) {
            ::_exit(static_cast<int>(entered.error().code));
        }
        auto const removed = sys::remove_tree(dir, path.c_str());
        ::_exit(removed.has_value() ? 0 : static_cast<int>(removed.error().code));
    }
    int const status = OBLEA_TRY(wait_for_child(child));
    if (status != 0) {
        return fail(WIFEXITED(status) ? Errno{WEXITSTATUS(status)} : Errno::eio, "remove", path);
    }
    return {};
}

}  // namespace oblea::tools
