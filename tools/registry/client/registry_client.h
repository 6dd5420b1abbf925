// SPDX-License-Identifier: MIT
// One repository at one registry: manifests, blobs and tags, as the distribution protocol has them.
//
// Thread-safe. Authentication, retries and the choice of https or http happen inside. What comes is
// bounded and, where its digest is known, verified; a blob's stream is verified by who reads it.
// Spec: OCI distribution-spec 1.1.
#pragma once
#include "store/base/hash.h"
#include "tools/registry/client/connection.h"

#include <atomic>
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

// What is wanted of a blob.
struct BlobPart {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t total_bytes = 0;            // of the blob
    std::atomic<bool> const* stop = nullptr;  // may be set at any time; may be null
};

// What a server sends of it.
struct BlobRange {
    std::unique_ptr<HttpStream> stream;
    std::uint64_t begin = 0;  // before what was asked for, when the server knows no ranges
    bool to_end = false;      // the stream goes on to the blob's end

    // After the last byte that was wanted. Errors: EBADMSG when more follow.
    [[nodiscard]] Status expect_end() const;
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
    // A cut connection is taken up again where it was. With an offset only what follows it.
    Result<std::unique_ptr<base::ByteSource>> blob(base::Digest const& digest, std::uint64_t bytes,
                                                   std::uint64_t offset = 0);

    // The answer of one server, without going on when it is cut. Errors: as blob().
    Result<BlobRange> blob_range(base::Digest const& digest, BlobPart const& part);

    // After an error in the middle of a blob: waits, or says that there shall be no other attempt.
    Result<bool> wait_to_retry(unsigned attempts, Error const& error);

    // The whole of a small blob, its digest verified.
    Result<std::string> blob_bytes(base::Digest const& digest, std::uint64_t bytes);

    // All tags, in the order of the registry, pages followed.
    Result<std::vector<std::string>> tags();

private:
    std::unique_ptr<Connection> connection_;
};

// Whether a transfer that had begun is worth going on with after the error: the connection was cut,
// nothing came, or the server is gone for the moment.
[[nodiscard]] bool may_be_retried(Error const& error);

}  // namespace oblea::registry
