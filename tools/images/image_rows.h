// SPDX-License-Identifier: MIT
// The rows of `oblea images`: which images, under which names, in which order, in which form.
//
// Pure: rows are chosen first and rendered afterwards, so that filters and formats work on the same
// rows. Spec: docker's `image ls` (classic table).
#pragma once
#include "store/image/images.h"

#include <cstdint>
#include <optional>
#include <span>
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

// All rows of these images: newest image first; those of the same time by repository and tag.
[[nodiscard]] std::vector<ImageRow> list_rows(std::span<store::Image const> images);

// Whether the row has a name that `pattern` matches: REPOSITORY or REPOSITORY:TAG, familiar or in
// full, with *, ? and [...] that do not cross a slash, and ** that does. A pattern that is none
// matches nothing.
[[nodiscard]] bool matches_reference(ImageRow const& row, std::string_view pattern);

// An image that has no name but others were made from.
[[nodiscard]] bool is_intermediate(store::Images const& images, store::Image const& image);

enum class Truncate { no, yes };
enum class Digests { hide, show };
enum class Quiet { no, yes };
struct ImageListOptions {
    std::string format = {};  // as --format has it
    Truncate truncate = Truncate::yes;
    Digests digests = Digests::hide;
    Quiet quiet = Quiet::no;
    std::int64_t now = 0;  // seconds since 1970
};
// Errors: EINVAL for a wrong template, in docker's words.
Result<std::string> render_images(std::vector<ImageRow> const& rows,
                                  ImageListOptions const& options);

// Docker's view since version 29: each image with its names, and below them its platform. DISK
// USAGE is what the image takes unpacked and as it came, CONTENT SIZE the latter alone; U stands
// behind those that are in use.
[[nodiscard]] std::string render_image_tree(std::vector<store::Image> images,
                                            std::vector<store::Digest> const& used,
                                            Truncate truncate);

// The id as a table shows it: 12 digits, or the whole with its algorithm.
[[nodiscard]] std::string display_id(store::Digest const& id, Truncate truncate);

}  // namespace oblea::tools
