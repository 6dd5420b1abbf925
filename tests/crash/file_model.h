// SPDX-License-Identifier: MIT
// What a power loss may leave of a sequence of calls.
//
// The model starts from a folder as it lies on disk, takes recorded calls, and knows for each
// change whether a later fsync or syncfs has made it durable. after_loss() gives a state that is
// legal after a cut: every durable change, and any of the others, whole or in part. Assumed of the
// file system: a rename is one change, durable when either folder is synced. DURABILITY.md "What is
// assumed".
#pragma once
#include "store/base/hash.h"
#include "tests/crash/traced_run.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace oblea::test {

class FileModel {
public:
    // The folder's tree as it is now, all of it durable.
    explicit FileModel(std::string const& folder);

    // One recorded call that has succeeded. Throws for a call that the model does not know.
    void apply(FsCall const& call);

    class State;
    enum class Change { name, data };
    // Of a change of names there is no half; of data, that of its bytes from the begin, or as many
    // zeros.
    enum class Fate { lost, whole, half, zeros };
    // `fate` is asked for every change that is not durable.
    [[nodiscard]] State after_loss(std::function<Fate(Change)> const& fate) const;

private:
    using NodeNo = std::size_t;
    struct Entry {
        NodeNo folder = 0;
        std::string name;
        NodeNo node = 0;
        enum class Kind { add, remove } kind = Kind::add;
    };
    struct Step {
        Change change = Change::name;
        std::vector<Entry> entries;  // names: all at once
        NodeNo node = 0;             // data
        std::uint64_t offset = 0;
        std::string bytes;
        bool truncates = false;  // to `offset`
        bool durable = false;
    };
    struct Node {
        bool is_folder = false;
        std::string data;                       // files, as at the start
        std::map<std::string, NodeNo> entries;  // folders
    };

    NodeNo load(std::string const& path);
    [[nodiscard]] std::vector<std::string> parts(std::string const& path) const;
    [[nodiscard]] std::pair<NodeNo, std::string> parent(std::string const& path) const;
    [[nodiscard]] NodeNo find(std::string const& path) const;
    [[nodiscard]] bool exists(std::string const& path) const;
    void change_names(std::vector<Entry> entries);
    void sync(NodeNo node);
    static void enter(std::vector<Node>& nodes, Entry const& entry);

    std::string folder_;
    std::vector<Node> start_;
    std::vector<Node> now_;
    std::vector<Step> steps_;
};

// A tree of folders and files.
class FileModel::State {
public:
    // Equal for equal trees.
    [[nodiscard]] base::Digest fingerprint() const;
    // Makes the folder.
    void write(std::string const& folder) const;

private:
    friend FileModel;
    explicit State(std::vector<Node> nodes) : nodes_(std::move(nodes)) {}
    void write(NodeNo number, std::string const& path) const;
    void add_to(base::Sha256& hash, NodeNo number) const;

    std::vector<Node> nodes_;
};

}  // namespace oblea::test
