// SPDX-License-Identifier: MIT
// Which bytes of a partial file (file_state.h) are its own; all others are those of the lower file
// that it was.
//
// By blocks, up to a limit: whatever lies beyond it is the file's own. A block becomes its own and
// stays so, and the limit only falls, so readers take no lock and see one of the states that were.
// One thread changes it at a time (PartialFile::mutex). README.md "Partial files" has the form on
// disk.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::fs {

class BlockMap {
public:
    // With nothing of its own below `limit`. `block_bytes` is not zero.
    BlockMap(std::uint64_t limit, std::uint32_t block_bytes);

    [[nodiscard]] std::uint32_t block_bytes() const { return block_bytes_; }
    [[nodiscard]] std::uint64_t limit() const { return limit_.load(std::memory_order_acquire); }

    enum class Owner : std::uint8_t { lower, upper };
    struct Stretch {
        Owner owner = Owner::upper;
        std::uint64_t end = 0;
    };
    // The longest stretch of one owner that begins at `offset`, and ends at `end` at the latest.
    [[nodiscard]] Stretch stretch_at(std::uint64_t offset, std::uint64_t end) const;

    struct Blocks {
        std::uint64_t first = 0;
        std::uint64_t end = 0;
        [[nodiscard]] bool empty() const { return first >= end; }
    };
    // Those in which bytes of [offset, end) lie that are below the limit.
    [[nodiscard]] Blocks touched(std::uint64_t offset, std::uint64_t end) const;
    [[nodiscard]] bool owns(std::uint64_t block) const;
    [[nodiscard]] bool owns(Blocks blocks) const;  // every one of them
    [[nodiscard]] bool owns_some(Blocks blocks) const;
    [[nodiscard]] bool owns_some() const { return owns_some({0, block_count_}); }
    [[nodiscard]] bool is_whole() const { return owns(touched(0, limit())); }
    // Every block that `other` owns, of the same size.
    [[nodiscard]] bool covers(BlockMap const& other) const;

    void own(Blocks blocks);
    void cut(std::uint64_t limit);  // no effect when it is lower already

    // --- on disk ---

    static constexpr std::size_t kHeaderBytes = 80;
    static constexpr std::size_t kLimitAt = 16;
    static constexpr std::size_t kBootIdBytes = 36;

    // The live form is changed in place and counts for as long as the machine runs, which the boot
    // id tells; the synced form is written whole, has a check and no boot id.
    [[nodiscard]] std::string encode_live(std::string_view boot_id) const;
    [[nodiscard]] std::string encode_synced() const;
    // A part of the live form as it will be when `added` are owned too, and where it goes. `added`
    // are blocks that touched() has given.
    struct Patch {
        std::uint64_t at = 0;
        base::Bytes bytes;
    };
    [[nodiscard]] Patch patch_for(Blocks added) const;

    // Takes over what the form says. False: the live form is of another boot, or of none.
    // Errors: EUCLEAN for what is no map, or one whose check fails; EOPNOTSUPP for a later version.
    Result<bool> load_live(std::string_view form, std::string_view boot_id);
    Status load_synced(std::string_view form);

private:
    static constexpr std::uint64_t kBits = 64;
    [[nodiscard]] base::Bytes bits_of(std::uint64_t first_byte, std::uint64_t bytes,
                                      Blocks added) const;
    [[nodiscard]] std::string encode(std::string_view boot_id) const;
    Status load(std::string_view form);

    std::uint32_t block_bytes_;
    std::uint64_t block_count_;
    std::atomic<std::uint64_t> limit_;
    std::vector<std::atomic<std::uint64_t>> words_;
};

}  // namespace oblea::fs
