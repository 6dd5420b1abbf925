// SPDX-License-Identifier: MIT
// What a build is made from: the files that COPY and ADD may take, and the Dockerfile.
//
// The files are those of a folder, or of a tar on standard input, without what .dockerignore leaves
// out. Nothing leads out of them: links are followed as if the context were the root. Files are
// read when they are asked for, so that a large context costs what the build takes from it.
// Spec: docker's "Build context".
#pragma once
#include "store/store.h"
#include "tools/build/source_tree.h"

#include <memory>
#include <optional>
#include <string>

namespace oblea::tools::build {

struct ContextRequest {
    // A folder, or "-": standard input, which is a tar (compressed in whatever way libarchive
    // knows) or, where it is no archive, the Dockerfile itself with a context of no files.
    std::string context;
    // -f: a file, "-" for standard input, of a tar its member. Nothing: "Dockerfile", or else
    // "dockerfile", in the context.
    std::optional<std::string> dockerfile;
    int standard_input = 0;
};

struct BuildContext {
    std::unique_ptr<SourceTree> files;  // owners are 0:0, there are no extended attributes
    std::string dockerfile;             // its text
    std::string dockerfile_name;        // for messages: as given, or "Dockerfile"
};

// What comes over standard input lies in the store's tmp/ as a file without a name: nothing of it
// stays, however the process ends. Errors: ENOENT where context or Dockerfile are not there, EINVAL
// for a wrong .dockerignore, a damaged tar, or "-" for both; E2BIG past a limit; EOPNOTSUPP for
// addresses, with what to do.
Result<BuildContext> open_context(store::Store const& store, ContextRequest const& request);

}  // namespace oblea::tools::build
