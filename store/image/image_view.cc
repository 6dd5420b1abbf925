// SPDX-License-Identifier: MIT
#include "store/image/image_view.h"

#include "store/base/checked.h"
#include "store/base/mapped_file.h"
#include "store/base/recently_used.h"
#include "store/base/sys.h"
#include "store/image/content_check.h"
#include "store/image/merged_index.h"
#include "store/layer/layout.h"
#include "store/layer/pack.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::store {

namespace sys = base::sys;
using base::MutableBytes;
using base::UniqueFd;

namespace {

// Far below the usual limit of descriptors of a process, and more than a server has threads.
constexpr std::size_t kObjectsOpenMax = 256;

struct OpenPack {
    Pack pack;
    base::MappedFile mapping;  // empty for packs of shared stores, and for empty ones
};

using OpenObject = std::shared_ptr<UniqueFd const>;

// The objects that were read last, open.
class ObjectCache {
public:
    explicit ObjectCache(Roots const& roots) : roots_(roots) {}

    Result<OpenObject> get(Digest const& digest) {
        if (OpenObject found = open_.find(digest)) {
            return found;
        }
        std::string const path = layout::object(digest);
        auto part = OBLEA_TRY(roots_.open_if_exists(path));
        if (!part.has_value()) {
            return fail(Errno::eio, "", path + " is missing from " + roots_.names());
        }
        return open_.keep(digest, std::make_shared<UniqueFd const>(std::move(part->file)), 1);
    }

private:
    Roots const& roots_;
    base::RecentlyUsed<Digest, UniqueFd> open_{kObjectsOpenMax};
};

Result<OpenPack> open_pack(Roots const& roots, Digest const& layer, FrameCache& frames) {
    auto pack = OBLEA_TRY(Pack::open_if_exists(roots, layer, frames));
    if (!pack.has_value()) {
        return fail(Errno::enoent, "",
                    layout::layer_pack(layer) + " is missing from " + roots.names());
    }
    OpenPack open{.pack = *std::move(pack), .mapping = {}};
    // Another machine may take a shared file away at any time: that is an error of a read, and a
    // signal of a mapping.
    bool const mappable = open.pack.of() == Roots::Part::Of::own && !open.pack.is_framed();
    if (mappable && open.pack.bytes() != 0) {
        auto mapped = base::MappedFile::map(open.pack.file(), open.pack.bytes());
        open.mapping = OBLEA_TRY(with_context(std::move(mapped), [&] { return open.pack.path(); }));
    }
    return open;
}

void fill_zeros(MutableBytes buffer) {
    std::ranges::fill(buffer, std::byte{0});
}

// The first extent that ends past `offset`.
std::span<Extent const>::iterator extent_after(std::span<Extent const> extents,
                                               std::uint64_t offset) {
    return std::ranges::partition_point(
        extents, [&](Extent const& extent) { return extent.file_offset + extent.bytes <= offset; });
}

}  // namespace

struct ImageView::Impl {
    Impl(Store const& of, Index index)
        : store(of), tree(std::move(index)), objects(store.roots()) {}

    // Of trusted contents everything is.
    Status expect_sound(InodeNo file) const {
        return check.has_value() ? check->expect_sound(file) : Status{};
    }

    // Reads exactly the buffer from a blob.
    Status read_blob(ContentView const& content, std::uint64_t offset, MutableBytes buffer) const {
        if (!base::range_fits<std::uint64_t>(offset, buffer.size(), content.blob_bytes)) {
            return fail(Errno::euclean, "", "a file is larger than its contents");
        }
        if (content.kind == ContentKind::object) {
            OpenObject const object = OBLEA_TRY(objects.get(content.object));
            std::size_t const count = OBLEA_TRY(sys::pread_full(object->get(), buffer, offset));
            return count == buffer.size()
                       ? Status{}
                       : fail(Errno::eio, "", layout::object(content.object) + " is too short");
        }
        OpenPack const& open = *OBLEA_TRY(pack_of(content));
        auto read = open.pack.read(buffer, content.pack_offset + offset);
        if (!read.has_value() && read.error().code == Errno::euclean) {
            read.error().code = Errno::eio;  // what a reader of a file can make of it
        }
        return read;
    }

    // The pack, once it is proven that the blob lies within it.
    Result<OpenPack const*> pack_of(ContentView const& content) const {
        auto const position = static_cast<std::size_t>(content.layer);
        if (position >= packs.size()) {
            return fail(Errno::euclean, "", "a file is in a layer that the image does not have");
        }
        OpenPack const& open = packs[position];
        if (!base::range_fits(content.pack_offset, content.blob_bytes, open.pack.bytes())) {
            return fail(
                Errno::eio, "",
                fmt::format("{} is too short: {} bytes", open.pack.path(), open.pack.bytes()));
        }
        return &open;
    }

    Status read_sparse(ContentView const& content, std::uint64_t offset,
                       MutableBytes buffer) const {
        auto extent = extent_after(content.extents, offset);
        while (!buffer.empty()) {
            std::uint64_t const data =
                extent == content.extents.end() ? offset + buffer.size() : extent->file_offset;
            if (data > offset) {
                auto const hole =
                    static_cast<std::size_t>(std::min<std::uint64_t>(data - offset, buffer.size()));
                fill_zeros(buffer.first(hole));
                buffer = buffer.subspan(hole);
                offset += hole;
                continue;
            }
            std::uint64_t const within = offset - extent->file_offset;
            auto const piece = static_cast<std::size_t>(
                std::min<std::uint64_t>(extent->bytes - within, buffer.size()));
            OBLEA_TRY(read_blob(content, extent->blob_offset + within, buffer.first(piece)));
            buffer = buffer.subspan(piece);
            offset += piece;
            ++extent;
        }
        return {};
    }

    Store store;
    Index tree;
    FrameCache frames{FrameCache::kUsualBytes};
    std::vector<OpenPack> packs;  // by the position of their layer
    mutable ObjectCache objects;
    std::optional<ContentCheck> check;  // of verified contents
};

ImageView::ImageView(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ImageView::~ImageView() = default;

Result<std::shared_ptr<ImageView const>> ImageView::open(Store const& store, Image const& image) {
    std::vector<Digest> diff_ids;
    diff_ids.reserve(image.layers.size());
    for (ImageLayer const& layer : image.layers) {
        diff_ids.push_back(layer.diff_id);
    }
    return with_context(open(store, diff_ids), [&] {
        return "image " + (image.names.empty() ? image.id.short_hex() : image.names.front());
    });
}

Result<std::shared_ptr<ImageView const>>
ImageView::open(Store const& store, std::span<Digest const> diff_ids, Contents contents) {
    Index tree = OBLEA_TRY(open_merged_index(store.roots(), diff_ids));
    auto impl = std::make_unique<Impl>(store, std::move(tree));
    for (Digest const& layer : diff_ids) {
        impl->packs.push_back(OBLEA_TRY(open_pack(store.roots(), layer, impl->frames)));
    }
    if (contents == Contents::verified) {
        Impl const& view = *impl;
        impl->check.emplace(view.tree, [&view](ContentView const& content, std::uint64_t offset,
                                               MutableBytes buffer) {
            return view.read_blob(content, offset, buffer);
        });
    }
    return std::shared_ptr<ImageView const>{new ImageView{std::move(impl)}};
}

Index const& ImageView::tree() const {
    return impl_->tree;
}

Result<std::size_t> ImageView::read(InodeNo file, MutableBytes buffer, std::uint64_t offset) const {
    ContentView const content = OBLEA_TRY(tree().content(file));
    InodeAttr const attr = OBLEA_TRY(tree().attr(file));
    if (offset >= attr.size) {
        return std::size_t{0};
    }
    OBLEA_TRY(impl_->expect_sound(file));
    buffer = buffer.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), attr.size - offset)));
    if (content.kind == ContentKind::none) {
        fill_zeros(buffer);
    } else if (content.extents.empty()) {
        OBLEA_TRY(impl_->read_blob(content, offset, buffer));
    } else {
        OBLEA_TRY(impl_->read_sparse(content, offset, buffer));
    }
    return buffer.size();
}

Result<base::ByteView> ImageView::mapped(InodeNo file, std::uint64_t offset,
                                         std::size_t bytes) const {
    ContentView const content = OBLEA_TRY(tree().content(file));
    if (content.kind != ContentKind::pack || !content.extents.empty() ||
        offset >= content.blob_bytes) {
        return base::ByteView{};
    }
    OBLEA_TRY(impl_->expect_sound(file));
    OpenPack const& open = *OBLEA_TRY(impl_->pack_of(content));
    if (open.mapping.bytes().empty()) {
        return base::ByteView{};
    }
    auto const blob = open.mapping.bytes().subspan(static_cast<std::size_t>(content.pack_offset),
                                                   static_cast<std::size_t>(content.blob_bytes));
    auto const rest = blob.subspan(static_cast<std::size_t>(offset));
    return rest.first(std::min(bytes, rest.size()));
}

Result<std::shared_ptr<UniqueFd const>> ImageView::object(InodeNo file) const {
    ContentView const content = OBLEA_TRY(tree().content(file));
    if (content.kind != ContentKind::object || !content.extents.empty()) {
        return std::shared_ptr<UniqueFd const>{};
    }
    OBLEA_TRY(impl_->expect_sound(file));
    return impl_->objects.get(content.object);
}

Result<std::uint64_t> ImageView::seek(InodeNo file, std::uint64_t offset, Seek what) const {
    ContentView const content = OBLEA_TRY(tree().content(file));
    InodeAttr const attr = OBLEA_TRY(tree().attr(file));
    constexpr auto kNoSuchOffset = Errno{ENXIO};
    if (offset >= attr.size) {
        return fail(kNoSuchOffset);
    }
    if (content.kind == ContentKind::none) {
        return what == Seek::hole ? Result<std::uint64_t>{offset} : fail(kNoSuchOffset);
    }
    if (content.extents.empty()) {
        return what == Seek::data ? offset : attr.size;
    }
    auto extent = extent_after(content.extents, offset);
    if (what == Seek::data) {
        return extent == content.extents.end()
                   ? Result<std::uint64_t>{fail(kNoSuchOffset)}
                   : Result<std::uint64_t>{std::max(offset, extent->file_offset)};
    }
    // Extents may touch each other.
    for (; extent != content.extents.end() && extent->file_offset <= offset; ++extent) {
        offset = extent->file_offset + extent->bytes;
    }
    return offset;
}

}  // namespace oblea::store
