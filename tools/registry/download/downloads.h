// SPDX-License-Identifier: MIT
// Downloads of several blobs by several connections, each blob readable while it comes.
//
// Every blob that is wanted gets a connection first; those that are left over take further parts of
// large blobs, where the server knows ranges. What has come lies in files that outlive the process
// (PartialBlob), and is brought to disk every few seconds by a thread of its own, so that a power
// loss costs no more than what came since, and no connection waits for the disk. Which part comes
// next is decided by plan_part(), which is pure.
#pragma once
#include "tools/registry/client/registry_client.h"
#include "tools/registry/download/partial_blob.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oblea::registry {

struct DownloadState {
    enum class Ranges { unknown, known, none } ranges = Ranges::unknown;
    enum class Part { missing, active, done };
    std::vector<Part> parts;
};
struct NextPart {
    std::size_t blob = 0;
    std::size_t part = 0;
    bool operator==(NextPart const&) const = default;
};
// `blobs` in the order in which they were asked for. Nothing while all that is missing is being
// fetched, or can be fetched by nobody else.
[[nodiscard]] std::optional<NextPart> plan_part(std::span<DownloadState const> blobs);

struct DownloadProgress {
    store::Digest blob;
    std::uint64_t bytes = 0;  // that are there
    std::uint64_t total_bytes = 0;
};

struct DownloadOptions {
    int root = -1;  // of the store, borrowed
    unsigned connections = 6;
    std::atomic<bool> const* cancel = nullptr;
    std::chrono::milliseconds durable_every{5000};  // as much as a power loss may cost
};

class Downloads {
public:
    // Where to get blobs, the best first; borrowed. Another one is asked when one fails.
    using Clients = std::vector<std::unique_ptr<RegistryClient>>;
    Downloads(Clients const& clients, DownloadOptions options);
    Downloads(Downloads const&) = delete;
    Downloads& operator=(Downloads const&) = delete;
    ~Downloads();  // after the last of its sources; what has come stays

    struct Opened {
        std::unique_ptr<base::ByteSource> source;
        std::string path;  // of the file that holds it, relative to the root; may be empty
    };
    // Starts it. The source gives exactly `bytes` bytes, or the error that ended the download.
    Result<Opened> open(store::Digest const& digest, std::uint64_t bytes);

    [[nodiscard]] std::vector<DownloadProgress> progress() const;

    // After the store has taken everything in: the files are not needed any more. Errors: of the
    // disk, which were met while bringing them there, so that whoever syncs them now may not see
    // them again.
    Status finish();
    // After a digest that did not hold: removes what is wrong. True when that was begun by an
    // earlier process, so that a new download may well be right.
    Result<bool> discard_wrong();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::registry
