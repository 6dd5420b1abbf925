// SPDX-License-Identifier: MIT
#include "tools/registry/signature/attachment.h"

#include "store/image/manifest.h"

namespace oblea::registry {

namespace {

constexpr char kPayloadType[] = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr char kSignatureAnnotation[] = "dev.cosignproject.cosign/signature";
constexpr std::size_t kSignaturesMax = 100;
constexpr std::uint64_t kPayloadBytesMax = 1U << 20U;

}  // namespace

std::string signature_tag(base::Digest const& manifest) {
    return "sha256-" + manifest.hex() + ".sig";
}

SignaturePlace SignaturePlace::of(RegistryClient& client) {
    return {.manifest = [&client](std::string const& tag) { return client.manifest(tag); },
            .blob = [&client](base::Digest const& digest,
                              std::uint64_t bytes) { return client.blob_bytes(digest, bytes); }};
}

Result<std::vector<SignatureAttachment>> fetch_signatures(SignaturePlace const& place,
                                                          base::Digest const& manifest) {
    std::string const what = "the signatures of " + manifest.to_string();
    auto const document = place.manifest(signature_tag(manifest));
    if (!document.has_value()) {
        if (document.error().code == Errno::enoent) {
            return std::vector<SignatureAttachment>{};
        }
        return std::unexpected<Error>(with_context(document.error(), what));
    }
    auto const layers = OBLEA_TRY(store::parse_artifact_layers(document->bytes, what));
    if (layers.size() > kSignaturesMax) {
        return fail(Errno::e2big, "", what + ": more than oblea looks at");
    }
    std::vector<SignatureAttachment> found;
    for (auto const& layer : layers) {
        auto const signature = layer.annotations.find(kSignatureAnnotation);
        if (layer.media_type != kPayloadType || signature == layer.annotations.end()) {
            continue;
        }
        if (layer.bytes > kPayloadBytesMax) {
            return fail(Errno::e2big, "", what + ": a payload longer than oblea takes");
        }
        std::string payload =
            OBLEA_TRY(with_context(place.blob(layer.digest, layer.bytes), [&] { return what; }));
        found.push_back({.payload = std::move(payload), .signature = signature->second});
    }
    return found;
}

}  // namespace oblea::registry
