// SPDX-License-Identifier: MIT
#include "tools/images/image_config.h"

#include "store/base/limits.h"

#include <nlohmann/json.hpp>

namespace oblea::tools {

using nlohmann::ordered_json;

namespace {

std::string text_at(ordered_json const& object, char const* key) {
    auto const found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

HistoryEntry parse_history(ordered_json const& object) {
    HistoryEntry entry;
    if (!object.is_object()) {
        return entry;
    }
    entry.created = text_at(object, "created");
    entry.created_by = text_at(object, "created_by");
    entry.author = text_at(object, "author");
    entry.comment = text_at(object, "comment");
    auto const empty = object.find("empty_layer");
    entry.empty_layer = empty != object.end() && empty->is_boolean() && empty->get<bool>();
    return entry;
}

Labels parse_labels(ordered_json const& document) {
    Labels labels;
    auto const config = document.find("config");
    if (config == document.end() || !config->is_object()) {
        return labels;
    }
    auto const list = config->find("Labels");
    if (list != config->end() && list->is_object()) {
        for (auto const& item : list->items()) {
            if (item.value().is_string()) {
                labels[item.key()] = item.value().get<std::string>();
            }
        }
    }
    return labels;
}

}  // namespace

Result<ImageConfig> parse_image_config(std::string_view json) {
    auto document = ordered_json::parse(json, nullptr, false);
    if (!document.is_object()) {
        return fail(Errno::einval, "", "the config is no JSON object");
    }
    ImageConfig config;
    config.labels = parse_labels(document);
    config.author = text_at(document, "author");
    auto const history = document.find("history");
    if (history != document.end() && history->is_array()) {
        for (auto const& entry : *history) {
            config.history.push_back(parse_history(entry));
        }
    }
    config.document = std::make_shared<ordered_json const>(std::move(document));
    return config;
}

Result<ImageConfig> read_image_config(store::Store const& store, store::Image const& image) {
    auto const bytes = OBLEA_TRY(store.read_blob(image.id, limits::kConfigBytesMax));
    if (!bytes.has_value()) {
        return fail(Errno::eio, "",
                    "the config of image " + image.id.short_hex() + " is missing from the store");
    }
    return with_context(parse_image_config(*bytes),
                        [&] { return "image " + image.id.short_hex(); });
}

}  // namespace oblea::tools
