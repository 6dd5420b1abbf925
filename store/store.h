// SPDX-License-Identifier: MIT
// A store: opening and creating one, its lock, its leases, its images.
//
// A Store is a root folder held by descriptor; all its methods are thread-safe, and any number of
// processes may use one store at once. Readers take no lock: everything is published by rename.
// Whoever changes images.json, or deletes, holds the exclusive lock for that step only. Files are
// private to their owner (0600, folders 0700).
#pragma once
#include "store/base/unique_fd.h"
#include "store/image/images.h"
#include "store/index/types.h"
#include "store/layer/layer_limits.h"
#include "store/layer/roots.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oblea::store {

// A promise, for as long as it is held, that gc deletes nothing that was reachable when it was
// taken and nothing that was published since. Held by every running import, mount and container;
// taken before a name is resolved. It survives in children that inherit the descriptor, and ends
// with the last of them, however they die; what a dead one leaves in leases/ is debris.
//
// Reuse of something that is already published counts as publishing only through
// refresh_published() (publish.h).
class Lease {
public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) noexcept = delete;
    Lease(Lease const&) = delete;
    Lease& operator=(Lease const&) = delete;
    ~Lease();

    [[nodiscard]] int fd() const { return file_.get(); }
    [[nodiscard]] std::string const& path() const { return path_; }  // relative to the store's root

    // What the lease's file says, for people: who holds the store and why. JSON, replaced as a
    // whole. Errors: EINVAL when `json` is none.
    Status describe(std::string_view json);

    // Once it is known what is used: from now on the promise is for these layers only (bottom
    // first, with their contents and their merged tree). For what is held long, as a mount is, so
    // that gc may free the rest.
    Status narrow_to(std::span<Digest const> layers);

private:
    friend class Store;
    Lease() = default;
    Status write_description() const;

    base::UniqueFd root_;
    base::UniqueFd file_;
    std::string path_;
    std::string purpose_;
    std::string about_ = "null";
    std::optional<std::vector<Digest>> layers_;
};

// Where a store is, and how it is used.
struct StoreOptions {
    std::string path;
    std::vector<std::string> shared = {};  // stores in which it looks for images too, in this order
    LayerLimits limits = {};               // of layers that come into it
};

class Store {
public:
    enum class Create { no, if_missing };

    // Opens, creates and probes (flock, rename, the file system's kind). Errors: ENOENT when it is
    // missing, EUCLEAN when `path` is something else, EOPNOTSUPP for a newer version and where the
    // file system cannot keep a store safe, each with advice.
    static Result<Store> open(std::string path, Create create);
    // The same with shared stores, which must be there, and are only read. Errors: also ENOENT and
    // EUCLEAN naming a shared one that is none.
    static Result<Store> open(StoreOptions options, Create create);

    [[nodiscard]] std::string const& path() const;      // absolute
    [[nodiscard]] StoreOptions const& options() const;  // with absolute paths; to open it again
    [[nodiscard]] int root() const;                     // O_PATH-free directory descriptor
    [[nodiscard]] Roots const& roots() const;           // that, and those of the shared stores

    // For a program that another one gave its lease, for `layers`: `file` is the locked file at
    // `path`.
    Result<Lease> adopt_lease(std::string path, base::UniqueFd file, std::string_view purpose,
                              std::vector<Digest> layers) const;
    Result<Lease> take_lease(std::string_view purpose) const;

    // The images at this moment; the files are read anew each time. Those of shared stores come
    // behind the own ones (Images::add_shared).
    Result<Images> images() const;
    // Without those of shared stores: what is to be kept, counted, checked and removed here.
    Result<Images> own_images() const;

    // Changes images.json under the exclusive lock: reads, calls `change`, and, when it succeeded,
    // writes durably and renews the derived index.json. An error of `change` leaves everything as
    // it was.
    Status change_images(std::function<Status(Images&)> const& change) const;

    // Blobs (configs, manifests, compressed layers), by digest, of this and of shared stores.
    Result<std::optional<std::string>> read_blob(Digest const& digest,
                                                 std::size_t limit_bytes) const;
    Status write_blob(std::string_view bytes,
                      Digest const& digest) const;  // durable; present is a success
    // The same, in place of what has the name and is damaged.
    Status replace_blob(std::string_view bytes, Digest const& digest) const;

private:
    struct Impl;
    explicit Store(std::shared_ptr<Impl const> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl const> impl_;
};

// The default root: /var/lib/oblea for root, else $XDG_DATA_HOME/oblea (default
// ~/.local/share/oblea).
Result<std::string> default_store_path();

}  // namespace oblea::store
