// SPDX-License-Identifier: MIT
#include "fs/fuse/backing_files.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace oblea::fs {
namespace {

namespace sys = base::sys;

// Of linux/fuse.h since 6.9, which older headers lack.
struct BackingMap {
    std::int32_t fd = -1;
    std::uint32_t flags = 0;
    std::uint64_t padding = 0;
};
constexpr unsigned long kBackingOpen = _IOW(229, 1, BackingMap);
constexpr unsigned long kBackingClose = _IOW(229, 2, std::uint32_t);

// linux/proc_ns.h, PROC_USER_INIT_INO: the number of the first user namespace.
constexpr ino_t kFirstUserNamespace = 0xEFFFFFFD;

using Capabilities = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

Result<Capabilities> own_capabilities() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    Capabilities sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) {
        return fail(sys::last_errno(), "capget");
    }
    return sets;
}

Status set_capabilities(Capabilities const& sets) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    return ::syscall(SYS_capset, &header, sets.data()) == 0 ? Status{}
                                                            : fail(sys::last_errno(), "capset");
}

// The kernel writes with the rights that this thread has at the moment. Without the right to keep
// them, a write drops set-user-id bits, as it must for those who may not: the program's own rights
// are not looked at.
Result<std::int32_t> make_known(int device, int file) {
    Capabilities const all = OBLEA_TRY(own_capabilities());
    Capabilities fewer = all;
    fewer[CAP_TO_INDEX(CAP_FSETID)].effective &= ~CAP_TO_MASK(CAP_FSETID);
    OBLEA_TRY(set_capabilities(fewer));
    base::ScopeExit const restore{[&] { static_cast<void>(set_capabilities(all)); }};
    BackingMap const map{.fd = file};
    int const number = ::ioctl(device, kBackingOpen, &map);
    if (number <= 0) {
        return fail(sys::last_errno(), "FUSE_DEV_IOC_BACKING_OPEN");
    }
    return number;
}

void make_unknown(int device, std::int32_t number) {
    auto const given = static_cast<std::uint32_t>(number);
    static_cast<void>(::ioctl(device, kBackingClose, &given));  // only a wrong number fails
}

[[maybe_unused]] bool kernel_has_backing() {
    struct utsname system{};
    unsigned major = 0;
    unsigned minor = 0;
    return ::uname(&system) == 0 &&
           std::sscanf(static_cast<char const*>(system.release), "%u.%u", &major, &minor) == 2 &&
           std::pair{major, minor} >= std::pair{6U, 9U};
}

}  // namespace

std::string why_no_backing() {
#if FUSE_VERSION < FUSE_MAKE_VERSION(3, 17)
    return "libfuse 3.17 or newer has it";
#else
    if (!kernel_has_backing()) {
        return "Linux 6.9 or newer has it";
    }
    auto const sets = own_capabilities();
    if (!sets.has_value() ||
        ((*sets)[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN)) == 0) {
        return "it needs CAP_SYS_ADMIN";
    }
    struct stat user_namespace{};
    if (::stat("/proc/self/ns/user", &user_namespace) != 0 ||
        user_namespace.st_ino != kFirstUserNamespace) {
        return "it needs CAP_SYS_ADMIN outside of user namespaces";
    }
    return {};
#endif
}

Result<std::unique_ptr<BackingFiles>> BackingFiles::make(int device) {
    return adopt(device, OBLEA_TRY(Ledger::make()));
}

std::unique_ptr<BackingFiles> BackingFiles::adopt(int device, Ledger ledger) {
    return std::unique_ptr<BackingFiles>{
        new BackingFiles(device, std::move(ledger))};  // NOLINT: private constructor
}

Status BackingFiles::probe() {
    base::UniqueFd const file{::memfd_create("oblea-probe", MFD_CLOEXEC)};
    if (!file.valid()) {
        return fail(sys::last_errno(), "memfd_create");
    }
    make_unknown(device_, OBLEA_TRY(make_known(device_, file.get())));
    return {};
}

std::int32_t BackingFiles::number_for(int device, Candidate const& candidate) {
    auto const file = candidate.file();
    if (!file.has_value() || *file == nullptr) {
        return kThroughCache;
    }
    // What the kernel does not take is served as if there were no passthrough.
    return make_known(device, (*file)->get()).value_or(kThroughCache);
}

BackingFiles::Way BackingFiles::add_open(Ino ino, Candidate const& candidate) {
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    auto const [at, first] = home.files.try_emplace(static_cast<std::uint64_t>(ino));
    Known& file = at->second;
    Way way;
    // Else it is open already, from before it was in the upper.
    if (first && candidate.opens() == 1) {
        file.number = number_for(device_, candidate);
        way.pages = Way::Pages::drop;
    }
    way.number = file.number;
    if (way.number != kThroughCache) {
        way.pages = Way::Pages::drop;
    }
    ++file.opens;
    if (first) {
        file.slot = ledger_.add(ino, file.entry());
    } else {
        ledger_.set(file.slot, file.entry());
    }
    return way;
}

void BackingFiles::end_open(Ino ino, std::function<void()> const& release) {
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    release();
    auto const at = home.files.find(static_cast<std::uint64_t>(ino));
    if (at == home.files.end()) {
        return;
    }
    Known& file = at->second;
    if (--file.opens > 0) {
        ledger_.set(file.slot, file.entry());
        return;
    }
    ledger_.remove(file.slot);
    if (file.number != kThroughCache) {
        make_unknown(device_, file.number);
    }
    home.files.erase(at);
}

bool BackingFiles::is_kernels(Ino ino) {
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    auto const at = home.files.find(static_cast<std::uint64_t>(ino));
    return at != home.files.end() && at->second.number != kThroughCache;
}

void BackingFiles::resume() {
    for (Shard& one : shards_) {
        base::LockGuard const lock{one.mutex};
        one.files.clear();
    }
    for (auto const& [ino, known] : ledger_.start_over()) {
        Shard& home = shard(Ino{ino});
        base::LockGuard const lock{home.mutex};
        home.files[ino] = {.number = static_cast<std::int32_t>(known.entry[0]),
                           .opens = known.entry[1],
                           .slot = known.slot};
    }
}

}  // namespace oblea::fs
