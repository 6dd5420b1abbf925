// SPDX-License-Identifier: MIT
#include "store/image/merged_index.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/image/layer_index.h"
#include "store/index/layer_tree.h"
#include "store/index/merge.h"
#include "store/layer/layout.h"

#include <fmt/format.h>

#include <unistd.h>

#include <atomic>
#include <optional>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

Result<bool> is_of_chain(Index const& index, std::span<Digest const> diff_ids) {
    if (index.kind() != IndexKind::merged || index.layer_count() != diff_ids.size()) {
        return false;
    }
    for (std::uint32_t i = 0; i < diff_ids.size(); ++i) {
        if (OBLEA_TRY(index.layer(LayerPos{i})) != diff_ids[i]) {
            return false;
        }
    }
    return true;
}

struct Cached {
    Index index;
    Roots::Part::Of of = Roots::Part::Of::own;
};

// Nullopt when there is none that can be used.
Result<std::optional<Cached>> open_cached(Roots const& roots, std::string const& path,
                                          std::span<Digest const> diff_ids) {
    auto part = OBLEA_TRY(roots.open_if_exists(path));
    if (!part.has_value()) {
        return std::optional<Cached>{};
    }
    auto index = Index::open(std::move(part->file), path);
    if (!index.has_value()) {
        if (index.error().code == Errno::euclean || index.error().code == Errno::eopnotsupp) {
            return std::optional<Cached>{};
        }
        return std::unexpected<Error>(std::move(index).error());
    }
    auto const right = is_of_chain(*index, diff_ids);
    if (!right.has_value() || !*right) {
        return std::optional<Cached>{};
    }
    return std::optional{Cached{.index = *std::move(index), .of = part->of}};
}

// Proven before anybody sees it.
template <typename Open>
Result<Index> build(std::span<Digest const> diff_ids, std::string const& path, Open const& open) {
    std::vector<Index> layers;
    std::vector<Index const*> pointers;
    layers.reserve(diff_ids.size());
    for (Digest const& layer : diff_ids) {
        layers.push_back(OBLEA_TRY(open(layer)));
        pointers.push_back(&layers.back());
    }
    base::Bytes bytes = OBLEA_TRY(merge(pointers));
    Index index = OBLEA_TRY(Index::from_bytes(std::move(bytes), path));
    OBLEA_TRY(index.check());
    return index;
}

// Tells gc --keep-storage what was used last. Where it cannot be written it is not needed.
void note_use(Roots const& roots, Cached const& cached, std::string const& path) {
    if (cached.of == Roots::Part::Of::own) {
        static_cast<void>(sys::utimensat(roots.own(), path.c_str(), nullptr));
    }
}

Status publish(int root, std::string const& path, base::ByteView bytes) {
    static std::atomic<unsigned> counter{0};
    std::string const staged =
        fmt::format("{}/merged.{}.{}", layout::kTmp, ::getpid(), counter.fetch_add(1));
    UniqueFd const file =
        OBLEA_TRY(sys::openat(root, staged.c_str(), O_WRONLY | O_CREAT | O_EXCL, mode_t{0600}));
    base::ScopeExit discard{
        [&] { static_cast<void>(sys::unlink_if_exists(root, staged.c_str())); }};
    OBLEA_TRY(sys::write_all(file.get(), bytes));
    OBLEA_TRY(sys::fsync(file.get()));
    OBLEA_TRY(sys::renameat2(root, staged.c_str(), root, path.c_str()));
    discard.dismiss();
    UniqueFd const folder = OBLEA_TRY(sys::openat(root, layout::kMerged, O_RDONLY | O_DIRECTORY));
    return sys::fsync(folder.get());
}

bool is_no_room(Error const& error) {
    return error.code == Errno::enospc || error.code == Errno::edquot ||
           error.code == Errno::erofs || error.code == Errno::eacces;
}

}  // namespace

Result<Index> build_merged_index(Roots const& roots, std::span<Digest const> diff_ids) {
    if (diff_ids.empty()) {
        return Index::from_bytes(OBLEA_TRY(LayerTree{}.finish(Digest{}, {})), "scratch");
    }
    return build(diff_ids, layout::merged(chain_id(diff_ids)),
                 [&](Digest const& layer) { return open_layer_index(roots, layer); });
}

Result<Index> open_merged_index(Roots const& roots, std::span<Digest const> diff_ids) {
    if (diff_ids.empty()) {
        return build_merged_index(roots, diff_ids);
    }
    std::string const path = layout::merged(chain_id(diff_ids));
    if (auto cached = OBLEA_TRY(open_cached(roots, path, diff_ids))) {
        note_use(roots, *cached, path);
        return std::move(cached->index);
    }
    Index index = OBLEA_TRY(build_merged_index(roots, diff_ids));
    auto published = publish(roots.own(), path, index.bytes());
    if (!published.has_value() && is_no_room(published.error())) {
        return index;
    }
    OBLEA_TRY(with_context(std::move(published), [&] { return path; }));
    // The published file is mapped instead, so that its memory can be given back.
    auto mapped = OBLEA_TRY(open_cached(roots.own(), path, diff_ids));
    return mapped.has_value() ? std::move(mapped->index) : std::move(index);
}

namespace {

// What an import still needs when its trees are staged is small: names, folders of objects, lists.
constexpr std::uint64_t kSpareBytes = 16U << 20U;

// A cache does not take the last room, which what it is made of still needs.
Result<bool> has_room(int root, std::size_t bytes) {
    struct statfs const info = OBLEA_TRY(sys::fstatfs(root));
    auto const block_bytes = static_cast<std::uint64_t>(info.f_bsize);
    return info.f_bavail >= (bytes + kSpareBytes) / block_bytes;
}

}  // namespace

Status stage_merged_index(ImportStaging& staging, Roots const& roots,
                          std::span<Digest const> diff_ids) {
    if (diff_ids.empty()) {
        return {};
    }
    std::string const path = layout::merged(chain_id(diff_ids));
    if (auto const cached = OBLEA_TRY(open_cached(roots, path, diff_ids))) {
        note_use(roots, *cached, path);
        return {};
    }
    auto const open = [&](Digest const& layer) -> Result<Index> {
        auto const staged = staging.find_index(layer);
        if (!staged.has_value()) {
            return open_layer_index(roots, layer);
        }
        UniqueFd file = OBLEA_TRY(sys::openat(roots.own(), staged->c_str(), O_RDONLY));
        return Index::open(std::move(file), layout::layer_index(layer));
    };
    Index const index = OBLEA_TRY(build(diff_ids, path, open));
    if (!OBLEA_TRY(has_room(roots.own(), index.bytes().size()))) {
        return {};
    }
    auto added = staging.add_merged(path, index.bytes());
    return !added.has_value() && is_no_room(added.error()) ? Status{} : std::move(added);
}

}  // namespace oblea::store
