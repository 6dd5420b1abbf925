// SPDX-License-Identifier: MIT
// The inodes of a stack of folders that were met: which name, layer and number they have.
//
// Records have fixed places and are never taken away. Readers take no lock; whoever adds holds
// `InodeRecords::mutex`. A record that only an origin told of (`parent` is 0, and it is not the
// root) gets its name later, once.
#pragma once
#include "fs/lower/lower_tree.h"
#include "fs/types.h"
#include "store/base/mutex.h"

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace oblea::fs {

// A folder in one of its layers; `path` is from the layer's root, where it is not the path of the
// parent's part plus the name (redirects).
struct LayerPart {
    std::uint16_t layer = 0;
    std::optional<std::string> path{};
};

struct FolderRecord {
    std::vector<std::uint16_t> candidates;  // layers that have a folder of the name, top first
    // Once `loaded`: what it is made of, and its listing.
    std::atomic<bool> loaded{false};
    std::vector<LayerPart> parts;     // top first
    std::vector<LowerEntry> entries;  // sorted by name
    std::uint32_t subfolders = 0;

    [[nodiscard]] LayerPart const* part(std::uint16_t layer) const;
};

struct InodeRecord {
    std::atomic<std::uint32_t> parent{0};  // folder of the first name; set last
    std::uint32_t position = 0;            // in its listing
    std::uint64_t number = 0;              // st_ino in the layer
    std::uint32_t device = 0;              // by InodeRecords::device
    std::uint16_t layer = 0;               // the topmost that has it
    FileType type = FileType::regular;
    // Another name has the same number, although the file has one link only: a bind mount.
    enum class Alias : std::uint8_t { no, yes } alias = Alias::no;
    std::unique_ptr<FolderRecord> folder{};  // folders
};

class InodeRecords {
public:
    static constexpr std::uint32_t kCountMax = std::uint32_t{1} << 26U;

    // null: never given out.
    [[nodiscard]] InodeRecord const* find(store::InodeNo ino) const;
    [[nodiscard]] InodeRecord* find(store::InodeNo ino);
    [[nodiscard]] std::string_view name(InodeRecord const& record) const;

    base::Mutex mutex;

    struct Added {
        store::InodeNo ino = store::InodeNo::none;
        InodeRecord* record = nullptr;
    };
    Result<Added> add() OBLEA_REQUIRES(mutex);  // ENFILE past kCountMax
    std::string_view keep(std::string_view name) OBLEA_REQUIRES(mutex);
    struct NameAt {
        store::InodeNo folder = store::InodeNo::none;
        std::uint32_t position = 0;
    };
    // Files by number, and their names beyond the first.
    struct Number {
        std::uint64_t number = 0;
        std::uint32_t device = 0;
        bool operator==(Number const&) const = default;
    };
    struct NumberHash {
        std::size_t operator()(Number const& key) const noexcept;
    };
    std::unordered_map<Number, store::InodeNo, NumberHash> by_number OBLEA_GUARDED_BY(mutex);
    std::unordered_map<store::InodeNo, std::vector<NameAt>> more_names OBLEA_GUARDED_BY(mutex);
    // Of those that an origin told of.
    std::unordered_map<store::InodeNo, std::uint64_t> told_births OBLEA_GUARDED_BY(mutex);

private:
    static constexpr std::size_t kPerChunk = 4096;
    using Chunk = std::array<InodeRecord, kPerChunk>;
    std::array<std::atomic<Chunk*>, kCountMax / kPerChunk> chunks_{};
    std::vector<std::unique_ptr<Chunk>> owned_ OBLEA_GUARDED_BY(mutex);
    std::uint32_t count_ OBLEA_GUARDED_BY(mutex) = 0;
    // One allocation for many names.
    std::vector<std::unique_ptr<char[]>> texts_ OBLEA_GUARDED_BY(mutex);  // NOLINT: see above
    std::size_t text_used_ OBLEA_GUARDED_BY(mutex) = 0;
    std::size_t text_room_ OBLEA_GUARDED_BY(mutex) = 0;
};

}  // namespace oblea::fs
