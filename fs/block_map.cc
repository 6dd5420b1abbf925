// SPDX-License-Identifier: MIT
#include "fs/block_map.h"

#include "store/base/hash.h"

#include <algorithm>
#include <bit>

namespace oblea::fs {

namespace {

using base::load_le;
using base::store_le;

// The header: magic (8 bytes), version (4), block size (4), limit (8), number of blocks (8), check
// (8: XXH3-64 of the whole form with zeros here), boot id (36), nothing (4). One bit for each block
// follows, the first one in the lowest bit of the first byte.
constexpr std::string_view kMagic = "oblea-bm";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kBlockBytesAt = 12;
constexpr std::size_t kCountAt = 24;
constexpr std::size_t kCheckAt = 32;
constexpr std::size_t kBootIdAt = 40;
static_assert(kBootIdAt + BlockMap::kBootIdBytes <= BlockMap::kHeaderBytes);

std::uint64_t blocks_of(std::uint64_t bytes, std::uint32_t block_bytes) {
    return bytes / block_bytes + (bytes % block_bytes != 0 ? 1 : 0);
}

base::Bytes copy_of(std::string_view form) {
    base::ByteView const bytes = base::bytes_of(form);
    return {bytes.begin(), bytes.end()};
}

std::uint64_t check_of(base::Bytes form) {
    store_le<std::uint64_t>(form.data() + kCheckAt, 0);
    return base::xxh3_64(form);
}

std::unexpected<Error> damaged() {
    return fail(Errno::euclean, "", "a damaged block map in the work folder");
}

}  // namespace

BlockMap::BlockMap(std::uint64_t limit, std::uint32_t block_bytes)
    : block_bytes_(block_bytes), block_count_(blocks_of(limit, block_bytes)), limit_(limit),
      words_(static_cast<std::size_t>((block_count_ + kBits - 1) / kBits)) {}

bool BlockMap::owns(std::uint64_t block) const {
    if (block >= block_count_) {
        return true;
    }
    std::uint64_t const word =
        words_[static_cast<std::size_t>(block / kBits)].load(std::memory_order_acquire);
    return ((word >> (block % kBits)) & 1U) != 0;
}

bool BlockMap::owns(Blocks blocks) const {
    for (std::uint64_t block = blocks.first; block < blocks.end; ++block) {
        if (!owns(block)) {
            return false;
        }
    }
    return true;
}

bool BlockMap::owns_some(Blocks blocks) const {
    for (std::uint64_t block = blocks.first; block < std::min(blocks.end, block_count_); ++block) {
        if (owns(block)) {
            return true;
        }
    }
    return false;
}

bool BlockMap::covers(BlockMap const& other) const {
    if (other.block_bytes_ != block_bytes_ || other.block_count_ != block_count_) {
        return false;
    }
    for (std::uint64_t block = 0; block < block_count_; ++block) {
        if (other.owns(block) && !owns(block)) {
            return false;
        }
    }
    return true;
}

BlockMap::Stretch BlockMap::stretch_at(std::uint64_t offset, std::uint64_t end) const {
    std::uint64_t const limit = this->limit();
    if (offset >= limit) {
        return {Owner::upper, end};
    }
    std::uint64_t block = offset / block_bytes_;
    bool const own = owns(block);
    std::uint64_t const within = std::min(limit, end);
    // The limit may lie in the middle of a block that is the lower file's.
    std::uint64_t at = within;
    for (++block; block < block_count_; ++block) {
        if (block * block_bytes_ >= within) {
            break;
        }
        if (owns(block) != own) {
            at = block * block_bytes_;
            break;
        }
    }
    return own ? Stretch{Owner::upper, at == limit ? end : at} : Stretch{Owner::lower, at};
}

BlockMap::Blocks BlockMap::touched(std::uint64_t offset, std::uint64_t end) const {
    std::uint64_t const within = std::min(end, limit());
    if (offset >= within) {
        return {};
    }
    return {offset / block_bytes_, blocks_of(within, block_bytes_)};
}

void BlockMap::own(Blocks blocks) {
    for (std::uint64_t block = blocks.first; block < std::min(blocks.end, block_count_); ++block) {
        words_[static_cast<std::size_t>(block / kBits)].fetch_or(
            std::uint64_t{1} << (block % kBits), std::memory_order_release);
    }
}

void BlockMap::cut(std::uint64_t limit) {
    if (limit < this->limit()) {
        limit_.store(limit, std::memory_order_release);
    }
}

std::string BlockMap::encode(std::string_view boot_id) const {
    base::Bytes form(kHeaderBytes);
    std::ranges::copy(base::bytes_of(kMagic), form.begin());
    store_le(form.data() + kVersionAt, kVersion);
    store_le(form.data() + kBlockBytesAt, block_bytes_);
    store_le(form.data() + kLimitAt, limit());
    store_le(form.data() + kCountAt, block_count_);
    std::ranges::copy(base::bytes_of(boot_id.substr(0, kBootIdBytes)), form.begin() + kBootIdAt);
    base::Bytes const bits = bits_of(0, (block_count_ + 7) / 8, {});
    form.insert(form.end(), bits.begin(), bits.end());
    store_le(form.data() + kCheckAt, check_of(form));
    return std::string{base::text_of(form)};
}

std::string BlockMap::encode_live(std::string_view boot_id) const {
    return encode(boot_id);
}

std::string BlockMap::encode_synced() const {
    return encode({});
}

base::Bytes BlockMap::bits_of(std::uint64_t first_byte, std::uint64_t bytes, Blocks added) const {
    base::Bytes bits(static_cast<std::size_t>(bytes));
    for (std::uint64_t i = 0; i < bytes * 8; ++i) {
        std::uint64_t const block = first_byte * 8 + i;
        bool const is_added = block >= added.first && block < added.end;
        if (block < block_count_ && (is_added || owns(block))) {
            bits[static_cast<std::size_t>(i / 8)] |= std::byte{1} << static_cast<unsigned>(i % 8);
        }
    }
    return bits;
}

BlockMap::Patch BlockMap::patch_for(Blocks added) const {
    if (added.empty()) {
        return {};
    }
    std::uint64_t const first_byte = added.first / 8;
    return {.at = kHeaderBytes + first_byte,
            .bytes = bits_of(first_byte, (added.end + 7) / 8 - first_byte, added)};
}

Status BlockMap::load(std::string_view form) {
    if (form.size() < kHeaderBytes || !form.starts_with(kMagic)) {
        return damaged();
    }
    base::Bytes const bytes = copy_of(form);
    if (load_le<std::uint32_t>(bytes.data() + kVersionAt) != kVersion) {
        return fail(Errno::eopnotsupp, "", "the upper layer is of a newer version of oblea");
    }
    auto const block_bytes = load_le<std::uint32_t>(bytes.data() + kBlockBytesAt);
    auto const count = load_le<std::uint64_t>(bytes.data() + kCountAt);
    // The file's size, which the limit began as, is told by the lower tree: blocks of another size
    // are of another setting, and as good.
    std::uint64_t const size = limit();
    auto const cut_at = load_le<std::uint64_t>(bytes.data() + kLimitAt);
    if (block_bytes == 0 || cut_at > size || count != blocks_of(size, block_bytes) ||
        form.size() - kHeaderBytes != (count + 7) / 8) {
        return damaged();
    }
    if (count % 8 != 0 && (bytes.back() >> static_cast<unsigned>(count % 8)) != std::byte{0}) {
        return damaged();  // blocks behind the file's end
    }
    block_bytes_ = block_bytes;
    block_count_ = count;
    words_ = std::vector<std::atomic<std::uint64_t>>(
        static_cast<std::size_t>((count + kBits - 1) / kBits));
    for (std::uint64_t block = 0; block < count; ++block) {
        std::byte const byte = bytes[kHeaderBytes + static_cast<std::size_t>(block / 8)];
        if ((byte & (std::byte{1} << static_cast<unsigned>(block % 8))) != std::byte{0}) {
            own({block, block + 1});
        }
    }
    cut(cut_at);
    return {};
}

Result<bool> BlockMap::load_live(std::string_view form, std::string_view boot_id) {
    if (boot_id.empty() || form.size() < kHeaderBytes ||
        form.substr(kBootIdAt, kBootIdBytes) != boot_id.substr(0, kBootIdBytes)) {
        return false;
    }
    OBLEA_TRY(load(form));
    return true;
}

Status BlockMap::load_synced(std::string_view form) {
    if (form.size() < kHeaderBytes) {
        return damaged();
    }
    base::Bytes const bytes = copy_of(form);
    if (load_le<std::uint64_t>(bytes.data() + kCheckAt) != check_of(bytes)) {
        return damaged();
    }
    return load(form);
}

}  // namespace oblea::fs
