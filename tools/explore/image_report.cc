// SPDX-License-Identifier: MIT
#include "tools/explore/image_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

namespace oblea::tools {

using store::ContentKind;
using store::DirentKind;
using store::FileType;
using store::Index;
using store::InodeNo;

namespace {

std::size_t count_paths(TreeNode const& node) {
    return std::accumulate(
        node.children.begin(), node.children.end(), std::size_t{1},
        [](std::size_t sum, auto const& child) { return sum + count_paths(child.second); });
}

template <typename T, typename Weight>
void keep_heaviest(std::vector<T>& list, std::size_t top, Weight weight) {
    std::ranges::stable_sort(list, std::ranges::greater{}, weight);
    list.resize(std::min(list.size(), top));
}

class Reporter {
public:
    explicit Reporter(std::size_t top) : top_(top) {}

    Result<ImageReport> run(std::span<Index const> layers) {
        for (std::size_t i = 0; i < layers.size(); ++i) {
            layer_ = i;
            index_ = &layers[i];
            seen_.clear();
            report_.layers.emplace_back();
            OBLEA_TRY(apply_folder(InodeNo::root, "", report_.root));
        }
        finish();
        return std::move(report_);
    }

private:
    LayerReport& now() { return report_.layers.back(); }

    // What is hidden from now on is waste of the layer that hides it.
    void waste(TreeNode const& node, std::string const& path) {
        if (node.type != FileType::directory && node.bytes > 0) {
            now().wasted_bytes += node.bytes;
            auto& entry = wasted_[path];
            entry.bytes += node.bytes;
            ++entry.times;
        }
        for (auto const& [name, child] : node.children) {
            waste(child, path + '/' + name);
        }
    }

    void remove(TreeNode& folder, std::string const& name, std::string const& path) {
        auto const found = folder.children.find(name);
        if (found != folder.children.end()) {
            now().deleted += count_paths(found->second);
            waste(found->second, path);
            folder.children.erase(found);
        }
    }

    Status apply_folder(InodeNo ino, std::string const& path, TreeNode& node) {
        if (OBLEA_TRY(index_->is_opaque(ino))) {
            for (auto const& [name, child] : node.children) {
                now().deleted += count_paths(child);
                waste(child, path + '/' + name);
            }
            node.children.clear();
        }
        std::uint32_t const count = OBLEA_TRY(index_->entry_count(ino));
        for (std::uint32_t i = 0; i < count; ++i) {
            auto const entry = OBLEA_TRY(index_->entry(ino, i));
            std::string const name{entry.name};
            std::string const full = path + '/' + name;
            if (entry.kind == DirentKind::whiteout) {
                remove(node, name, full);
            } else {
                OBLEA_TRY(apply_entry(entry, full, node, name));
            }
        }
        return {};
    }

    Status apply_entry(store::Dirent const& entry, std::string const& path, TreeNode& folder,
                       std::string const& name) {
        auto const found = folder.children.find(name);
        bool const is_folder = entry.kind == DirentKind::entry && entry.type == FileType::directory;
        bool const stays = found != folder.children.end() && is_folder &&
                           found->second.type == FileType::directory;
        bool const implicit = is_folder && OBLEA_TRY(index_->is_implicit(entry.ino));
        if (found == folder.children.end()) {
            ++now().added;
        } else if (!implicit) {
            ++now().changed;
        }
        if (!stays) {
            if (found != folder.children.end()) {
                waste(found->second, path);
            }
            folder.children.insert_or_assign(name, OBLEA_TRY(node_of(entry)));
        } else if (!implicit) {
            found->second.layer = layer_;
        }
        return is_folder ? apply_folder(entry.ino, path, folder.children.find(name)->second)
                         : Status{};
    }

    Result<TreeNode> node_of(store::Dirent const& entry) {
        TreeNode node;
        node.layer = layer_;
        if (entry.kind == DirentKind::external_link) {
            node.type = FileType::regular;  // its bytes are in a lower layer
            return node;
        }
        node.type = entry.type;
        if (entry.type != FileType::regular || !seen_.insert(entry.ino).second) {
            return node;
        }
        auto const attr = OBLEA_TRY(index_->attr(entry.ino));
        auto const content = OBLEA_TRY(index_->content(entry.ino));
        node.bytes = attr.size;
        now().bytes += attr.size;
        if (content.kind == ContentKind::object) {
            node.content = content.object.hex();
        } else if (content.kind == ContentKind::pack) {
            node.content =
                fmt::format("{:016x}{:016x}", content.pack_check.high, content.pack_check.low);
        }
        return node;
    }

    // Sums up folders; collects files.
    std::uint64_t sum(TreeNode& node, std::string const& path) {
        if (node.type == FileType::regular && node.bytes > 0) {
            report_.largest.push_back({path, node.bytes, node.layer});
            if (!node.content.empty()) {
                auto& equal = equal_[fmt::format("{}:{}", node.bytes, node.content)];
                equal.bytes = node.bytes;
                equal.paths.push_back(path);
            }
        }
        for (auto& [name, child] : node.children) {
            node.bytes += sum(child, path + '/' + name);
        }
        return node.bytes;
    }

    void finish() {
        sum(report_.root, "");
        for (auto& [path, entry] : wasted_) {
            entry.path = path;
            report_.wasted.push_back(std::move(entry));
        }
        for (auto& [content, equal] : equal_) {
            if (equal.paths.size() > 1) {
                report_.duplicates.push_back(std::move(equal));
            }
        }
        keep_heaviest(report_.wasted, top_, &WastedPath::bytes);
        keep_heaviest(report_.largest, top_, &FileOfTree::bytes);
        keep_heaviest(report_.duplicates, top_, &DuplicateFiles::wasted);
    }

    std::size_t top_;
    std::size_t layer_ = 0;
    Index const* index_ = nullptr;
    std::unordered_set<InodeNo> seen_;  // hard links count once
    std::map<std::string, WastedPath> wasted_;
    std::map<std::string, DuplicateFiles> equal_;
    ImageReport report_;
};

}  // namespace

std::uint64_t ImageReport::total_bytes() const {
    return std::accumulate(
        layers.begin(), layers.end(), std::uint64_t{0},
        [](std::uint64_t sum, LayerReport const& layer) { return sum + layer.bytes; });
}

std::uint64_t ImageReport::wasted_bytes() const {
    return std::accumulate(
        layers.begin(), layers.end(), std::uint64_t{0},
        [](std::uint64_t sum, LayerReport const& layer) { return sum + layer.wasted_bytes; });
}

Result<ImageReport> report_image(std::span<Index const> bottom_first, std::size_t top) {
    return Reporter{top}.run(bottom_first);
}

}  // namespace oblea::tools
