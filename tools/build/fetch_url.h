// SPDX-License-Identifier: MIT
// What ADD takes from a URL.
#pragma once
#include "store/base/unique_fd.h"
#include "store/store.h"
#include "tools/build/source_tree.h"

#include <string>

namespace oblea::tools::build {

[[nodiscard]] bool is_url(std::string_view source);

struct FetchedFile {
    std::string name;     // the last part of the URL's path
    base::UniqueFd file;  // has no name, so that nothing of it is left
    SourceNode node;      // 0600, as docker has it
};

// `checksum` is "sha256:..." or empty. Uses threads. Errors: EINVAL for a URL without a file's
// name, EBADMSG for a checksum that does not hold; ENOENT and EIO for answers other than 200; those
// of the network.
Result<FetchedFile> fetch_url(store::Store const& store, std::string const& url,
                              std::string const& checksum);

}  // namespace oblea::tools::build
