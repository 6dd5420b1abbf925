// SPDX-License-Identifier: MIT
// What an image's config says for people: labels, author, history, and the rest as JSON.
//
// Tolerant: fields that are missing or of a wrong kind count as empty, for the image itself was
// checked when it came.
#pragma once
#include "store/store.h"
#include "tools/cli/filters.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct HistoryEntry {
    std::string created = {};  // RFC 3339; may be empty
    std::string created_by = {};
    std::string author = {};
    std::string comment = {};
    bool empty_layer = false;
};

struct ImageConfig {
    std::shared_ptr<nlohmann::ordered_json const> document;
    Labels labels;
    std::string author;
    std::vector<HistoryEntry> history;  // oldest first
};

// Errors: EINVAL when it is no JSON object.
Result<ImageConfig> parse_image_config(std::string_view json);

// Errors: EIO when the config is missing from the store; those of parsing, naming the image.
Result<ImageConfig> read_image_config(store::Store const& store, store::Image const& image);

}  // namespace oblea::tools
