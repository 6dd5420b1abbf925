// SPDX-License-Identifier: MIT
#include "fs/node_table.h"

#include <cstdio>
#include <cstdlib>

namespace oblea::fs {

namespace {

[[maybe_unused]] void demand(bool holds, char const* what, Node const& node) {
    if (!holds) {
        std::fprintf(stderr, "node %llu: %s\n", static_cast<unsigned long long>(number(node.ino)),
                     what);
        std::abort();
    }
}

// A node's entry in the ledger: lookups; opens, and in the lowest bit whether it may get a name.
Ledger::Entry entry_of(Node const& node) {
    return {node.lookups,
            (std::uint64_t{node.opens} << 1U) | (node.linkable == Node::Linkable::yes ? 1U : 0U)};
}
void read_entry(Node& node, Ledger::Entry const& entry) {
    node.lookups = entry[0];
    node.opens = static_cast<std::uint32_t>(entry[1] >> 1U);
    node.linkable = (entry[1] & 1U) != 0 ? Node::Linkable::yes : Node::Linkable::no;
}

}  // namespace

void Node::check_invariants() const {
#ifdef OBLEA_DEBUG
    demand((place == Place::none) == !is_in_upper(state) || bare == Bare::yes,
           "has a place in the upper exactly when it is there", *this);
    demand(is_lower_number(ino) || is_in_upper(state), "is new and not in the upper", *this);
    demand(state != FileState::partial || type == FileType::regular, "is partial and no file",
           *this);
    demand(state != FileState::copying || !is_folder(), "a folder is never being copied", *this);
    demand(linkage == Linkage::linked || place != Place::entry, "is unlinked and has a name",
           *this);
    demand(is_folder() || state == FileState::partial || lower == store::InodeNo::none,
           "has a lower part and needs none", *this);
    demand(is_folder() || (children == 0 && subfolders == -1),
           "is no folder and has a folder's fields", *this);
    demand(bare == Bare::no || ino == Ino::root, "is bare and not the root", *this);
#endif
}

std::optional<Node> NodeTable::find(Ino ino) const {
    if (is_lower_number(ino) &&
        (!counts_.contains(number(ino)) || !counts_.has_node(number(ino)))) {
        return std::nullopt;
    }
    Shard const& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    auto const found = home.nodes.find(number(ino));
    return found == home.nodes.end() ? std::nullopt : std::optional{found->second};
}

void NodeTable::insert(Node node, std::function<void(Node&, Inserted)> const& change) {
    Ino const ino = node.ino;
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    auto const [place, fresh] = home.nodes.try_emplace(number(ino), std::move(node));
    Node& stored = place->second;
    if (fresh && !inherited_.empty()) {
        if (auto const known = inherited_.extract(number(ino)); !known.empty()) {
            read_entry(stored, known.mapped().entry);
            stored.ledger = known.mapped().slot;
        }
    }
    change(stored, fresh ? Inserted::yes : Inserted::no);
    stored.check_invariants();
    if (is_lower_number(ino)) {
        counts_.set_node(number(ino));
    }
    note(stored);
}

void NodeTable::note(Node& node) {
    if (is_lower_number(node.ino)) {
        if (node.linkage == Linkage::unlinked) {
            counts_.set_unlinked(number(node.ino));
        }
    } else if (node.ledger == Ledger::Slot::none) {
        node.ledger = ledger_.add(node.ino, entry_of(node));
    } else {
        ledger_.set(node.ledger, entry_of(node));
    }
}

void NodeTable::start_over(std::unordered_map<std::uint64_t, Ledger::Known> inherited) {
    for (Shard& one : shards_) {
        base::LockGuard const lock{one.mutex};
        one.nodes.clear();
    }
    inherited_ = std::move(inherited);
}

void NodeTable::end_start_over() {
    for (auto const& [ino, known] : inherited_) {
        ledger_.remove(known.slot);
    }
    inherited_.clear();
}

bool NodeTable::update(Ino ino, std::function<void(Node&)> const& change) {
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    auto const found = home.nodes.find(number(ino));
    if (found == home.nodes.end()) {
        return false;
    }
    [[maybe_unused]] FileState const before = found->second.state;
    change(found->second);
    found->second.check_invariants();
    note(found->second);
#ifdef OBLEA_DEBUG
    demand(before == found->second.state || may_follow(before, found->second.state),
           "changes state against the rules", found->second);
#endif
    return true;
}

bool NodeTable::known(Ino ino) const {
    if (is_lower_number(ino)) {
        return counts_.known(number(ino));
    }
    auto const node = find(ino);
    return node.has_value() && (node->lookups > 0 || node->opens > 0);
}

std::optional<Node> NodeTable::take_if_unused(Ino ino) {
    Shard& home = shard(ino);
    base::LockGuard const lock{home.mutex};
    auto const found = home.nodes.find(number(ino));
    if (found == home.nodes.end()) {
        return std::nullopt;
    }
    Node const& node = found->second;
    if (node.lookups > 0 || node.opens > 0 || node.children > 0 || node.pins > 0 ||
        node.state == FileState::copying ||
        (node.place == Place::index && node.linkage == Linkage::linked)) {
        return std::nullopt;
    }
    if (is_lower_number(ino) && !counts_.clear_node_if_unknown(number(ino))) {
        return std::nullopt;
    }
    Node taken = std::move(found->second);
    home.nodes.erase(found);
    ledger_.remove(taken.ledger);
    return taken;
}

std::size_t NodeTable::size() const {
    std::size_t count = 0;
    for (Shard const& one : shards_) {
        base::LockGuard const lock{one.mutex};
        count += one.nodes.size();
    }
    return count;
}

}  // namespace oblea::fs
