// SPDX-License-Identifier: MIT
// A layer's pack, for reading, in whichever form it lies: plain, or in a published store as frames.
//
// Immutable; safe from any thread. Spec: FORMAT.md "Pack", "Framed packs".
#pragma once
#include "store/base/bytes.h"
#include "store/index/types.h"
#include "store/layer/framed_pack.h"
#include "store/layer/roots.h"

#include <optional>
#include <string>

namespace oblea::store {

class Pack {
public:
    // The plain one of any root before a framed one; nothing when none has either. `cache` must
    // live as long. Errors: as Roots::open_if_exists; EUCLEAN for a damaged table of frames.
    static Result<std::optional<Pack>> open_if_exists(Roots const& roots, Digest const& layer,
                                                      FrameCache& cache);

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }     // of the contents
    [[nodiscard]] std::string const& path() const { return path_; }  // in its root
    [[nodiscard]] bool is_framed() const { return framed_.has_value(); }
    [[nodiscard]] Roots::Part::Of of() const { return of_; }
    // The file of a plain one; of an empty one there is none.
    [[nodiscard]] int file() const { return file_.get(); }

    // Fills the buffer. Errors: EUCLEAN for what is damaged or too short, naming the file.
    Status read(base::MutableBytes buffer, std::uint64_t offset) const;

private:
    Pack() = default;

    base::UniqueFd file_;
    std::optional<FramedPack> framed_;
    std::uint64_t bytes_ = 0;
    std::string path_;
    Roots::Part::Of of_ = Roots::Part::Of::own;
};

// Whether one of them is there.
Result<bool> has_pack(Roots const& roots, Digest const& layer);

}  // namespace oblea::store
