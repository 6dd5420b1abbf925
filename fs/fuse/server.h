// SPDX-License-Identifier: MIT
// Serves a union to the kernel: the only code that knows libfuse.
//
// One server is one mount. mount() attaches it and returns when the kernel has agreed on the
// protocol's terms (INIT answered); run() answers requests, on several threads, until the mount
// ends.
//
// A mount can outlive the process that serves it: call mount() in a process that does nothing else,
// and run() in children forked from it. As long as the parent lives, programs only wait when a
// child dies, and the next one goes on with resume() and run().
#pragma once
#include "fs/fuse/placeholder.h"
#include "fs/union_fs.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace oblea::fs {

struct MountOptions {
    std::string source = "oblea";  // as /proc/mounts shows it
    std::string subtype = "oblea";
    enum class Access { owner_only, allow_other } access = Access::owner_only;
    enum class Suid { no, yes } suid = Suid::no;
    enum class Dev { no, yes } dev = Dev::no;
    enum class Exec { no, yes } exec = Exec::yes;
    enum class ReadOnly { no, yes } read_only = ReadOnly::no;
    // How bytes reach the programs; automatic: the best that kernel and rights allow.
    enum class Data { automatic, passthrough, cached, no_open } data = Data::automatic;
    // How requests come here; automatic: by io_uring where kernel and machine have it.
    enum class Transport { automatic, device, io_uring } transport = Transport::automatic;
    enum class Debug { no, yes } debug = Debug::no;  // every request on standard error
    std::string selinux_context;                     // of all files; empty: as the system decides
    unsigned threads = 0;  // 0: as many as processors, at least 2 and at most 8; not with io_uring
    // What the server reads and writes while it runs (store, upper layer): the mount point must not
    // be one of these folders, nor above one.
    std::vector<std::string> needed_paths;
    // Mount points that neither image nor upper need have; those whose parent is missing are left
    // out.
    std::vector<Placeholder> placeholders;
};

// What the kernel and our rights gave, for `oblea mounts` and `oblea info`.
struct MountTerms {
    std::uint32_t protocol_major = 0;
    std::uint32_t protocol_minor = 0;
    std::string libfuse;  // version
    std::string mode;     // "no-open", "cached" or "passthrough"
    std::string reason;   // why this mode
    bool passthrough_offered = false;
    std::string transport;         // "device" or "io_uring"
    std::string transport_reason;  // why this one
};

// What one program needs of another to go on with its mount: descriptors, and what was agreed.
struct Handover {
    int device = -1;    // the connection to the kernel
    int counters = -1;  // memory that is shared
    int in_hand = -1;   //
    int backing = -1;   // of passthrough only
    int rings = -1;     // of io_uring only; its address and size with it
    std::uint64_t rings_at = 0;
    unsigned ring_queues = 0;
    std::vector<std::byte> init{};  // the kernel's first request
    std::uint64_t agreed = 0;       // the features of libfuse that the answer asked for
    std::string asked_data;         // the mode that was asked for then
    std::string data;               // the one that it came to, and why, as in MountTerms
    std::string reason;
    std::string transport_reason;
    std::string mount_point;
    std::string mount_device;  // "0:57"
    std::uint64_t mount_id = 0;
    std::vector<Placeholders::Added> placeholders{};
};

class Server {
public:
    // Mounts at `mount_point` (by mount(2) where we may, else by fusermount3). Errors name the
    // cause and the way out: /dev/fuse missing or not accessible, fusermount3 missing,
    // user_allow_other not set in fuse.conf, mount point missing, not a folder, not ours, busy;
    // EOPNOTSUPP when the data mode or the transport that was asked for cannot be had.
    static Result<std::unique_ptr<Server>>
    mount(std::unique_ptr<UnionFs> fs, std::string const& mount_point, MountOptions const& options);
    // In another program: goes on with a mount, over a union that was adopted too. resume() must
    // follow. Takes the descriptors, and on success the mount; an error leaves that as it is.
    // Errors: EOPNOTSUPP when this program would have agreed on other terms with the kernel.
    static Result<std::unique_ptr<Server>> adopt(std::unique_ptr<UnionFs> fs,
                                                 Handover const& handover, unsigned threads);
    ~Server();  // unmounts if still mounted

    // The descriptors stay ours.
    [[nodiscard]] Handover handover() const;

    [[nodiscard]] MountTerms terms() const;
    [[nodiscard]] std::string const& mount_point() const;  // absolute, without links

    // Memory that tells how often each kind of request was answered: see counters.h.
    [[nodiscard]] int counters() const;

    // In a process forked from the one that called mount(), when an earlier one died in run():
    // takes over what it had, before run(). Only where can_resume(), which asks for Linux 6.9.
    // `crashed`: it ended by a fault of its own. A request with which two servers crashed is
    // answered with EIO.
    enum class Crashed { no, yes };
    Status resume(Crashed crashed);
    [[nodiscard]] bool can_resume() const;

    // Until unmounted, or until stop(), which unmounts (lazily when the mount is in use). Threads
    // are joined when it returns. Uses SIGUSR1 of its own threads.
    Status run();
    void stop() noexcept;  // async-signal-safe

    // After run(), or instead of it: unmounts what is still mounted, and gives the union back,
    // which nobody asks any more. The server must be destroyed next.
    [[nodiscard]] std::unique_ptr<UnionFs> take_union();

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Takes the mount at `mount_point` away: umount2 where we may, else fusermount3 -u. EBUSY names who
// holds it where that can be seen, and the lazy way; EINVAL when nothing of ours is mounted there.
enum class Lazy { no, yes };
Status unmount(std::string const& mount_point, Lazy lazy);

}  // namespace oblea::fs
