// SPDX-License-Identifier: MIT
// A compressed stream as what it holds: read, decompressed and used in three threads at a time.
#pragma once
#include "store/base/byte_source.h"
#include "store/layer/decompress.h"

#include <memory>

namespace oblea::store {

// Borrows `source`. With OBLEA_THREADS=1 all is done by the reader. Memory: 3 MiB. Errors: as
// make_decompressor().
std::unique_ptr<base::ByteSource> make_plain_stream(base::ByteSource& source,
                                                    Compression compression);

}  // namespace oblea::store
