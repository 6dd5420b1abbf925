// SPDX-License-Identifier: MIT
// A lower tree for tests: a real merged index, made of layers in memory, with the contents of its
// files beside it.
#pragma once
#include "fs/lower/index_lower.h"
#include "tests/support/tree_builder.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>

namespace oblea::test {

// Holds the index for its base, which refers to it.
struct MemoryIndex {
    store::Index merged_index;
};

class MemoryLower final : private MemoryIndex, public fs::IndexLower {
public:
    // Files are made with text_file() and sparse_file() of the builder below.
    MemoryLower(store::Index index, std::map<std::uint64_t, std::string> blobs)
        : MemoryIndex{std::move(index)}, IndexLower(MemoryIndex::merged_index),
          blobs_(std::move(blobs)) {}

    Result<std::size_t> read(store::InodeNo file, base::MutableBytes buffer,
                             std::uint64_t offset) const override {
        ++reads;
        std::uint64_t const size = OBLEA_TRY(index().attr(file)).size;
        if (offset >= size) {
            return std::size_t{0};
        }
        auto const piece = buffer.first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset)));
        std::ranges::fill(piece, std::byte{0});
        store::ContentView const content = OBLEA_TRY(index().content(file));
        if (content.kind == store::ContentKind::none) {
            return piece.size();
        }
        std::string const& blob = blobs_.at(content.pack_check.low);
        store::Extent const whole{0, 0, blob.size()};
        auto const extents =
            content.extents.empty() ? std::span<store::Extent const>{&whole, 1} : content.extents;
        for (store::Extent const& extent : extents) {
            std::uint64_t const from = std::max(offset, extent.file_offset);
            std::uint64_t const to =
                std::min(offset + piece.size(), extent.file_offset + extent.bytes);
            if (from < to) {
                std::memcpy(piece.data() + (from - offset),
                            blob.data() + extent.blob_offset + (from - extent.file_offset),
                            to - from);
            }
        }
        bytes_read += piece.size();
        return piece.size();
    }

    Result<base::ByteView> mapped(store::InodeNo, std::uint64_t, std::size_t) const override {
        return base::ByteView{};
    }

    Result<std::shared_ptr<base::UniqueFd const>> object(store::InodeNo) const override {
        return std::shared_ptr<base::UniqueFd const>{};
    }

    Result<std::uint64_t> seek(store::InodeNo file, std::uint64_t offset,
                               Seek what) const override {
        std::uint64_t const size = OBLEA_TRY(index().attr(file)).size;
        if (offset >= size) {
            return fail(Errno::enxio, "lseek");
        }
        store::ContentView const content = OBLEA_TRY(index().content(file));
        if (content.kind != store::ContentKind::none && content.extents.empty()) {
            return what == Seek::data ? offset : size;
        }
        for (store::Extent const& extent : content.extents) {
            std::uint64_t const end = extent.file_offset + extent.bytes;
            if (offset < extent.file_offset) {
                return what == Seek::data ? extent.file_offset : offset;
            }
            if (offset < end) {
                if (what == Seek::data) {
                    return offset;
                }
                offset = end;
            }
        }
        if (what == Seek::data) {
            return fail(Errno::enxio, "lseek");
        }
        return std::min(offset, size);
    }

    mutable std::atomic<std::uint64_t> reads{0};
    mutable std::atomic<std::uint64_t> bytes_read{0};

private:
    std::map<std::uint64_t, std::string> blobs_;
};

// Collects the bytes of the files that a test puts into layers.
class LowerBuilder {
public:
    store::LayerEntry text_file(std::string_view at, std::string_view text,
                                std::uint32_t permissions = 0644) {
        LayerEntry entry = file(at, text, permissions);
        blobs_[entry.content.pack_check.low] = std::string{text};
        return entry;
    }

    // `text` at `offset` of a file of `size` bytes, the rest of which is a hole.
    store::LayerEntry sparse_file(std::string_view at, std::string_view text, std::uint64_t offset,
                                  std::uint64_t size) {
        LayerEntry entry = text_file(at, text);
        entry.attr.size = size;
        entry.content.extents = {{offset, 0, text.size()}};
        return entry;
    }

    LowerBuilder& add(std::vector<store::LayerEntry> entries) {
        layers_.push_back(layer(std::move(entries), "layer " + std::to_string(layers_.size())));
        return *this;
    }

    [[nodiscard]] std::shared_ptr<MemoryLower> build() {
        std::vector<store::Index const*> stack;
        for (store::Index const& one : layers_) {
            stack.push_back(&one);
        }
        return std::make_shared<MemoryLower>(merged(stack), blobs_);
    }

private:
    std::vector<store::Index> layers_;
    std::map<std::uint64_t, std::string> blobs_;
};

}  // namespace oblea::test
