// SPDX-License-Identifier: MIT
// Stores the contents of members while they stream by: small ones in the layer's pack, back to
// back, large ones as objects of their own.
//
// Not thread-safe. Memory: one small content, and the pack's buffer.
#pragma once
#include "store/layer/append_file.h"
#include "store/layer/recipe.h"
#include "store/layer/staging.h"
#include "store/layer/tar_hash.h"
#include "store/layer/tar_reader.h"

namespace oblea::store {

class ContentWriter {
public:
    // Contents of at least `object_threshold_bytes`, or of kPackContentBytesMax, become objects.
    static constexpr std::uint64_t kPackContentBytesMax = 16U << 20U;

    ContentWriter(LayerStaging& staging, AppendFile pack, RecipeWriter& recipe,
                  std::uint64_t object_threshold_bytes);

    // Takes the content of the member that `tar` is at, which reads by way of `bytes`; tells the
    // recipe, and returns where it is.
    Result<Content> take(TarReader& tar, TarHash& bytes, TarMember const& member);

    // All of the pack is in its file, though not on disk.
    Status flush() { return pack_.flush(); }

private:
    Status take_packed(TarReader& tar, Content& content);
    Status take_object(TarReader& tar, TarHash& bytes, Content& content);

    LayerStaging& staging_;
    AppendFile pack_;
    RecipeWriter& recipe_;
    std::uint64_t threshold_;
    base::Bytes gathered_;  // a small content that came in pieces
};

}  // namespace oblea::store
