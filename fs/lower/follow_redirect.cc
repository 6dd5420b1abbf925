// SPDX-License-Identifier: MIT
#include "fs/lower/follow_redirect.h"

namespace oblea::fs {

using store::FileType;
using store::InodeNo;

Result<std::optional<InodeNo>> follow_redirect(LowerTree const& lower, InodeNo parent,
                                               std::string_view redirect) {
    InodeNo at = parent;
    if (redirect.starts_with('/')) {
        at = InodeNo::root;
    } else if (parent == InodeNo::none) {
        return std::optional<InodeNo>{};
    }
    auto const path = store::RelPath::parse(redirect);
    if (!path.has_value()) {
        return std::unexpected<Error>(path.error());
    }
    for (std::string_view const component : path->components()) {
        auto const next = OBLEA_TRY(lower.lookup(at, component));
        if (!next.has_value() || next->type != FileType::directory) {
            return std::optional<InodeNo>{};
        }
        at = next->ino;
    }
    return std::optional{at};
}

}  // namespace oblea::fs
