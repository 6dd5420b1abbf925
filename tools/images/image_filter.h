// SPDX-License-Identifier: MIT
// Which images `images --filter` and `prune --filter` mean.
//
// Pure. Spec: docker's rules of combination: different keys must all hold; of references any one is
// enough, of labels all must be there; `before` and `since` are strict; the last `dangling` counts.
#pragma once
#include "store/image/images.h"
#include "tools/cli/filters.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace oblea::tools {

class ImageFilter {
public:
    // Keys: before, dangling, label, label!, reference, since, until; of prune: label, label!,
    // until. Errors: those of Filters; ENOENT for an image that `before` or `since` names;
    // EINVAL for a pattern that is none.
    enum class Of { list, prune };
    static Result<ImageFilter> parse(std::vector<std::string> const& words, Of of,
                                     store::Images const& images, std::int64_t now);

    // Whether labels count: they cost reading the config of every image.
    [[nodiscard]] bool wants_labels() const { return !labels_.empty() || !not_labels_.empty(); }

    // All but references, which are about single names.
    [[nodiscard]] bool keeps(store::Image const& image, Labels const& labels) const;

    [[nodiscard]] std::optional<bool> dangling() const { return dangling_; }
    [[nodiscard]] std::vector<std::string> const& references() const { return references_; }

private:
    std::optional<bool> dangling_;
    std::optional<std::int64_t> before_;
    std::optional<std::int64_t> since_;
    std::vector<std::string> labels_;
    std::vector<std::string> not_labels_;
    std::vector<std::string> references_;
};

// Whether a name of the image has a tag; names by digest alone do not count.
[[nodiscard]] bool is_tagged(store::Image const& image);

}  // namespace oblea::tools
