// SPDX-License-Identifier: MIT
#include "tools/registry/copy_image.h"

#include "store/base/limits.h"
#include "tools/registry/client/push_blob.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>

namespace oblea::registry {

namespace {

constexpr std::size_t kBlobsAtOnce = 5;
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

class Copier {
public:
    Copier(RegistryClient& source, Connection& target, CopyRequest const& request)
        : source_(source), target_(target), request_(request) {}

    // What it refers to first, then itself, under `name`.
    Status copy(RemoteManifest const& manifest, std::string const& name, std::size_t depth) {
        std::string const what = request_.source.familiar();
        if (depth > limits::kIndexDepthMax) {
            return fail(Errno::e2big, "", what + ": image indexes nested too deeply");
        }
        auto const referred = OBLEA_TRY(parse_referred(manifest.bytes, what));
        for (auto const& child : referred.manifests) {
            auto const found = OBLEA_TRY(source_.manifest(child.digest.to_string()));
            OBLEA_TRY(copy(found, child.digest.to_string(), depth + 1));
        }
        OBLEA_TRY(copy_blobs(referred.blobs));
        return push_manifest(target_, name, manifest.bytes, manifest.media_type);
    }

private:
    Status copy_blobs(std::vector<ReferredBlob> const& blobs) {
        std::atomic<std::size_t> next{0};
        std::optional<Error> failure;
        auto const work = [&] {
            for (std::size_t i = next++; i < blobs.size(); i = next++) {
                auto const copied = copy_blob(blobs[i]);
                if (!copied.has_value()) {
                    next = blobs.size();
                    std::lock_guard const lock{mutex_};
                    failure = copied.error();
                    return;
                }
            }
        };
        {
            std::vector<std::jthread> helpers;
            for (std::size_t i = 1; i < std::min(kBlobsAtOnce, blobs.size()); ++i) {
                helpers.emplace_back(work);
            }
            work();
        }
        if (failure.has_value()) {
            return std::unexpected<Error>(*failure);
        }
        return {};
    }

    Status copy_blob(ReferredBlob const& blob) {
        BlobUpload upload{
            .digest = blob.digest, .bytes = blob.bytes, .open = [&](std::uint64_t offset) {
                return source_.blob(blob.digest, blob.bytes, offset);
            }};
        if (request_.source.domain == request_.target.domain &&
            request_.source.path != request_.target.path) {
            upload.mount_from = {request_.source.path};
        }
        auto const pushed = OBLEA_TRY(push_blob(target_, upload));
        if (request_.event) {
            std::lock_guard const lock{mutex_};
            request_.event(blob.digest.short_hex(), words_for(pushed, "Copied"));
        }
        return {};
    }

    RegistryClient& source_;
    Connection& target_;
    CopyRequest const& request_;
    std::mutex mutex_;
};

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

Result<store::Digest> copy_image(RegistrySession& session, CopyRequest const& request) {
    auto const sources = OBLEA_TRY(session.endpoints(request.source));
    auto const targets = OBLEA_TRY(session.endpoints(request.target));
    // The registries themselves: a mirror may lack parts that no pull asks for.
    auto const source = session.client(sources.back(), request.source.familiar_repository());
    auto const target = session.connection(targets.back(), request.target.familiar_repository(),
                                           ClientOptions::Access::push);
    std::string const wanted = request.source.digest.has_value()
                                   ? request.source.digest->to_string()
                                   : request.source.tag.value_or("latest");
    auto const manifest = OBLEA_TRY(source->manifest(wanted));
    Copier copier{*source, *target, request};
    OBLEA_TRY(copier.copy(manifest, request.target.tag.value_or("latest"), 0));
    return manifest.digest;
}

}  // namespace oblea::registry
