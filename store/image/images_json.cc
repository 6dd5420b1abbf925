// SPDX-License-Identifier: MIT
// images.json as text. FORMAT.md "images.json".
#include "store/image/images.h"
#include "store/image/json_fields.h"
#include "store/image/reference.h"

#include "store/base/limits.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <unordered_set>

namespace oblea::store {

using nlohmann::json;

namespace {

constexpr std::uint64_t kVersion = 1;

Status expect_known_fields(json const& object, std::initializer_list<std::string_view> known,
                           std::string_view what) {
    for (auto const& item : object.items()) {
        if (std::ranges::find(known, item.key()) == known.end()) {
            return fail(Errno::eopnotsupp, "",
                        std::string{what} + ": unknown field \"" + item.key().substr(0, 100) +
                            "\": the store was changed by a newer version of oblea; use that");
        }
    }
    return {};
}

json encode_layer(ImageLayer const& layer) {
    return {{"diff_id", layer.diff_id.to_string()},
            {"blob", layer.blob.to_string()},
            {"blob_bytes", layer.blob_bytes},
            {"media_type", layer.media_type}};
}

Result<ImageLayer> parse_layer(json const& object, std::string_view what) {
    if (!object.is_object()) {
        return json_fields::invalid(what, "a layer is not an object");
    }
    OBLEA_TRY(expect_known_fields(object, {"diff_id", "blob", "blob_bytes", "media_type"}, what));
    ImageLayer layer;
    layer.diff_id = OBLEA_TRY(json_fields::digest(object, "diff_id", what));
    layer.blob = OBLEA_TRY(json_fields::digest(object, "blob", what));
    layer.blob_bytes = OBLEA_TRY(json_fields::number(object, "blob_bytes", what));
    layer.media_type = OBLEA_TRY(json_fields::text(object, "media_type", what));
    return layer;
}

json encode_image(Image const& image) {
    json layers = json::array();
    for (ImageLayer const& layer : image.layers) {
        layers.push_back(encode_layer(layer));
    }
    json object = {{"id", image.id.to_string()},
                   {"names", image.names},
                   {"layers", std::move(layers)},
                   {"size_bytes", image.size_bytes},
                   {"created", image.created},
                   {"architecture", image.architecture},
                   {"os", image.os},
                   {"variant", image.variant},
                   {"imported", image.imported},
                   {"origin", image.origin}};
    if (image.manifest.has_value()) {
        object["manifest"] = image.manifest->to_string();
    }
    if (image.parent.has_value()) {
        object["parent"] = image.parent->to_string();
    }
    return object;
}

Result<std::vector<std::string>> parse_names(json const& object, std::string_view what) {
    std::vector<std::string> names;
    for (json const& name : *OBLEA_TRY(json_fields::array(object, "names", what))) {
        if (!name.is_string()) {
            return json_fields::invalid(what, "a name is not a string");
        }
        auto const& text = name.get_ref<std::string const&>();
        auto const reference = Reference::parse(text);
        if (!reference.has_value() || reference->with_default_tag().canonical() != text) {
            return json_fields::invalid(what, "\"" + text.substr(0, 300) +
                                                  "\" is not a full canonical name");
        }
        names.push_back(text);
    }
    return names;
}

Result<Image> parse_image(json const& object, std::string_view file) {
    if (!object.is_object()) {
        return json_fields::invalid(file, "an image is not an object");
    }
    Image image;
    image.id = OBLEA_TRY(json_fields::digest(object, "id", file));
    std::string const what = std::string{file} + ", image " + image.id.short_hex();
    OBLEA_TRY(expect_known_fields(object,
                                  {"id", "names", "layers", "size_bytes", "created", "architecture",
                                   "os", "variant", "imported", "origin", "manifest", "parent"},
                                  what));
    image.names = OBLEA_TRY(parse_names(object, what));
    json const& layers = *OBLEA_TRY(json_fields::array(object, "layers", what));
    if (layers.size() > limits::kLayersMax) {
        return json_fields::invalid(what,
                                    "more than " + std::to_string(limits::kLayersMax) + " layers");
    }
    for (json const& layer : layers) {
        image.layers.push_back(OBLEA_TRY(parse_layer(layer, what)));
    }
    image.size_bytes = OBLEA_TRY(json_fields::number(object, "size_bytes", what));
    image.created = OBLEA_TRY(json_fields::text(object, "created", what));
    image.architecture = OBLEA_TRY(json_fields::text(object, "architecture", what));
    image.os = OBLEA_TRY(json_fields::text(object, "os", what));
    image.variant = OBLEA_TRY(json_fields::text(object, "variant", what));
    image.imported = OBLEA_TRY(json_fields::text(object, "imported", what));
    image.origin = OBLEA_TRY(json_fields::text(object, "origin", what));
    image.manifest = OBLEA_TRY(json_fields::digest_if(object, "manifest", what));
    image.parent = OBLEA_TRY(json_fields::digest_if(object, "parent", what));
    return image;
}

Result<std::vector<Image>> parse_images(std::string_view text) {
    constexpr std::string_view kWhat = "images.json";
    json const document =
        OBLEA_TRY(json_fields::parse_object(text, kWhat, limits::kImagesFileBytesMax));
    std::uint64_t const version = OBLEA_TRY(json_fields::number(document, "version", kWhat));
    if (version != kVersion) {
        return fail(Errno::eopnotsupp, "",
                    "images.json: version " + std::to_string(version) +
                        " is not known to this oblea, which writes version " +
                        std::to_string(kVersion) + "; use a newer oblea");
    }
    OBLEA_TRY(expect_known_fields(document, {"version", "images"}, kWhat));
    std::vector<Image> images;
    std::unordered_set<Digest> ids;
    std::unordered_set<std::string> names;
    for (json const& object : *OBLEA_TRY(json_fields::array(document, "images", kWhat))) {
        images.push_back(OBLEA_TRY(parse_image(object, kWhat)));
        if (!ids.insert(images.back().id).second) {
            return json_fields::invalid(kWhat, "image " + images.back().id.short_hex() +
                                                   " is listed twice");
        }
        for (std::string const& name : images.back().names) {
            if (!names.insert(name).second) {
                return json_fields::invalid(kWhat, "the name " + name + " is given twice");
            }
        }
    }
    return images;
}

}  // namespace

Result<Images> Images::parse(std::string_view text) {
    auto parsed = parse_images(text);
    if (!parsed.has_value()) {
        Error error = std::move(parsed).error();
        if (error.code != Errno::eopnotsupp) {
            error.code = Errno::euclean;
        }
        return std::unexpected<Error>(std::move(error));
    }
    Images images;
    images.images_ = *std::move(parsed);
    return images;
}

std::string Images::encode() const {
    json list = json::array();
    for (Image const& image : images_) {
        list.push_back(encode_image(image));
    }
    json const document = {{"version", kVersion}, {"images", std::move(list)}};
    return json_fields::encode(document, json_fields::Layout::indented) + '\n';
}

}  // namespace oblea::store
