// SPDX-License-Identifier: MIT
#include "store/base/checked.h"
#include "store/base/sys.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/layer/pack.h"
#include "store/layer/recipe.h"

#include <algorithm>

namespace oblea::store {

namespace {

namespace sys = base::sys;
using base::ByteView;
using base::UniqueFd;

// What a published layer refers to must be there: its absence is damage.
std::unexpected<Error> is_missing(Roots const& roots, std::string const& path) {
    return fail(Errno::eio, "", path + " is missing from " + roots.names());
}

// Opens a part of the layer.
Result<UniqueFd> open_part(Roots const& roots, std::string const& path) {
    auto part = OBLEA_TRY(roots.open_if_exists(path));
    if (!part.has_value()) {
        return is_missing(roots, path);
    }
    return std::move(part->file);
}

class TarWriter final : public RecipeVisitor {
public:
    TarWriter(Roots const& roots, Pack pack, TarSink& sink)
        : roots_(roots), pack_(std::move(pack)), sink_(sink), buffer_(256U << 10U) {}

    Status literal(ByteView bytes) override {
        hash_.update(bytes);
        return sink_.write(bytes);
    }

    Status pack(std::uint64_t offset, std::uint64_t bytes) override {
        if (!base::range_fits(offset, bytes, pack_.bytes())) {
            return fail(Errno::euclean, "", pack_.path() + " is shorter than the recipe says");
        }
        return copy(bytes, [&](base::MutableBytes piece, std::uint64_t at) {
            return pack_.read(piece, offset + at);
        });
    }

    Status object(Digest const& digest, std::uint64_t bytes) override {
        std::string const path = layout::object(digest);
        UniqueFd const file = OBLEA_TRY(open_part(roots_, path));
        auto const shorter = [&] {
            return fail(Errno::euclean, "", path + " is shorter than the recipe says");
        };
        struct stat const info = OBLEA_TRY(sys::fstat(file.get()));
        if (static_cast<std::uint64_t>(info.st_size) < bytes) {
            return shorter();
        }
        return copy(bytes, [&](base::MutableBytes piece, std::uint64_t at) -> Status {
            std::size_t const count = OBLEA_TRY(
                with_context(sys::pread_full(file.get(), piece, at), [&] { return path; }));
            return count == piece.size() ? Status{} : shorter();
        });
    }

    Digest finish() { return hash_.finish(); }

private:
    // `read` fills a buffer from an offset.
    template <typename Read>
    Status copy(std::uint64_t bytes, Read const& read) {
        for (std::uint64_t at = 0; at < bytes;) {
            auto const piece = base::MutableBytes{buffer_}.first(
                static_cast<std::size_t>(std::min<std::uint64_t>(bytes - at, buffer_.size())));
            OBLEA_TRY(read(piece, at));
            OBLEA_TRY(literal(piece));
            at += piece.size();
        }
        return {};
    }

    Roots const& roots_;
    Pack pack_;
    TarSink& sink_;
    base::Bytes buffer_;
    base::Sha256 hash_;
};

}  // namespace

Status export_layer(Roots const& roots, Digest const& diff_id, TarSink& sink) {
    auto const there = OBLEA_TRY(roots.stat_if_exists(layout::layer(diff_id)));
    if (!there.has_value()) {
        return fail(Errno::enoent, "", "no layer " + diff_id.to_string() + " in the store");
    }
    std::string const recipe_path = layout::layer_recipe(diff_id);
    UniqueFd const recipe = OBLEA_TRY(open_part(roots, recipe_path));
    FrameCache frames{0};  // contents come in order
    auto pack = OBLEA_TRY(Pack::open_if_exists(roots, diff_id, frames));
    if (!pack.has_value()) {
        return is_missing(roots, layout::layer_pack(diff_id));
    }
    TarWriter writer{roots, *std::move(pack), sink};
    OBLEA_TRY(with_context(read_recipe(recipe.get(), writer), [&] { return recipe_path; }));
    Digest const exported = writer.finish();
    if (exported != diff_id) {
        return fail(Errno::euclean, "",
                    "layer " + diff_id.to_string() + " is damaged: its tar has the digest " +
                        exported.to_string());
    }
    return {};
}

}  // namespace oblea::store
