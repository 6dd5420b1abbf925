// SPDX-License-Identifier: MIT
// Where images are copied from and to: a registry, a layout, an archive.
//
// A place is used by one copy at a time, which asks for blobs and puts them from several threads.
#pragma once
#include "tools/registry/client/push_blob.h"
#include "tools/registry/client/registry_client.h"
#include "tools/registry/copy/referred.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oblea::registry {

class CopySource {
public:
    CopySource() = default;
    CopySource(CopySource const&) = delete;
    CopySource& operator=(CopySource const&) = delete;
    virtual ~CopySource() = default;

    // All that manifest() takes: tags, or the names that a layout or an archive has.
    virtual Result<std::vector<std::string>> names() = 0;

    // Of a name or a digest ("sha256:..."), its digest verified. An empty name stands for the only
    // image there is. Errors: ENOENT, saying what there is.
    virtual Result<RemoteManifest> manifest(std::string const& name) = 0;

    // What follows `offset`; verified by who takes it. From any thread.
    virtual Result<std::unique_ptr<base::ByteSource>> blob(ReferredBlob const& blob,
                                                           std::uint64_t offset) = 0;

    // The name in full and canonical form, where the place has one: docker.io/library/debian:12.
    [[nodiscard]] virtual std::optional<std::string> full_name(std::string const& name) const = 0;
};

// The name of a copy.
struct CopyName {
    std::string tag;                  // in the place
    std::optional<std::string> full;  // for places that keep it beside the tag
};

class CopyTarget {
public:
    CopyTarget() = default;
    CopyTarget(CopyTarget const&) = delete;
    CopyTarget& operator=(CopyTarget const&) = delete;
    virtual ~CopyTarget() = default;  // leaves nothing half done behind, unless finish() was called

    [[nodiscard]] virtual std::size_t blobs_at_once() const { return 5; }

    // Whether manifests stay what was signed.
    [[nodiscard]] virtual bool keeps_signatures() const { return true; }

    // Before put_blob() of them, in the order in which they shall lie.
    virtual Status expect(std::span<ReferredBlob const> /*blobs*/) { return {}; }

    // Errors: EBADMSG for a blob of another digest; those of its source. From any thread.
    virtual Result<PushedBlob> put_blob(BlobUpload const& blob) = 0;

    // After everything that it refers to. Without a name it is one that an index refers to.
    virtual Status put_manifest(RemoteManifest const& manifest,
                                std::optional<CopyName> const& name) = 0;

    // After the last image: it is all there, and stays.
    virtual Status finish() { return {}; }
};

}  // namespace oblea::registry
