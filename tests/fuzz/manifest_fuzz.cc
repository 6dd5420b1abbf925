// SPDX-License-Identifier: MIT
// Any bytes as a manifest, an image index, a layout's index.json and a docker archive's
// manifest.json: said yes or no to, and what is taken keeps the bounds that its readers rely on.
#include "store/base/limits.h"
#include "store/image/manifest.h"

#include <cstdlib>

using namespace oblea;
using namespace oblea::store;

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    std::string_view const text = base::text_of(std::as_bytes(std::span{data, size}));
    auto const manifest = parse_manifest(text, "", "the input");
    if (manifest.has_value()) {
        if (auto const* one = std::get_if<Manifest>(&*manifest)) {
            if (one->layers.size() > limits::kLayersMax) {
                std::abort();
            }
        } else {
            static_cast<void>(choose_platform(std::get<ImageIndex>(*manifest),
                                              {"linux", "arm64", "v8"}, "the input"));
        }
    }
    static_cast<void>(parse_layout_index(text, "the input"));
    auto const docker = parse_docker_manifest(text, "the input");
    for (std::size_t i = 0; docker.has_value() && i < docker->size(); ++i) {
        if ((*docker)[i].layers.size() > limits::kLayersMax) {
            std::abort();
        }
    }
    return 0;
}
