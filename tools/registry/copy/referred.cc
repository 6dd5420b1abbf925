// SPDX-License-Identifier: MIT
#include "tools/registry/copy/referred.h"

#include "store/base/limits.h"
#include "store/image/manifest.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::registry {

namespace {

constexpr std::size_t kManifestsMax = 1000;  // of one index

bool is_undistributed(nlohmann::json const& descriptor) {
    auto const type = descriptor.find("mediaType");
    std::string const text =
        type != descriptor.end() && type->is_string() ? type->get<std::string>() : std::string{};
    return text.find("nondistributable") != std::string::npos ||
           text.find("foreign") != std::string::npos;
}

Result<ReferredBlob> parse_descriptor(nlohmann::json const& descriptor, std::string_view what) {
    auto const wrong = [&] {
        return fail(Errno::einval, "", std::string{what} + ": a descriptor that is none");
    };
    if (!descriptor.is_object()) {
        return wrong();
    }
    auto const digest = descriptor.find("digest");
    auto const size = descriptor.find("size");
    if (digest == descriptor.end() || !digest->is_string() || size == descriptor.end() ||
        !size->is_number_unsigned()) {
        return wrong();
    }
    return ReferredBlob{.digest =
                            OBLEA_TRY(with_context(base::Digest::parse(digest->get<std::string>()),
                                                   [&] { return std::string{what}; })),
                        .bytes = size->get<std::uint64_t>()};
}

Status add_all(nlohmann::json const& list, std::string_view what, std::size_t count_max,
               std::vector<ReferredBlob>& target) {
    if (!list.is_array() || list.size() > count_max) {
        return fail(list.is_array() ? Errno::e2big : Errno::einval, "",
                    std::string{what} + ": more entries than oblea takes, or no list of them");
    }
    for (auto const& descriptor : list) {
        auto const blob = OBLEA_TRY(parse_descriptor(descriptor, what));
        if (!is_undistributed(descriptor) && std::ranges::find(target, blob) == target.end()) {
            target.push_back(blob);
        }
    }
    return {};
}

}  // namespace

Result<Referred> parse_referred(std::string_view manifest, std::string_view what) {
    auto const document = nlohmann::json::parse(manifest, nullptr, false);
    Referred referred;
    if (document.is_object() && document.contains("manifests")) {
        OBLEA_TRY(add_all(document["manifests"], what, kManifestsMax, referred.manifests));
        return referred;
    }
    if (!document.is_object() || !document.contains("config") || !document.contains("layers")) {
        return fail(Errno::einval, "",
                    std::string{what} + ": neither a manifest nor an index of manifests");
    }
    referred.blobs.push_back(OBLEA_TRY(parse_descriptor(document["config"], what)));
    OBLEA_TRY(add_all(document["layers"], what, limits::kLayersMax, referred.blobs));
    return referred;
}

std::string manifest_type(std::string_view manifest, std::string_view declared) {
    if (!declared.empty()) {
        return std::string{declared};
    }
    auto const document = nlohmann::json::parse(manifest, nullptr, false);
    if (document.is_object() && document.contains("mediaType") &&
        document["mediaType"].is_string()) {
        return document["mediaType"].get<std::string>();
    }
    bool const index = document.is_object() && document.contains("manifests");
    return index ? store::media_type::kOciIndex : store::media_type::kOciManifest;
}

}  // namespace oblea::registry
