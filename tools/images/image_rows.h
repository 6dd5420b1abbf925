// SPDX-License-Identifier: MIT
// The rows of `oblea images`: which images, under which names, in which order, with which columns.
//
// Pure: rows are chosen first and rendered afterwards, so that filters and formats work on the same
// rows. Spec: docker's `image ls` (classic table).
#pragma once
#include "store/image/images.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

inline constexpr char const* kNone = "<none>";

// One name of an image, or an image without any.
struct ImageRow {
    std::string repository;  // familiar form, or "<none>"
    std::string tag;         // or "<none>"
    std::string digest;      // of the manifest, or "<none>"
    store::Digest id;
    std::optional<std::int64_t> created;  // seconds since 1970
    std::uint64_t size_bytes = 0;
};

// All rows: newest image first; those of the same time by repository and tag.
[[nodiscard]] std::vector<ImageRow> list_rows(store::Images const& images);

// Whether the row has a name that `pattern` matches: REPOSITORY or REPOSITORY:TAG, familiar or in
// full, with *, ? and [...] that do not cross a slash.
[[nodiscard]] bool matches_reference(ImageRow const& row, std::string_view pattern);

enum class Truncate { no, yes };
enum class Digests { hide, show };
struct ImageTableOptions {
    Truncate truncate = Truncate::yes;
    Digests digests = Digests::hide;
    std::int64_t now = 0;  // seconds since 1970
};
[[nodiscard]] std::string render_image_table(std::vector<ImageRow> const& rows,
                                             ImageTableOptions const& options);

// The id as a table shows it: 12 digits, or the whole with its algorithm.
[[nodiscard]] std::string display_id(store::Digest const& id, Truncate truncate);

}  // namespace oblea::tools
