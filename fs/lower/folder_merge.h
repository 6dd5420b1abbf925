// SPDX-License-Identifier: MIT
// Merges what the layers of a folder hold into its listing. Pure.
//
// Layers come top first. A name hides the same one below, except that folders merge with folders
// below, down to the first layer that has something else there, or a whiteout.
#pragma once
#include "fs/types.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace oblea::fs {

// An entry of one layer's folder, marks understood.
struct LayerEntryRead {
    std::string name{};
    enum class Kind { entry, whiteout } kind = Kind::entry;
    FileType type = FileType::regular;
    std::uint64_t number = 0;  // st_ino
    std::uint32_t device = 0;
};

struct MergedLayerEntry {
    std::string name{};
    FileType type = FileType::regular;
    std::uint64_t number = 0;
    std::uint32_t device = 0;
    std::vector<std::uint16_t> layers{};  // that it is seen in, top first; files: one
};

class FolderMerge {
public:
    // The next layer below.
    void add(std::uint16_t layer, std::vector<LayerEntryRead> entries);
    // Sorted by name.
    [[nodiscard]] std::vector<MergedLayerEntry> finish() &&;

private:
    static constexpr std::size_t kHidden = ~std::size_t{0};
    struct Open {
        MergedLayerEntry entry;
        enum class Below { merges, hidden } below = Below::hidden;
    };
    std::vector<Open> entries_;
    std::unordered_map<std::string, std::size_t> seen_;  // position in entries_, or kHidden
};

}  // namespace oblea::fs
