// SPDX-License-Identifier: MIT
#include "store/layer/pack.h"

#include "store/base/checked.h"
#include "store/base/sys.h"
#include "store/layer/layout.h"

namespace oblea::store {

namespace sys = base::sys;

Result<std::optional<Pack>> Pack::open_if_exists(Roots const& roots, Digest const& layer,
                                                 FrameCache& cache) {
    Pack pack;
    pack.path_ = layout::layer_pack(layer);
    auto part = OBLEA_TRY(roots.open_if_exists(pack.path_));
    if (part.has_value()) {
        pack.of_ = part->of;
        struct stat const info = OBLEA_TRY(sys::fstat(part->file.get()));
        pack.bytes_ = static_cast<std::uint64_t>(info.st_size);
        if (pack.bytes_ != 0) {  // one descriptor less for each layer of large files only
            pack.file_ = std::move(part->file);
        }
        return std::optional{std::move(pack)};
    }
    pack.path_ = layout::layer_framed_pack(layer);
    part = OBLEA_TRY(roots.open_if_exists(pack.path_));
    if (!part.has_value()) {
        return std::optional<Pack>{};
    }
    pack.of_ = part->of;
    pack.framed_ = OBLEA_TRY(FramedPack::open(std::move(part->file), pack.path_, cache));
    pack.bytes_ = pack.framed_->bytes();
    return std::optional{std::move(pack)};
}

Status Pack::read(base::MutableBytes buffer, std::uint64_t offset) const {
    if (framed_.has_value()) {
        return framed_->read(buffer, offset);
    }
    bool const within = base::range_fits<std::uint64_t>(offset, buffer.size(), bytes_);
    std::size_t const count =
        within ? OBLEA_TRY(with_context(sys::pread_full(file_.get(), buffer, offset),
                                        [&] { return path_; }))
               : 0;
    return within && count == buffer.size() ? Status{}
                                            : fail(Errno::euclean, "", path_ + " is too short");
}

Result<bool> has_pack(Roots const& roots, Digest const& layer) {
    for (std::string const& path : {layout::layer_pack(layer), layout::layer_framed_pack(layer)}) {
        if (OBLEA_TRY(roots.stat_if_exists(path)).has_value()) {
            return true;
        }
    }
    return false;
}

}  // namespace oblea::store
