// SPDX-License-Identifier: MIT
#include "fs/lower/inode_records.h"

#include "store/base/hash.h"

#include <algorithm>
#include <cstring>

namespace oblea::fs {

using store::InodeNo;

namespace {

constexpr std::size_t kTextBytes = std::size_t{64} << 10U;

}  // namespace

LayerPart const* FolderRecord::part(std::uint16_t layer) const {
    // Top first: numbers fall.
    auto const found = std::ranges::lower_bound(parts, layer, std::greater{}, &LayerPart::layer);
    return found != parts.end() && found->layer == layer ? &*found : nullptr;
}

InodeRecord const* InodeRecords::find(InodeNo ino) const {
    std::uint32_t const index = static_cast<std::uint32_t>(ino) - 1;
    if (index >= kCountMax) {
        return nullptr;
    }
    Chunk const* chunk = chunks_[index / kPerChunk].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &(*chunk)[index % kPerChunk];
}

InodeRecord* InodeRecords::find(InodeNo ino) {
    return const_cast<InodeRecord*>(std::as_const(*this).find(ino));  // NOLINT: ours
}

std::string_view InodeRecords::name(InodeRecord const& record) const {
    std::uint32_t const parent = record.parent.load(std::memory_order_acquire);
    InodeRecord const* folder = find(InodeNo{parent});
    return folder == nullptr ? std::string_view{} : folder->folder->entries[record.position].name;
}

Result<InodeRecords::Added> InodeRecords::add() {
    if (count_ == kCountMax) {
        return fail(Errno::enfile, "", "a tree of more inodes than can be numbered");
    }
    std::uint32_t const index = count_++;
    if (index % kPerChunk == 0) {
        owned_.push_back(std::make_unique<Chunk>());
        chunks_[index / kPerChunk].store(owned_.back().get(), std::memory_order_release);
    }
    return Added{InodeNo{index + 1}, &(*owned_.back())[index % kPerChunk]};
}

std::string_view InodeRecords::keep(std::string_view name) {
    if (text_room_ - text_used_ < name.size()) {
        text_room_ = std::max(kTextBytes, name.size());
        text_used_ = 0;
        texts_.push_back(std::make_unique<char[]>(text_room_));  // NOLINT: see the header
    }
    char* const at = texts_.back().get() + text_used_;
    std::memcpy(at, name.data(), name.size());
    text_used_ += name.size();
    return {at, name.size()};
}

std::size_t InodeRecords::NumberHash::operator()(Number const& key) const noexcept {
    std::array<std::uint64_t, 2> const words{key.number, key.device};
    return base::xxh3_64(std::as_bytes(std::span{words}));
}

}  // namespace oblea::fs
