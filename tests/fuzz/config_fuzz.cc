// SPDX-License-Identifier: MIT
// Any bytes as the config of an image.
#include "store/base/limits.h"
#include "store/image/manifest.h"

#include <cstdlib>

using namespace oblea;
using namespace oblea::store;

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    auto const config =
        parse_config(base::text_of(std::as_bytes(std::span{data, size})), "the input");
    if (config.has_value() && (config->diff_ids.size() > limits::kLayersMax || config->os.empty() ||
                               config->architecture.empty())) {
        std::abort();
    }
    return 0;
}
