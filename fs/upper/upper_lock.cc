// SPDX-License-Identifier: MIT
#include "fs/upper/upper_lock.h"

#include "store/base/sys.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <thread>

namespace oblea::fs {
namespace {

namespace sys = base::sys;

constexpr char const* kLockFile = "lock";
constexpr char const* kEnds = " ends";
constexpr std::size_t kTextBytesMax = 8192;
constexpr std::chrono::milliseconds kPause{20};

std::optional<LockHolder> read_holder(int folder, char const* path) {
    auto const text = sys::read_file(folder, path, kTextBytesMax);
    return text.has_value() ? parse_holder(*text) : std::nullopt;
}

// The mounts that the holder sees, and ours where it cannot be asked: it may be gone, and the
// server that it has left behind be the one to wait for.
std::vector<MountEntry> mounts_of(LockHolder const& holder) {
    auto table = read_mountinfo(holder.pid);
    if (!table.has_value()) {
        table = read_mountinfo();
    }
    return table.has_value() ? *std::move(table) : std::vector<MountEntry>{};
}

Error explain_held(std::optional<LockHolder> const& holder, HolderState state) {
    std::string const who = holder.has_value() ? fmt::format(" by process {}", holder->pid) : "";
    switch (state) {
    case HolderState::mounted:
        return {Errno::ebusy, "", fmt::format("mounted already at {}{}", holder->mount->path, who)};
    case HolderState::detached:
        return {Errno::ebusy, "",
                fmt::format("in use{}: the mount at {} was taken down, but its server has not "
                            "ended; it goes on as long as somebody uses a file of the mount",
                            who, holder->mount->path)};
    case HolderState::ending:
        return {Errno::ebusy, "",
                fmt::format("in use{}, which was unmounted and still writes to the disk", who)};
    case HolderState::other:
        break;
    }
    return {Errno::ebusy, "", "in use already" + who};
}

}  // namespace

std::string encode_holder(LockHolder const& holder) {
    if (holder.ends == LockHolder::Ends::yes) {
        return std::to_string(holder.pid) + kEnds;
    }
    return holder.mount.has_value()
               ? fmt::format("{} {} {}", holder.pid, holder.mount->device, holder.mount->path)
               : std::to_string(holder.pid);
}

std::optional<LockHolder> parse_holder(std::string_view text) {
    LockHolder holder;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), holder.pid);
    if (error != std::errc{} || holder.pid <= 0) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) {
        return holder;
    }
    if (text == kEnds) {
        holder.ends = LockHolder::Ends::yes;
        return holder;
    }
    auto const path = text.find(" /");
    if (!text.starts_with(' ') || path <= 1 || path == std::string_view::npos) {
        return std::nullopt;
    }
    holder.mount = MountPlace{.device = std::string{text.substr(1, path - 1)},
                              .path = std::string{text.substr(path + 1)}};
    return holder;
}

HolderState state_of(std::optional<LockHolder> const& holder,
                     std::vector<MountEntry> const& table) {
    if (holder.has_value() && holder->ends == LockHolder::Ends::yes) {
        return HolderState::ending;
    }
    if (!holder.has_value() || !holder->mount.has_value()) {
        return HolderState::other;
    }
    // The device alone may be another mount's by now.
    bool const is_there = std::ranges::any_of(table, [&](MountEntry const& entry) {
        return entry.device == holder->mount->device && entry.mount_point == holder->mount->path;
    });
    return is_there ? HolderState::mounted : HolderState::detached;
}

std::chrono::seconds patience_with(HolderState state) {
    switch (state) {
    case HolderState::mounted:
        return std::chrono::seconds{0};
    case HolderState::detached:
        return std::chrono::seconds{30};
    case HolderState::ending:
        return std::chrono::minutes{5};  // only the disk can hold it up
    case HolderState::other:
        break;
    }
    return std::chrono::seconds{2};
}

Status wait_for_lock(int descriptor, int folder, char const* path) {
    auto since = std::chrono::steady_clock::now();
    std::optional<LockHolder> seen;
    while (!OBLEA_TRY(sys::try_lock(descriptor, sys::LockKind::exclusive))) {
        // Asked anew each time: whoever has it may mount, unmount, or be followed by another one,
        // for whom the wait begins anew.
        auto const holder = read_holder(folder, path);
        HolderState const state =
            state_of(holder, holder.has_value() ? mounts_of(*holder) : std::vector<MountEntry>{});
        auto const now = std::chrono::steady_clock::now();
        if (holder != seen) {
            seen = holder;
            since = now;
        }
        if (now - since >= patience_with(state)) {
            return std::unexpected<Error>(explain_held(holder, state));
        }
        std::this_thread::sleep_for(kPause);
    }
    return {};
}

Result<base::UniqueFd> take_upper_lock(int work_folder) {
    base::UniqueFd lock = OBLEA_TRY(sys::openat(work_folder, kLockFile, O_RDWR | O_CREAT, 0644));
    OBLEA_TRY(wait_for_lock(lock.get(), work_folder, kLockFile));
    OBLEA_TRY(sys::ftruncate(lock.get(), 0));
    std::string const text = encode_holder({.pid = ::getpid()});
    OBLEA_TRY(sys::pwrite_all(lock.get(), base::bytes_of(text), 0));
    return lock;
}

Status note_mount(int lock, MountPlace const& mount) {
    std::string const text = encode_holder({.pid = ::getpid(), .mount = mount});
    return sys::pwrite_all(lock, base::bytes_of(text), 0);
}

Status note_end(int lock) {
    base::Bytes buffer(kTextBytesMax);
    std::size_t const count = OBLEA_TRY(sys::pread_full(lock, buffer, 0));
    auto holder = parse_holder(base::text_of(base::ByteView{buffer}.first(count)));
    if (!holder.has_value()) {
        return fail(Errno::eio, "", "the lock of the writable layer does not name its holder");
    }
    std::string const text = encode_holder({.pid = holder->pid, .ends = LockHolder::Ends::yes});
    OBLEA_TRY(sys::ftruncate(lock, 0));
    return sys::pwrite_all(lock, base::bytes_of(text), 0);
}

}  // namespace oblea::fs
