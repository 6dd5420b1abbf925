// SPDX-License-Identifier: MIT
// LayerTree and merge held against the plainest model there is: a map from paths to inodes, on
// which the rules are carried out one after the other as an extracting tool would.
#include "store/index/layer_tree.h"
#include "store/index/merge.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"
#include "tests/support/tree_listing.h"

#include <map>
#include <memory>
#include <set>

namespace {

using namespace oblea;
using namespace oblea::test;
using store::FileType;
using store::Index;
using Lines = std::vector<std::string>;

struct ModelInode {
    LayerEntry made_of;
    bool implicit = false;
};
using InodePtr = std::shared_ptr<ModelInode>;

// Paths sort so that a folder's contents follow it; '/' has to come before all other bytes.
struct PathOrder {
    bool operator()(std::string const& left, std::string const& right) const {
        return std::lexicographical_compare(
            left.begin(), left.end(), right.begin(), right.end(), [](char l, char r) {
                return (l == '/' ? 0 : static_cast<unsigned char>(l)) <
                       (r == '/' ? 0 : static_cast<unsigned char>(r));
            });
    }
};

std::string parent_of(std::string const& at) {
    auto const slash = at.rfind('/');
    return slash == std::string::npos ? "" : at.substr(0, slash);
}

bool is_folder(InodePtr const& inode) {
    return inode != nullptr && inode->made_of.attr.type == FileType::directory;
}

InodePtr implicit_folder() {
    return std::make_shared<ModelInode>(ModelInode{dir("x"), true});
}

template <typename Map>
void erase_below(Map& map, std::string const& folder) {
    std::string const prefix = folder.empty() ? "" : folder + '/';
    for (auto at = map.begin(); at != map.end();) {
        at = !at->first.empty() && at->first.starts_with(prefix) ? map.erase(at) : std::next(at);
    }
}

struct ModelName {
    InodePtr inode;    // null: a whiteout alone, or a link into the lower layers
    std::string link;  // of the latter
    bool whited_out = false;
    bool opaque = false;
};

// One layer's tree; false when a member is refused.
class ModelLayer {
public:
    std::map<std::string, ModelName, PathOrder> names{{"", {implicit_folder(), {}, false, false}}};

    bool add(LayerEntry const& entry) {
        std::string const& at = entry.path.string();
        if (entry.kind == LayerEntry::Kind::opaque) {
            return make_folders(at) && (names[at].opaque = true);
        }
        bool const folder =
            entry.kind == LayerEntry::Kind::inode && entry.attr.type == FileType::directory;
        if (at.empty() && !folder) {
            return false;
        }
        if (!at.empty() && !make_folders(parent_of(at))) {
            return false;
        }
        if (entry.kind == LayerEntry::Kind::whiteout) {
            names[at].whited_out = true;
            names[at].opaque = is_folder(names[at].inode);
            return true;
        }
        if (entry.kind == LayerEntry::Kind::hard_link) {
            return add_link(at, entry.target_path.string());
        }
        ModelName& name = names[at];
        if (folder && is_folder(name.inode)) {
            *name.inode = {entry, false};
            return true;
        }
        set(at, std::make_shared<ModelInode>(ModelInode{entry}), {});
        return true;
    }

    // Gives links whose target came later their inode.
    bool finish() {
        for (std::size_t round = 0; round <= names.size(); ++round) {
            bool again = false;
            for (auto& [at, name] : names) {
                if (name.link.empty()) {
                    continue;
                }
                if (blocked(name.link)) {
                    return false;
                }
                auto const target = names.find(name.link);
                if (target == names.end()) {
                    continue;
                }
                if (is_folder(target->second.inode) || target->first == at) {
                    return false;
                }
                if (target->second.inode != nullptr) {
                    name.inode = target->second.inode;
                    name.link.clear();
                    again = true;
                } else if (!target->second.link.empty()) {
                    name.link = target->second.link;
                    again = true;
                }
            }
            if (!again) {
                return true;
            }
        }
        return false;  // links in a circle
    }

private:
    void set(std::string const& at, InodePtr inode, std::string link) {
        ModelName& name = names[at];
        bool const replaces_file =
            (name.inode != nullptr && !is_folder(name.inode)) || !name.link.empty();
        erase_below(names, at);
        name.opaque = is_folder(inode) && (name.whited_out || replaces_file);
        name.inode = std::move(inode);
        name.link = std::move(link);
    }

    bool make_folders(std::string const& at) {
        if (at.empty()) {
            return true;
        }
        if (!make_folders(parent_of(at))) {
            return false;
        }
        ModelName& name = names[at];
        if (name.inode == nullptr && name.link.empty()) {
            name.inode = implicit_folder();
            name.opaque = name.whited_out;
        }
        return is_folder(name.inode);
    }

    // Whether the path leads through what is no folder.
    [[nodiscard]] bool blocked(std::string const& at) const {
        for (std::string up = parent_of(at); !up.empty(); up = parent_of(up)) {
            auto const found = names.find(up);
            if (found != names.end() && !is_folder(found->second.inode) &&
                (found->second.inode != nullptr || !found->second.link.empty())) {
                return true;
            }
        }
        return false;
    }

    bool add_link(std::string const& at, std::string const& target) {
        auto const found = names.find(target);
        bool const inside = at == target || target.starts_with(at + '/') ||
                            at.starts_with(target + '/') || target.empty();
        if (inside || blocked(target) || (found != names.end() && is_folder(found->second.inode))) {
            return false;
        }
        if (found != names.end() && found->second.inode != nullptr) {
            set(at, found->second.inode, {});
        } else if (found != names.end() && !found->second.link.empty()) {
            set(at, nullptr, found->second.link);
        } else {
            set(at, nullptr, target);
        }
        return true;
    }
};

using Rootfs = std::map<std::string, InodePtr, PathOrder>;

bool apply(Rootfs& rootfs, ModelLayer const& layer, bool lowest) {
    Rootfs const below = rootfs;
    for (auto const& [at, name] : layer.names) {
        auto const old = rootfs.find(at);
        bool const joins = old != rootfs.end() && is_folder(old->second) && is_folder(name.inode);
        if (name.opaque || (name.whited_out && name.inode == nullptr)) {
            erase_below(rootfs, at);
        }
        if (joins && name.inode->implicit && !(lowest && at.empty())) {
            continue;
        }
        if (!joins) {
            erase_below(rootfs, at);
        }
        if (!name.link.empty()) {
            auto const target = below.find(name.link);
            if (target == below.end() || is_folder(target->second)) {
                return false;
            }
            rootfs[at] = target->second;
        } else if (name.inode != nullptr) {
            rootfs[at] = name.inode;
        } else {
            rootfs.erase(at);
        }
    }
    return true;
}

std::string describe_model(ModelInode const& inode, long nlink, bool opaque) {
    auto const& attr = inode.made_of.attr;
    std::string line;
    if (attr.type == FileType::directory) {
        line = fmt::format("/ {:o}{}{}", attr.permissions, opaque ? " opaque" : "",
                           inode.implicit ? " implicit" : "");
    } else if (attr.type == FileType::symlink) {
        line = fmt::format(" -> {}", inode.made_of.symlink_target);
    } else {
        line = fmt::format(" {:o} {}", attr.permissions, attr.size);
    }
    if (attr.type != FileType::directory && nlink != 1) {
        line += fmt::format(" nlink={}", nlink);
    }
    for (auto const& [name, value] : inode.made_of.xattrs) {
        line += fmt::format(" {}={}", name, value);
    }
    return line;
}

Lines listing_of(ModelLayer const& layer) {
    std::map<InodePtr, long> counts;
    for (auto const& [at, name] : layer.names) {
        ++counts[name.inode];
    }
    Lines lines;
    for (auto const& [at, name] : layer.names) {
        if (!name.link.empty()) {
            lines.push_back(at + " => " + name.link);
        } else if (name.inode == nullptr) {
            lines.push_back(at + " whiteout");
        } else {
            lines.push_back(at + describe_model(*name.inode, counts[name.inode], name.opaque));
        }
    }
    if (lines.front() == "/ 755 implicit") {
        lines.erase(lines.begin());
    }
    return lines;
}

Lines listing_of(Rootfs const& rootfs) {
    std::map<InodePtr, long> counts;
    for (auto const& [at, inode] : rootfs) {
        ++counts[inode];
    }
    Lines lines;
    for (auto const& [at, inode] : rootfs) {
        lines.push_back(at + describe_model(*inode, counts[inode], false));
    }
    if (lines.front() == "/ 755 implicit") {
        lines.erase(lines.begin());
    }
    return lines;
}

// Few names and little depth, so that members meet.
std::string random_path(Random& random) {
    static std::vector<std::string> const kNames = {"a", "b", "c", "a.b", "\xc3"};
    std::string at = random.pick(kNames);
    for (int depth = 1; depth < 4 && random.below(5) < 3; ++depth) {
        at += '/' + random.pick(kNames);
    }
    return at;
}

LayerEntry random_entry(Random& random, std::uint64_t number) {
    std::string const at = random.one_in(30) ? "" : random_path(random);
    LayerEntry entry;
    switch (random.below(10)) {
    case 0:
    case 1:
        return whiteout(at);
    case 2:
        return opaque(at);
    case 3:
        return hard_link(at, random_path(random));
    case 4:
        return soft_link(at, "target " + std::to_string(number));
    case 5:
    case 6:
        entry = dir(at, static_cast<std::uint32_t>(random.below(07777)));
        break;
    default:
        entry = file(at, std::string(1 + number % 500, 'x'),
                     static_cast<std::uint32_t>(random.below(07777)));
    }
    if (random.one_in(4)) {
        entry.xattrs = {{"user.a", std::to_string(random.below(3))}};
    }
    return entry;
}

struct BothLayers {
    std::optional<Index> index;
    ModelLayer model;
};

// Members that the tree refuses are refused by the model, too, and end the layer before them.
BothLayers random_layer(Random& random, std::uint64_t& number) {
    std::vector<LayerEntry> members;
    std::uint64_t const count = 1 + random.below(25);
    while (members.size() < count) {
        members.push_back(random_entry(random, ++number));
        ModelLayer model;
        store::LayerTree tree;
        bool model_takes = true;
        bool tree_takes = true;
        for (LayerEntry const& entry : members) {
            model_takes = model_takes && model.add(entry);
            tree_takes = tree_takes && tree.add(entry).has_value();
        }
        model_takes = model_takes && model.finish();
        auto bytes = tree.finish(diff_id("layer"), {});
        tree_takes = tree_takes && bytes.has_value();
        CHECK(model_takes == tree_takes);
        if (!tree_takes || !model_takes) {
            members.pop_back();
        }
    }
    BothLayers both;
    for (LayerEntry const& entry : members) {
        both.model.add(entry);
    }
    both.model.finish();
    both.index = layer(members);
    return both;
}

TEST_CASE("layers and merged trees agree with a plain model", "[index][model]") {
    std::uint64_t const seed = random_seed();
    CAPTURE(seed);
    Random random(seed);
    std::uint64_t number = 0;
    std::size_t merged_count = 0;
    for (int round = 0; round < 150; ++round) {
        CAPTURE(round);
        std::vector<BothLayers> layers;
        std::vector<Index const*> pointers;
        std::uint64_t const count = 1 + random.below(5);
        for (std::uint64_t i = 0; i < count; ++i) {
            layers.push_back(random_layer(random, number));
            REQUIRE(listing(*layers.back().index) == listing_of(layers.back().model));
        }
        Rootfs rootfs{{"", implicit_folder()}};
        bool applies = true;
        for (BothLayers const& both : layers) {
            applies = applies && apply(rootfs, both.model, pointers.empty());
            pointers.push_back(&*both.index);
        }
        auto const bytes = store::merge(pointers);
        REQUIRE(bytes.has_value() == applies);
        if (applies) {
            REQUIRE(listing(open_index(*bytes)) == listing_of(rootfs));
            ++merged_count;
        }
    }
    CHECK(merged_count > 30);  // else links that lead nowhere leave nothing to compare
}

// A snapshot of a container: paths and what they show.
Rootfs random_change(Random& random, Rootfs rootfs, std::uint64_t& number) {
    std::uint64_t const changes = 1 + random.below(12);
    for (std::uint64_t i = 0; i < changes; ++i) {
        std::string const at = random_path(random);
        auto const old = rootfs.find(at);
        auto const parent = rootfs.find(parent_of(at));
        if (parent == rootfs.end() || !is_folder(parent->second)) {
            continue;
        }
        LayerEntry entry = random.one_in(3)
                               ? dir(at, static_cast<std::uint32_t>(random.below(07777)))
                               : file(at, std::string(1 + ++number % 300, 'y'));
        if (old != rootfs.end() && random.one_in(2)) {
            erase_below(rootfs, at);
            rootfs.erase(at);
        } else if (old != rootfs.end() && is_folder(old->second) &&
                   entry.attr.type == FileType::directory) {
            old->second = std::make_shared<ModelInode>(ModelInode{entry});
        } else {
            erase_below(rootfs, at);
            rootfs[at] = std::make_shared<ModelInode>(ModelInode{entry});
        }
    }
    return rootfs;
}

// What a tool writes that compares two snapshots: whiteouts before siblings, each change explicit.
std::vector<LayerEntry> difference(Rootfs const& before, Rootfs const& after) {
    std::vector<LayerEntry> members;
    for (auto const& [at, inode] : before) {
        auto const up = after.find(parent_of(at));
        if (!after.contains(at) && up != after.end() && is_folder(up->second)) {
            members.push_back(whiteout(at));
        }
    }
    for (auto const& [at, inode] : after) {
        auto const old = before.find(at);
        if (old == before.end() || old->second != inode) {
            LayerEntry member = inode->made_of;
            member.path = path(at);
            members.push_back(member);
        }
    }
    return members;
}

TEST_CASE("the differences of snapshots, merged, give the last snapshot", "[index][model]") {
    std::uint64_t const seed = random_seed();
    CAPTURE(seed);
    Random random(seed);
    std::uint64_t number = 0;
    for (int round = 0; round < 100; ++round) {
        CAPTURE(round);
        Rootfs snapshot{{"", std::make_shared<ModelInode>(ModelInode{dir("")})}};
        Rootfs before;
        std::vector<Index> layers;
        for (int i = 0; i < 8; ++i) {
            layers.push_back(layer(difference(before, snapshot)));
            before = snapshot;
            snapshot = random_change(random, snapshot, number);
        }
        std::vector<Index const*> pointers;
        for (Index const& one : layers) {
            pointers.push_back(&one);
        }
        REQUIRE(listing(merged(pointers)) == listing_of(before));
    }
}

}  // namespace
