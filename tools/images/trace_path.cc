// SPDX-License-Identifier: MIT
#include "tools/images/trace_path.h"

#include <algorithm>

namespace oblea::tools {

using store::DirentKind;
using store::FileType;
using store::InodeNo;

namespace {

// What one layer says: an entry, that it hides, or both, for an opaque folder that has the path.
struct Say {
    std::optional<Sighting> entry;
    bool hides = false;
};

Result<Say> ask(store::Index const& layer, std::size_t position,
                std::span<std::string const> names) {
    Say say;
    InodeNo folder = InodeNo::root;
    for (std::size_t i = 0; i < names.size(); ++i) {
        say.hides = say.hides || OBLEA_TRY(layer.is_opaque(folder));
        auto const found = OBLEA_TRY(layer.lookup(folder, names[i]));
        if (!found.has_value()) {
            return say;
        }
        bool const last = i + 1 == names.size();
        if (found->kind == DirentKind::whiteout) {
            say.hides = true;
            return say;
        }
        if (last) {
            Sighting entry{.layer = position, .kind = Sighting::Kind::entry, .attr = std::nullopt};
            if (found->kind == DirentKind::entry) {
                entry.attr = OBLEA_TRY(layer.attr(found->ino));
            }
            bool const implicit = found->kind == DirentKind::entry &&
                                  found->type == FileType::directory &&
                                  OBLEA_TRY(layer.is_implicit(found->ino));
            if (!implicit) {  // a folder that the layer only passes through
                say.entry = entry;
            }
            return say;
        }
        if (found->kind != DirentKind::entry || found->type != FileType::directory) {
            say.hides = true;
            return say;
        }
        folder = found->ino;
    }
    return say;
}

}  // namespace

Result<std::vector<Sighting>> trace_path(std::span<store::Index const> layers,
                                         std::span<std::string const> names) {
    std::vector<Sighting> bottom_first;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        Say const say = OBLEA_TRY(ask(layers[i], i, names));
        bool const something_there =
            !bottom_first.empty() && bottom_first.back().kind == Sighting::Kind::entry;
        if (say.hides && something_there) {
            bottom_first.push_back(
                {.layer = i, .kind = Sighting::Kind::hides, .attr = std::nullopt});
        }
        if (say.entry.has_value()) {
            bottom_first.push_back(*say.entry);
        }
    }
    std::ranges::reverse(bottom_first);
    return bottom_first;
}

}  // namespace oblea::tools
