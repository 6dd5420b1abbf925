// SPDX-License-Identifier: MIT
// A container as a new image.
#pragma once
#include "tools/container/container_view.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct CommitRequest {
    std::string name;  // of the image, as typed; empty: none
    std::string author;
    std::string comment;
    std::vector<std::string> changes;  // store/image/config_changes.h
    // Whether a running container stands still meanwhile.
    enum class Pause { no, yes } pause = Pause::yes;
};

// The new layer goes straight into the store; the image has the container's as its parent. Errors:
// ENOENT when the store has the container's image no more; EINVAL for a bad name or change; as
// FolderTar and publish_images. On failure the store is as it was.
Result<store::Digest> commit_container(store::Store const& store, Container const& container,
                                       CommitRequest const& request);

}  // namespace oblea::tools
