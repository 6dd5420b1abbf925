// SPDX-License-Identifier: MIT
// The inodes that have something in the upper layer, or that lost their last name: everything the
// union must remember of them.
//
// Nodes are plain values addressed by number and refer to each other by number. What a successor of
// this process could not find out from the upper is kept in the ledger and in LowerCounts too, at
// each change. Readers get copies; changes are made by a function that runs under the lock of the
// node's shard and must not block, nor use the table. Safe from any thread.
#pragma once
#include "fs/file_state.h"
#include "fs/ledger.h"
#include "fs/lower_counts.h"
#include "fs/types.h"
#include "fs/upper/marks.h"
#include "store/base/mutex.h"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

namespace oblea::fs {

struct Node {
    Ino ino = Ino::root;
    FileType type = FileType::regular;
    FileState state = FileState::lower;
    Linkage linkage = Linkage::linked;

    Place place = Place::none;
    Ino parent = Ino::root;       // entry
    std::string name{};           // entry, index, orphan
    std::uint64_t upper_ino = 0;  // the upper file's own number, by which a place is proven

    // Folders: whose entries show through; none when there is nothing below, or it is hidden
    // (opaque). Partial files: whose bytes; none when that is not in this image.
    store::InodeNo lower = store::InodeNo::none;
    std::int64_t subfolders = -1;  // folders: how many are in it; -1: not counted yet
    enum class Impure : std::uint8_t { no, yes } impure = Impure::no;  // folders: see marks.h
    enum class Bare : std::uint8_t { no, yes } bare = Bare::no;        // the root: see file_state.h
    enum class Linkable : std::uint8_t { no, yes } linkable = Linkable::no;  // made without a name

    std::optional<std::uint32_t> permissions{};  // shown, where the stored ones differ
    std::optional<RecordedOwner> owner{};        // shown, where it is recorded

    std::uint64_t lookups = 0;  // new inodes; those of the image are counted in LowerCounts
    Ledger::Slot ledger = Ledger::Slot::none;  // likewise: where the ledger says the same
    std::uint32_t opens = 0;                   // likewise
    std::uint32_t children = 0;                // nodes whose place is an entry of this one
    std::uint32_t pins = 0;  // running operations, and what is never to be dropped

    // Whether a file or folder of the upper stands for the inode.
    [[nodiscard]] bool has_upper() const { return is_in_upper(state) || bare == Bare::yes; }
    [[nodiscard]] bool is_folder() const { return type == FileType::directory; }
    // Aborts when fields contradict each other (debug builds).
    void check_invariants() const;
};

[[nodiscard]] constexpr std::uint64_t number(Ino ino) {
    return static_cast<std::uint64_t>(ino);
}
[[nodiscard]] constexpr bool is_lower_number(Ino ino) {
    return number(ino) < kNewInoFirst;
}
// The lower inode of a number below kNewInoFirst.
[[nodiscard]] constexpr store::InodeNo lower_of(Ino ino) {
    return store::InodeNo{static_cast<std::uint32_t>(number(ino))};
}
[[nodiscard]] constexpr Ino ino_of(store::InodeNo lower) {
    return Ino{static_cast<std::uint32_t>(lower)};
}
[[nodiscard]] constexpr Ino new_ino(std::uint64_t upper_ino) {
    return Ino{kNewInoFirst + upper_ino};
}

class NodeTable {
public:
    NodeTable(LowerCounts& counts, Ledger& ledger) : counts_(counts), ledger_(ledger) {}

    [[nodiscard]] std::optional<Node> find(Ino ino) const;

    // Puts the node in unless its number is taken; then `change` sees the node that is in the
    // table, and whether it is the one that was given.
    enum class Inserted { no, yes };
    void insert(Node node, std::function<void(Node&, Inserted)> const& change);
    // False when there is no such node.
    bool update(Ino ino, std::function<void(Node&)> const& change);

    // Whether the kernel knows the inode, or has it open.
    [[nodiscard]] bool known(Ino ino) const;

    // Takes out a node that nobody needs any more; nullopt when somebody does, or there is none.
    [[nodiscard]] std::optional<Node> take_if_unused(Ino ino);

    [[nodiscard]] std::size_t size() const;

    // For a process that takes over, while no other thread uses the table: it is empty then, and a
    // new inode that is inserted is known to the kernel as `inherited` says.
    void start_over(std::unordered_map<std::uint64_t, Ledger::Known> inherited);
    // Of the inherited ones those that were not inserted do not exist: nobody takes them over.
    void end_start_over();

private:
    struct Shard {
        mutable base::Mutex mutex;
        std::unordered_map<std::uint64_t, Node> nodes OBLEA_GUARDED_BY(mutex);
    };
    [[nodiscard]] Shard& shard(Ino ino) { return shards_[number(ino) % shards_.size()]; }
    [[nodiscard]] Shard const& shard(Ino ino) const {
        return shards_[number(ino) % shards_.size()];
    }

    void note(Node& node);  // in the ledger and the counts

    LowerCounts& counts_;
    Ledger& ledger_;
    std::unordered_map<std::uint64_t, Ledger::Known> inherited_;
    std::array<Shard, 64> shards_;
};

}  // namespace oblea::fs
