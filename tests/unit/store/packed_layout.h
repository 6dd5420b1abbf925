// SPDX-License-Identifier: MIT
// OCI layouts whose layers are compressed, so that a store keeps their blobs.
#pragma once
#include "tests/support/temp_dir.h"
#include "tests/unit/store/image_builder.h"

#include <cstdlib>

namespace oblea::test {

inline std::string gzip(TempDir const& dir, std::string const& bytes) {
    write_file(dir / "plain", bytes);
    if (std::system(("gzip -1nkf '" + dir / "plain" + "'").c_str()) != 0) {
        throw std::runtime_error("gzip");
    }
    return value_of(base::sys::read_file(AT_FDCWD, (dir / "plain.gz").c_str(), 1U << 30U));
}

// Writes it to `dir`/`folder`, and returns that path.
inline std::string write_packed_layout(TempDir const& dir, std::string const& folder,
                                       TestImage const& image, std::string const& name) {
    Members members;
    std::string descriptors;
    for (std::string const& layer : image.layers) {
        std::string const packed = gzip(dir, layer);
        members.emplace_back(blob_name(packed), packed);
        descriptors += (descriptors.empty() ? "" : ",") +
                       descriptor("application/vnd.oci.image.layer.v1.tar+gzip", packed);
    }
    std::string const manifest = fmt::format(
        R"({{"schemaVersion":2,"config":{},"layers":[{}]}})",
        descriptor("application/vnd.oci.image.config.v1+json", image.config), descriptors);
    members.emplace_back(blob_name(image.config), image.config);
    members.emplace_back(blob_name(manifest), manifest);
    members.emplace_back("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    members.emplace_back("index.json",
                         index_of({descriptor(kManifestType, manifest, ref_name(name))}));
    write_folder(dir / folder, members);
    return dir / folder;
}

}  // namespace oblea::test
