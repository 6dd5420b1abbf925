// SPDX-License-Identifier: MIT
#include "store/base/sys.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/layer/recipe.h"

#include <algorithm>

namespace oblea::store {

namespace {

namespace sys = base::sys;
using base::ByteView;
using base::UniqueFd;

// Opens a part of the layer. What a published layer refers to must be there: its absence is damage.
Result<UniqueFd> open_part(Roots const& roots, std::string const& path) {
    auto part = OBLEA_TRY(roots.open_if_exists(path));
    if (!part.has_value()) {
        return fail(Errno::eio, "", path + " is missing from " + roots.names());
    }
    return std::move(part->file);
}

class TarWriter final : public RecipeVisitor {
public:
    TarWriter(Roots const& roots, UniqueFd pack, std::string pack_path, TarSink& sink)
        : roots_(roots), pack_(std::move(pack)), pack_path_(std::move(pack_path)), sink_(sink),
          buffer_(256U << 10U) {}

    Status literal(ByteView bytes) override {
        hash_.update(bytes);
        return sink_.write(bytes);
    }

    Status pack(std::uint64_t offset, std::uint64_t bytes) override {
        return copy(pack_.get(), offset, bytes, pack_path_);
    }

    Status object(Digest const& digest, std::uint64_t bytes) override {
        std::string const path = layout::object(digest);
        UniqueFd const file = OBLEA_TRY(open_part(roots_, path));
        return copy(file.get(), 0, bytes, path);
    }

    Digest finish() { return hash_.finish(); }

private:
    Status copy(int file, std::uint64_t offset, std::uint64_t bytes, std::string const& path) {
        struct stat const info = OBLEA_TRY(sys::fstat(file));
        auto const size = static_cast<std::uint64_t>(info.st_size);
        if (offset > size || bytes > size - offset) {
            return fail(Errno::euclean, "", path + " is shorter than the recipe says");
        }
        while (bytes > 0) {
            auto const step =
                static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer_.size()));
            auto const piece = base::MutableBytes{buffer_}.first(step);
            std::size_t const count =
                OBLEA_TRY(with_context(sys::pread_full(file, piece, offset), [&] { return path; }));
            if (count < step) {
                return fail(Errno::euclean, "", path + " is shorter than the recipe says");
            }
            OBLEA_TRY(literal(piece));
            offset += step;
            bytes -= step;
        }
        return {};
    }

    Roots const& roots_;
    UniqueFd pack_;
    std::string pack_path_;
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
    UniqueFd pack = OBLEA_TRY(open_part(roots, layout::layer_pack(diff_id)));
    TarWriter writer{roots, std::move(pack), layout::layer_pack(diff_id), sink};
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
