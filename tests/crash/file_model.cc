// SPDX-License-Identifier: MIT
#include "tests/crash/file_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string_view>

namespace oblea::test {

namespace files = std::filesystem;

FileModel::FileModel(std::string const& folder) : folder_(folder) {
    load(folder);
    now_ = start_;
}

FileModel::NodeNo FileModel::load(std::string const& path) {
    NodeNo const number = start_.size();
    start_.emplace_back();
    if (!files::is_directory(path)) {
        std::string& data = start_[number].data;
        data.resize(files::file_size(path));
        std::ifstream{path, std::ios::binary}.read(data.data(),
                                                   static_cast<std::streamsize>(data.size()));
        return number;
    }
    start_[number].is_folder = true;
    for (auto const& entry : files::directory_iterator{path}) {
        NodeNo const node = load(entry.path().string());
        start_[number].entries[entry.path().filename().string()] = node;
    }
    return number;
}

std::vector<std::string> FileModel::parts(std::string const& path) const {
    std::vector<std::string> names;
    for (auto const& part : files::path{path.substr(folder_.size())}) {
        std::string const name = part.string();
        if (name == "..") {
            throw std::runtime_error("a path with ..: " + path);
        }
        if (!name.empty() && name != "/" && name != ".") {
            names.push_back(name);
        }
    }
    return names;
}

std::pair<FileModel::NodeNo, std::string> FileModel::parent(std::string const& path) const {
    auto const names = parts(path);
    NodeNo at = 0;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
        at = now_[at].entries.at(names[i]);
    }
    return {at, names.back()};
}

FileModel::NodeNo FileModel::find(std::string const& path) const {
    NodeNo at = 0;
    for (std::string const& name : parts(path)) {
        at = now_[at].entries.at(name);
    }
    return at;
}

bool FileModel::exists(std::string const& path) const {
    auto const [folder, name] = parent(path);
    return now_[folder].entries.contains(name);
}

void FileModel::enter(std::vector<Node>& nodes, Entry const& entry) {
    auto& entries = nodes[entry.folder].entries;
    auto const at = entries.find(entry.name);
    if (entry.kind == Entry::Kind::add) {
        entries[entry.name] = entry.node;
    } else if (at != entries.end() && at->second == entry.node) {
        entries.erase(at);
    }
}

void FileModel::change_names(std::vector<Entry> entries) {
    for (Entry const& entry : entries) {
        enter(now_, entry);
    }
    Step step;
    step.entries = std::move(entries);
    steps_.push_back(std::move(step));
}

void FileModel::sync(NodeNo node) {
    for (Step& step : steps_) {
        bool const touches = step.change == Change::data
                                 ? step.node == node
                                 : std::ranges::any_of(step.entries, [&](Entry const& entry) {
                                       return entry.folder == node;
                                   });
        step.durable = step.durable || touches;
    }
}

void FileModel::apply(FsCall const& call) {
    using Kind = Entry::Kind;
    std::string const& name = call.name;
    // Files without a name and such as have lost it are nobody's after a power loss.
    if (call.path.ends_with(" (deleted)") || call.path.find("/#") != std::string::npos) {
        return;
    }
    if (name == "openat" || name == "openat2" || name == "open" || name == "creat") {
        if (call.creates && !exists(call.path)) {
            auto const [folder, last] = parent(call.path);
            now_.emplace_back();
            change_names({{folder, last, now_.size() - 1, Kind::add}});
        }
    } else if (name == "mknodat") {
        auto const [folder, last] = parent(call.path);
        now_.emplace_back();  // a whiteout: as good as an empty file here
        change_names({{folder, last, now_.size() - 1, Kind::add}});
    } else if (name == "mkdirat" || name == "mkdir") {
        auto const [folder, last] = parent(call.path);
        now_.emplace_back();
        now_.back().is_folder = true;
        change_names({{folder, last, now_.size() - 1, Kind::add}});
    } else if (name == "unlinkat" || name == "unlink" || name == "rmdir") {
        // The whiteout that a rename may leave in its place is not modelled.
        if (exists(call.path)) {
            auto const [folder, last] = parent(call.path);
            change_names({{folder, last, find(call.path), Kind::remove}});
        }
    } else if (name == "renameat2" || name == "renameat" || name == "rename") {
        auto const [from, old_name] = parent(call.path);
        auto const [to, new_name] = parent(call.target);
        NodeNo const node = find(call.path);
        if (call.exchanges) {
            change_names(
                {{from, old_name, find(call.target), Kind::add}, {to, new_name, node, Kind::add}});
        } else {
            change_names({{to, new_name, node, Kind::add}, {from, old_name, node, Kind::remove}});
        }
    } else if (name == "linkat" || name == "link") {
        auto const [to, new_name] = parent(call.target);
        change_names({{to, new_name, find(call.path), Kind::add}});
    } else if (name == "write" || name == "pwrite" || name == "copy_file_range" ||
               name == "ftruncate") {
        Step step;
        step.change = Change::data;
        step.node = find(call.path);
        step.truncates = name == "ftruncate";
        step.offset = step.truncates ? call.bytes : call.offset;
        step.bytes =
            call.data.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(0, call.result)));
        steps_.push_back(std::move(step));
    } else if (name == "fsync" || name == "fdatasync") {
        sync(find(call.path));
    } else if (name == "syncfs" || name == "sync") {
        for (Step& step : steps_) {
            step.durable = true;
        }
    } else if (name != "utimensat" && name != "fchmodat" && name != "fchmod" &&
               name != "fsetxattr" && name != "fremovexattr" && name != "sync_file_range" &&
               name != "fallocate") {
        throw std::runtime_error("a call that the model does not know: " + name);
    }
}

FileModel::State FileModel::after_loss(std::function<Fate(Change)> const& fate) const {
    std::vector<Node> nodes = start_;
    for (std::size_t i = nodes.size(); i < now_.size(); ++i) {
        nodes.emplace_back();
        nodes.back().is_folder = now_[i].is_folder;
    }
    for (Step const& step : steps_) {
        Fate const kept = step.durable ? Fate::whole : fate(step.change);
        if (kept == Fate::lost) {
            continue;
        }
        for (Entry const& entry : step.entries) {
            enter(nodes, entry);
        }
        if (step.change == Change::data) {
            std::string& data = nodes[step.node].data;
            auto const offset = static_cast<std::size_t>(step.offset);
            std::size_t const bytes =
                kept == Fate::half ? step.bytes.size() / 2 : step.bytes.size();
            if (step.truncates) {
                data.resize(offset);
            } else {
                data.resize(std::max(data.size(), offset + bytes));
                data.replace(offset, bytes,
                             kept == Fate::zeros ? std::string(bytes, '\0')
                                                 : step.bytes.substr(0, bytes));
            }
        }
    }
    return State{std::move(nodes)};
}

base::Digest FileModel::State::fingerprint() const {
    base::Sha256 hash;
    add_to(hash, 0);
    return hash.finish();
}

void FileModel::State::add_to(base::Sha256& hash, NodeNo number) const {
    Node const& node = nodes_[number];
    auto const add = [&](std::string_view text) {
        std::uint64_t const size = text.size();
        hash.update(std::as_bytes(std::span{&size, 1}));
        hash.update(base::bytes_of(text));
    };
    add(node.is_folder ? "folder" : "file");
    add(node.data);
    for (auto const& [name, child] : node.entries) {
        add(name);
        add_to(hash, child);
    }
    add("");
}

void FileModel::State::write(std::string const& folder) const {
    write(0, folder);
}

void FileModel::State::write(NodeNo number, std::string const& path) const {
    Node const& node = nodes_[number];
    if (!node.is_folder) {
        std::ofstream{path, std::ios::binary} << node.data;
        return;
    }
    ::mkdir(path.c_str(), 0700);
    for (auto const& [name, child] : node.entries) {
        write(child, path + '/' + name);
    }
}

}  // namespace oblea::test
