// SPDX-License-Identifier: MIT
// Brings blobs somewhere, side by side, and tells how far they are.
#pragma once
#include "store/image/progress_board.h"
#include "tools/registry/client/push_blob.h"

#include <functional>
#include <string>
#include <vector>

namespace oblea::registry {

// Both may be empty. Calls come one at a time, from any thread.
struct TransferListener {
    // A blob, by its short form, has come to a state in docker's words: "Preparing", "Layer already
    // exists", "Mounted from library/debian", "Pushed".
    std::function<void(std::string const& blob, std::string const& state)> event;
    std::function<void(store::ImportProgress const&)> progress;
};

struct BlobTransfer {
    BlobUpload blob;
    std::string id;  // for people; a blob without one is not talked of
};

struct TransferOptions {
    std::size_t at_once = 5;
    char const* arrived = "Pushed";                            // the state of what was sent
    std::function<Result<PushedBlob>(BlobUpload const&)> put;  // from any thread
};

// The first failure stops those that have not begun, and is the result.
Status transfer_blobs(std::vector<BlobTransfer> transfers, TransferOptions const& options,
                      TransferListener const& listener);

}  // namespace oblea::registry
