// SPDX-License-Identifier: MIT
// The images of an OCI layout, in a folder or an archive, and those of a docker archive, as sources
// of a copy.
#pragma once
#include "tools/registry/copy/archive_files.h"
#include "tools/registry/copy/copy_place.h"

#include <memory>
#include <string>

namespace oblea::registry {

// A name is an entry's org.opencontainers.image.ref.name or io.containerd.image.name. `what` is the
// place, for messages. Errors: EINVAL for what is no layout.
Result<std::unique_ptr<CopySource>> open_layout_source(OpenedFiles files, std::string what);

// A name is one of RepoTags, or "@0" for the first image. A docker archive has no manifests: they
// are made from its configs, with the layers compressed as they shall go, to the same bytes each
// time. Errors: EINVAL for what is no docker archive.
Result<std::unique_ptr<CopySource>> open_docker_archive_source(OpenedFiles files, std::string what);

}  // namespace oblea::registry
