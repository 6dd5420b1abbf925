// SPDX-License-Identifier: MIT
// The store's index.json: its images as other tools see them in an OCI layout.
//
// Derived from images.json, never read back. It lists the images whose manifest, config and layers
// are all in blobs/, once for each name: ref.name is the familiar form, as people type it
// (`skopeo inspect oci:STORE:debian:latest`), io.containerd.image.name the full one.
#pragma once
#include "store/image/images.h"

#include <string>

namespace oblea::store {

Result<std::string> encode_oci_view(int root, Images const& images);

}  // namespace oblea::store
