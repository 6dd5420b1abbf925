// SPDX-License-Identifier: MIT
// The rows of `oblea history`. Pure.
//
// Spec: docker's `image history`.
#pragma once
#include "store/image/images.h"
#include "tools/images/image_config.h"
#include "tools/images/image_rows.h"

#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

struct HistoryRow {
    std::string id;  // of the image as it was then, "sha256:...", or "<missing>"
    HistoryEntry entry;
    std::uint64_t size_bytes = 0;
};

// An image that this one was made from.
struct Ancestor {
    store::Digest id;
    std::size_t history_length = 0;
};

// Newest first. `layer_bytes` are the contents of the layers, bottom first; as many entries as an
// ancestor's history has are its own. Errors: EUCLEAN when history and layers contradict each
// other.
Result<std::vector<HistoryRow>> history_rows(store::Digest const& image,
                                             std::vector<HistoryEntry> const& history,
                                             std::span<std::uint64_t const> layer_bytes,
                                             std::span<Ancestor const> ancestors);

enum class Human { no, yes };
struct HistoryOptions {
    std::string format = {};
    Truncate truncate = Truncate::yes;
    Human human = Human::yes;
    Quiet quiet = Quiet::no;
    std::int64_t now = 0;
};
// Errors: EINVAL for a wrong template.
Result<std::string> render_history(std::vector<HistoryRow> const& rows,
                                   HistoryOptions const& options);

}  // namespace oblea::tools
