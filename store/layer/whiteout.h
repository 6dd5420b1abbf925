// SPDX-License-Identifier: MIT
// Which members of a layer are marks for the layers below, by their names alone.
//
// As container tools do, the type of the member does not count, only its name. Pure.
// Spec: OCI image-spec layer.md "Whiteouts", "Opaque Whiteout"; aufs' leftovers ".wh..wh.*".
#pragma once
#include "store/index/types.h"

namespace oblea::store {

struct WhiteoutMark {
    enum class Kind {
        none,      // an ordinary member
        whiteout,  // hides `path` in lower layers
        opaque,    // hides what lower layers have inside the folder `path`
        leftover,  // bookkeeping of aufs, to be skipped
    };
    Kind kind = Kind::none;
    RelPath path;
};

// Errors: EINVAL for ".wh." without a name, for a name that is none (".wh..."), and for a member
// inside of what its own path names as a whiteout.
Result<WhiteoutMark> parse_whiteout(RelPath const& member);

}  // namespace oblea::store
