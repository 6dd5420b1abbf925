// SPDX-License-Identifier: MIT
// Checks one layer of a store: index, recipe and pack, each by itself and against each other.
#pragma once
#include "store/findings.h"

#include <unordered_set>

namespace oblea::store {

// Adds what is wrong to `findings`, and returns the objects that the layer needs, whose contents
// are not looked at. Errors: ECANCELED.
Result<std::unordered_set<Digest>> verify_layer(int root, Digest const& diff_id,
                                                Findings& findings);

}  // namespace oblea::store
