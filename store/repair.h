// SPDX-License-Identifier: MIT
// Brings back what verify found damaged or missing, from wherever the same bytes are to be had.
//
// Sources, in this order: what the store itself can rebuild (merged trees; a layer from its kept
// blob), then those that are given: other stores, everything that import reads, and the registry
// that an image came from. Each thing is replaced by one rename once the new one is proven by its
// digest, so that nothing is ever worse than before; no image, container or name is removed.
#pragma once
#include "store/layer/staging.h"
#include "store/verify.h"

#include <string>
#include <vector>

namespace oblea::store {

struct RepairOptions {
    std::vector<std::string> from = {};  // folders of stores, or what import_image takes
    // Brings an image of this store anew from the registry that it came from, replacing what is
    // distrusted. Called last, for each image that still lacks something; may be empty.
    std::function<Status(Image const&, Distrust const&)> fetch = {};
    unsigned jobs = 0;
    std::atomic<bool> const* cancel = nullptr;
};

struct RepairReport {
    std::vector<Fault> repaired;
    std::vector<Fault> left;            // as a new verification finds them
    std::vector<std::string> messages;  // why a source did not help
};

// `found` is what a verification of the same store has just reported; what was touched is verified
// again at the end. Errors: those of the store itself; a source that fails is a message.
Result<RepairReport> repair_store(Store const& store, VerifyReport const& found,
                                  RepairOptions const& options);

// Writes a blob that is missing or distrusted.
Status restore_blob(Store const& store, std::string_view bytes, Distrust const& distrust);

}  // namespace oblea::store
