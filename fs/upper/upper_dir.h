// SPDX-License-Identifier: MIT
// The upper layer on disk: a folder in overlayfs' format (whiteouts, opaque marks), and its work
// folder.
//
// Owns descriptors only; which inode lies where is the union's knowledge.
// Spec: Linux overlayfs.rst "whiteouts and opaque directories"; SEMANTICS.md.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <memory>
#include <string>

namespace oblea::fs {

class UpperDir {
public:
    // `upper` and `work` are folders on one file system; both are created when missing. Takes an
    // exclusive lock for as long as it lives (upper_lock.h): EBUSY when another mount has it.
    // Probes what the file system and our rights allow (device nodes for whiteouts,
    // trusted or user xattrs, RENAME_WHITEOUT, RENAME_EXCHANGE); EOPNOTSUPP with advice when that
    // is not enough.
    static Result<std::unique_ptr<UpperDir>> open(std::string const& upper,
                                                  std::string const& work);
    // The same for a program that takes over from another one (UnionFs::adopt): `lock` is held
    // already, and what is unfinished or orphaned in the work folder may still be needed.
    static Result<std::unique_ptr<UpperDir>>
    adopt_locked(std::string const& upper, std::string const& work, base::UniqueFd lock);
    ~UpperDir();

    // Of the file that the lock is on.
    [[nodiscard]] int lock() const;

    // What the upper folder says of itself to those who find it. Private: mounted, or with work
    // pending, so that only oblea knows what is meant. Sealed: plain overlayfs. Unmarked: of
    // another program, or new.
    enum class State { unmarked, private_, sealed };
    [[nodiscard]] Result<State> state() const;
    Status set_state(State state);

    // Turns what fuse-overlayfs has left (.wh. files, attributes of its own) into overlayfs' marks.
    Status adopt();

    // Removes what sealing leaves in the work folder; the lock stays until this object goes.
    Status remove_work();

    // Whether the upper holds anything: an untouched mount's layer is dropped at unmount.
    [[nodiscard]] Result<bool> empty() const;

    struct Impl;
    [[nodiscard]] Impl& impl() const { return *impl_; }

private:
    explicit UpperDir(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::fs
