// SPDX-License-Identifier: MIT
// One repository at one registry: manifests, blobs and tags, as the distribution protocol has them.
//
// Thread-safe. Authentication, retries and the choice of https or http happen inside. What comes is
// bounded and, where its digest is known, verified; a blob's stream is verified by who reads it.
// Spec: OCI distribution-spec 1.1.
#pragma once
#include "store/base/hash.h"
#include "tools/registry/client/connection.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace oblea::registry {

struct RemoteManifest {
    std::string bytes;
    std::string media_type;  // as the registry says; empty where it says nothing that is a manifest
    base::Digest digest;
};

class RegistryClient {
public:
    // `http` is borrowed.
    RegistryClient(HttpClient& http, Endpoint endpoint, ClientOptions options);
    RegistryClient(RegistryClient const&) = delete;
    RegistryClient& operator=(RegistryClient const&) = delete;
    ~RegistryClient();

    // Whether there is a registry that lets one in. Errors: EACCES "unauthorized: ...", those of
    // the connection.
    Status ping();
    // After a ping with ClientOptions::offline.
    [[nodiscard]] Secret identity_token() const;

    // `reference` is a tag or a digest. Errors: ENOENT, EACCES, EAGAIN in docker's words; EBADMSG
    // when the bytes are not what the digest says; EINVAL for a web page; E2BIG.
    Result<RemoteManifest> manifest(std::string const& reference);

    // The stream of exactly `bytes` bytes, or an error: ENOENT, EBADMSG for a blob of another size.
    // A cut connection is taken up again where it was.
    Result<std::unique_ptr<base::ByteSource>> blob(base::Digest const& digest, std::uint64_t bytes);

    // The whole of a small blob, its digest verified.
    Result<std::string> blob_bytes(base::Digest const& digest, std::uint64_t bytes);

    // All tags, in the order of the registry, pages followed.
    Result<std::vector<std::string>> tags();

private:
    std::unique_ptr<Connection> connection_;
};

}  // namespace oblea::registry
