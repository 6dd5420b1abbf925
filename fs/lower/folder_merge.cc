// SPDX-License-Identifier: MIT
#include "fs/lower/folder_merge.h"

#include <algorithm>

namespace oblea::fs {

void FolderMerge::add(std::uint16_t layer, std::vector<LayerEntryRead> entries) {
    for (LayerEntryRead& entry : entries) {
        if (entry.kind == LayerEntryRead::Kind::whiteout) {
            continue;
        }
        bool const folder = entry.type == FileType::directory;
        auto const [at, fresh] = seen_.try_emplace(entry.name, entries_.size());
        if (fresh) {
            entries_.push_back({.entry = {.name = std::move(entry.name),
                                          .type = entry.type,
                                          .number = entry.number,
                                          .device = entry.device,
                                          .layers = {layer}},
                                .below = folder ? Open::Below::merges : Open::Below::hidden});
            continue;
        }
        if (at->second == kHidden || entries_[at->second].below == Open::Below::hidden) {
            continue;
        }
        Open& above = entries_[at->second];
        if (folder) {
            above.entry.layers.push_back(layer);
        } else {
            above.below = Open::Below::hidden;
        }
    }
    // A whiteout concerns the layers below its own, whatever stands beside it.
    for (LayerEntryRead const& entry : entries) {
        if (entry.kind != LayerEntryRead::Kind::whiteout) {
            continue;
        }
        auto const [at, fresh] = seen_.try_emplace(entry.name, kHidden);
        if (!fresh && at->second != kHidden) {
            entries_[at->second].below = Open::Below::hidden;
        }
    }
}

std::vector<MergedLayerEntry> FolderMerge::finish() && {
    std::vector<MergedLayerEntry> merged;
    merged.reserve(entries_.size());
    for (Open& one : entries_) {
        merged.push_back(std::move(one.entry));
    }
    std::ranges::sort(merged, {}, &MergedLayerEntry::name);
    return merged;
}

}  // namespace oblea::fs
