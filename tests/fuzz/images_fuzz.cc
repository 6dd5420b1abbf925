// SPDX-License-Identifier: MIT
// Any bytes as images.json: what is taken is written and read again without a change.
#include "store/image/images.h"

#include <cstdlib>

using namespace oblea;
using namespace oblea::store;

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    auto const images = Images::parse(base::text_of(std::as_bytes(std::span{data, size})));
    if (!images.has_value()) {
        return 0;
    }
    std::string const text = images->encode();
    auto const again = Images::parse(text);
    if (!again.has_value() || again->encode() != text) {
        std::abort();
    }
    return 0;
}
