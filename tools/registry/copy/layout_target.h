// SPDX-License-Identifier: MIT
// An OCI layout, in a folder or an archive, and a docker archive, as targets of a copy.
//
// A folder may be there: what it has is kept, blobs that it has are not written again, and an image
// of the same name is replaced. Archives are new files, which appear when they are complete.
#pragma once
#include "tools/registry/copy/copy_place.h"

#include <memory>
#include <string>

namespace oblea::registry {

// Errors: EEXIST for a folder with other things in it, and for an oblea store, which is read by
// others but written by oblea alone.
Result<std::unique_ptr<CopyTarget>> open_layout_target(std::string const& path);

// A file that is there is replaced.
Result<std::unique_ptr<CopyTarget>> open_oci_archive_target(std::string const& path);

// One image, of one platform, with its layers decompressed, as docker load takes it; signatures,
// which are of the compressed ones, stay behind. Errors: EEXIST for a file that is there.
Result<std::unique_ptr<CopyTarget>> open_docker_archive_target(std::string const& path);

}  // namespace oblea::registry
