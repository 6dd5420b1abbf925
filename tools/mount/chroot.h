// SPDX-License-Identifier: MIT
// Runs a command inside an image, in mount and user namespaces of its own.
//
// The image is mounted with suid and dev inside a mount namespace that nobody else sees; proc, dev
// and sys, resolv.conf and hosts of the machine are mounted over it without a trace in the writable
// layer. For an ordinary user all this happens in a user namespace: with subordinate ids the whole
// range of ids works, without them everything belongs to the one id there is. The file system's
// server lives in the same namespace and ends with the command. Forks: to be called from a process
// that has one thread.
#pragma once
#include "tools/mount/mount_image.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace oblea::tools {

struct ChrootRequest {
    // An image (with source.container the writable layer to use), or `folder`: a mount of ours,
    // used as it stands. Exactly one of source.image, source.container and folder is needed.
    MountSource source;
    std::string folder;

    std::vector<std::string> command;  // empty: the image's Entrypoint and Cmd, else /bin/sh
    std::vector<std::string> env;      // "NAME=VALUE", or "NAME" to hand the caller's value on
    std::string workdir;               // empty: the image's, else "/"
    std::string user;                  // "name|uid[:name|gid]"; empty: the image's, else root
    RemoveAtUnmount remove = RemoveAtUnmount::when_untouched;
    store::Contents contents = store::Contents::trusted;  // of an image
    // Receives warnings (one line each, without "oblea: ") before the command starts, in another
    // process: it can print them and nothing else.
    std::function<void(std::string const&)> warn;
};

struct ChrootResult {
    // Of the command; 128 + n when signal n ended it; 126 when it could not be executed, 127 when
    // it was not found (then `problem` says why).
    int exit_status = 0;
    std::string problem;
    std::optional<std::string> kept;  // name of the new container that holds what was changed
};

// Whether `typed` names a folder rather than an image, for a command that takes either: it has a
// slash at the front, or is "." or "..", or begins with "./" or "../".
inline bool looks_like_folder(std::string_view typed) {
    return typed == "." || typed == ".." || typed.starts_with('/') || typed.starts_with("./") ||
           typed.starts_with("../");
}

// Errors: what mount_image says, and what keeps the namespaces from being made, with the remedy.
Result<ChrootResult> run_chroot(store::Store const& store, ChrootRequest const& request);

}  // namespace oblea::tools
