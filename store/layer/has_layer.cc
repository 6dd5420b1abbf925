// SPDX-License-Identifier: MIT
#include "store/index/index.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/layer/pack.h"
#include "store/layer/recipe.h"

#include <set>

namespace oblea::store {

namespace {

// What is damaged is not there; every other error is one.
template <typename T>
Result<std::optional<T>> if_undamaged(Result<T> result) {
    if (result.has_value()) {
        return std::optional{*std::move(result)};
    }
    if (result.error().code == Errno::euclean) {
        return std::optional<T>{};
    }
    return std::unexpected<Error>(std::move(result).error());
}

Result<std::optional<Index>> open_index(Roots const& roots, Digest const& diff_id) {
    std::string const path = layout::layer_index(diff_id);
    auto part = OBLEA_TRY(roots.open_if_exists(path));
    if (!part.has_value()) {
        return std::optional<Index>{};
    }
    auto index = OBLEA_TRY(if_undamaged(Index::open(std::move(part->file), path)));
    if (!index.has_value() || index->kind() != IndexKind::layer) {
        return std::optional<Index>{};
    }
    auto const own = index->layer(LayerPos::bottom);
    bool const right = own.has_value() && *own == diff_id;
    return right ? std::move(index) : std::nullopt;
}

// The recipe's header tells its length, and how much of the pack and of objects makes up the tar.
Result<bool> has_recipe(Roots const& roots, Digest const& diff_id) {
    auto const part = OBLEA_TRY(roots.open_if_exists(layout::layer_recipe(diff_id)));
    if (!part.has_value()) {
        return false;
    }
    auto const header = OBLEA_TRY(if_undamaged(read_recipe_header(part->file.get())));
    return header.has_value() && header->diff_id == diff_id;
}

std::string object_folder(Digest const& object) {
    std::string const path = layout::object(object);
    return path.substr(0, path.rfind('/'));
}

}  // namespace

Result<bool> has_layer(Roots const& roots, Digest const& diff_id) {
    auto const index = OBLEA_TRY(open_index(roots, diff_id));
    if (!index.has_value() || !OBLEA_TRY(has_recipe(roots, diff_id)) ||
        !OBLEA_TRY(has_pack(roots, diff_id))) {
        return false;
    }
    for (std::uint32_t i = 0; i < index->object_count(); ++i) {
        std::string const object = layout::object(OBLEA_TRY(index->object(i)));
        if (!OBLEA_TRY(roots.stat_if_exists(object)).has_value()) {
            return false;
        }
    }
    return true;
}

Result<std::vector<std::string>> folders_of_layer(int root, Digest const& diff_id) {
    std::set<std::string> folders{layout::kLayers, layout::layer(diff_id), layout::kBlobs,
                                  layout::kObjects};
    auto const index = OBLEA_TRY(open_index(root, diff_id));
    for (std::uint32_t i = 0; index.has_value() && i < index->object_count(); ++i) {
        folders.insert(object_folder(OBLEA_TRY(index->object(i))));
    }
    return std::vector<std::string>{folders.begin(), folders.end()};
}

}  // namespace oblea::store
