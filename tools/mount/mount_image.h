// SPDX-License-Identifier: MIT
// Mounting images: the process that serves a mount, its lease and its end; `mount`, `umount` and
// `mounts`.
//
// mount_image() forks the server before anything else is done, so it must be called from a process
// that has one thread. Everything that the mount needs is opened by the server, whose lease ends
// with it however it dies.
#pragma once
#include "fs/fuse/counters.h"
#include "fs/fuse/server.h"
#include "store/image/image_view.h"
#include "store/store.h"
#include "tools/mount/containers.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oblea::tools {

// What a mount shows.
struct MountSource {
    // Image as typed. May be empty when `container` exists already: then its own image.
    std::string image;
    // Name (or id prefix) of a container that is used again, or name of the new one. Empty: a new
    // one with a generated name.
    std::string container;
};

enum class MountMode { writable, read_only };
enum class RemoveAtUnmount {
    when_untouched,  // a container that was made by this mount and in which nothing was changed
    always,          // --rm
};

struct MountRequest {
    MountSource source;
    // Empty: the container's own root folder, for mounts that only their own namespace sees.
    std::string mount_point;
    MountMode mode = MountMode::writable;
    // Writable layer in a folder of the user's own instead of a container; its work folder is
    // "<upper_dir>.work" beside it.
    std::string upper_dir;
    RemoveAtUnmount remove = RemoveAtUnmount::when_untouched;
    store::Contents contents = store::Contents::trusted;
    fs::MountOptions options;  // access, suid, dev, threads; the rest is set here
};

// A live mount, as its lease describes it.
struct MountInfo {
    std::string mount_point;  // absolute
    std::int64_t pid = 0;     // of the server
    std::string image;        // id, "sha256:..."
    std::string image_name;   // may be empty
    std::string container;    // name; empty: read-only, or an upper folder of the user's own
    std::string container_id;
    std::string upper_dir;  // of the user's own; else empty
    std::string mode;       // "read-only" or "writable"
    std::string protocol;   // "7.44, no-open", for people
    std::string reason;     // why this mode
    std::string transport;  // how requests come: "device" or "io_uring"
    std::string transport_reason;
    std::string started;        // RFC 3339
    std::string data;           // how bytes get to programs: "no-open", "passthrough", ...
    std::string program;        // version of the one that serves; empty: it cannot be exchanged
    std::int64_t upgrades = 0;  // how often that was tried, and why the last time failed
    std::string upgrade_error;
    std::vector<std::string> notes;  // what the user should know: one line each
    // How often the server answered each kind of request, as list_mounts() found it; nullopt where
    // we may not look into the server.
    std::optional<fs::RequestCounts> requests{};
};

// Mounts and returns once the mount answers; the server goes on in the background, free of the
// terminal, with its messages in the container's log (or in the lease's, "<lease>.log").
// Errors: everything that Server::mount, the store and the upper layer say; EEXIST when `container`
// belongs to another image; EBUSY when it is mounted already, naming where.
Result<MountInfo> mount_image(store::Store const& store, MountRequest const& request);

// --foreground: calls `mounted` once the mount answers and returns when it has ended. The calling
// process becomes the server; SIGTERM, SIGINT and SIGHUP unmount.
Status serve_image(store::Store const& store, MountRequest const& request,
                   std::function<void(MountInfo const&)> const& mounted);

// The server that has this container's layer mounted, in whatever mount namespace; nullopt: none.
Result<std::optional<MountInfo>> find_server(store::Store const& store,
                                             std::string_view container_id);

// The mounts of this store whose server lives and that this mount namespace shows, by mount point.
Result<std::vector<MountInfo>> list_mounts(store::Store const& store);

// Has a mount served by the program that is now in the file from which its holder was started;
// programs that use the mount only wait a moment. `typed` is a mount point, or the name or id
// prefix of a mounted container; empty: all mounts of this store, in whatever namespace, and all
// stacks of folders that are seen here and came from this program. Returns when that is so.
struct Upgraded {
    MountInfo mount;
    // What kept the new program from it; the old one goes on then. EOPNOTSUPP for a mount whose
    // holder is gone or cannot.
    Status outcome;
};
Result<std::vector<Upgraded>> upgrade_servers(store::Store const& store, std::string const& typed);

struct Unmounted {
    std::string mount_point;
    std::optional<std::string> kept;     // name of the container that still holds changes
    std::optional<std::string> dropped;  // name of the container that is gone
    std::vector<std::string> notes;      // "the server (pid 7) still serves another namespace", ...
};

// `typed` is a mount point, or the name or id prefix of a mounted container. Waits, for a limited
// time, until the server has ended and tidied up. Errors: EINVAL when nothing of ours is mounted
// there; EBUSY naming who uses it and the way out.
Result<Unmounted> unmount_by(store::Store const& store, std::string const& typed, fs::Lazy lazy);

}  // namespace oblea::tools
