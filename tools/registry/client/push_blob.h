// SPDX-License-Identifier: MIT
// Brings one blob to a repository: not at all where it is there, by a word where another repository
// of the registry has it, else by an upload that goes on where it was cut.
//
// Thread-safe. Spec: OCI distribution-spec "Pushing blobs", "Mounting a blob from another
// repository".
#pragma once
#include "store/base/hash.h"
#include "tools/registry/client/connection.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace oblea::registry {

struct BlobUpload {
    base::Digest digest;
    std::uint64_t bytes = 0;
    // The blob from `offset` on.
    std::function<Result<std::unique_ptr<base::ByteSource>>(std::uint64_t offset)> open;
    // Repositories of the same registry that are likely to have it ("library/debian").
    std::vector<std::string> mount_from{};
    std::atomic<std::uint64_t>* progress_bytes = nullptr;  // sent so far; may be null
};

struct PushedBlob {
    enum class Outcome { present, mounted, uploaded } outcome = Outcome::uploaded;
    std::string mounted_from{};
};

// "Layer already exists", "Mounted from library/debian", or `uploaded`.
[[nodiscard]] std::string words_for(PushedBlob const& pushed, char const* uploaded);

// Errors: EACCES "push access denied ..."; EBADMSG when the registry has got other bytes; those of
// the source and the connection.
Result<PushedBlob> push_blob(Connection& connection, BlobUpload const& upload);

// Under a tag or its digest. Errors: as push_blob; EBADMSG when the registry makes another digest
// of it.
Status push_manifest(Connection& connection, std::string const& reference, std::string const& bytes,
                     std::string const& media_type);

// Of "0-N", the range that an upload has: N + 1; 0 for what is not understood.
[[nodiscard]] std::uint64_t parse_upload_range(std::string_view field);

}  // namespace oblea::registry
