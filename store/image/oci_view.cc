// SPDX-License-Identifier: MIT
#include "store/image/oci_view.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "store/image/manifest.h"
#include "store/image/reference.h"
#include "store/layer/layout.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::store {

namespace sys = base::sys;
using nlohmann::json;

namespace {

Result<bool> has_blob(int root, Digest const& digest) {
    return OBLEA_TRY(sys::stat_if_exists(root, layout::blob(digest).c_str())).has_value();
}

Result<bool> has_all_blobs(int root, Image const& image) {
    if (!OBLEA_TRY(has_blob(root, image.id))) {
        return false;
    }
    for (ImageLayer const& layer : image.layers) {
        if (!OBLEA_TRY(has_blob(root, layer.blob))) {
            return false;
        }
    }
    return true;
}

// The media type as the document itself has it, for a descriptor that contradicts it is refused.
std::string media_type_of(std::string_view manifest) {
    auto const parsed = parse_manifest(manifest, "", "manifest");
    if (!parsed.has_value() || !std::holds_alternative<Manifest>(*parsed)) {
        return "";
    }
    return std::get<Manifest>(*parsed).media_type;
}

Status add_image(int root, Image const& image, Digest const& digest, json& list) {
    auto const manifest =
        sys::read_file(root, layout::blob(digest).c_str(), limits::kManifestBytesMax);
    // An image that is damaged is left out here; verify is what tells.
    std::string const type = manifest.has_value() ? media_type_of(*manifest) : "";
    if (type.empty() || !OBLEA_TRY(has_all_blobs(root, image))) {
        return {};
    }
    json const descriptor = {
        {"mediaType", type}, {"digest", digest.to_string()}, {"size", manifest->size()}};
    if (image.names.empty()) {
        list.push_back(descriptor);
    }
    for (std::string const& name : image.names) {
        Reference const reference = OBLEA_TRY(Reference::parse(name));
        json named = descriptor;
        named["annotations"] = {{kFullNameAnnotation, name},
                                {kRefNameAnnotation, reference.familiar()}};
        list.push_back(std::move(named));
    }
    return {};
}

}  // namespace

Result<std::string> encode_oci_view(int root, Images const& images) {
    json list = json::array();
    for (Image const& image : images.all()) {
        if (image.manifest.has_value()) {
            OBLEA_TRY(add_image(root, image, *image.manifest, list));
        }
    }
    json const document = {
        {"schemaVersion", 2}, {"mediaType", media_type::kOciIndex}, {"manifests", std::move(list)}};
    return json_fields::encode(document, json_fields::Layout::compact) + '\n';
}

}  // namespace oblea::store
