// SPDX-License-Identifier: MIT
#include "tools/build/context/context_tree.h"

#include <algorithm>
#include <deque>

namespace oblea::tools::build {

using store::FileType;
using store::Name;
using store::RelPath;

namespace {

constexpr int kLinksMax = 40;  // as the kernel has it

// Puts the components of `text` in front of those that wait.
void put_in_front(std::deque<std::string>& waiting, std::string_view text) {
    std::vector<std::string> components;
    while (!text.empty()) {
        std::string_view const one = text.substr(0, text.find('/'));
        text.remove_prefix(std::min(one.size() + 1, text.size()));
        if (!one.empty() && one != ".") {
            components.emplace_back(one);
        }
    }
    waiting.insert(waiting.begin(), components.begin(), components.end());
}

}  // namespace

Result<std::optional<RelPath>> ContextTree::follow(RelPath const& path) const {
    std::deque<std::string> waiting;
    put_in_front(waiting, path.string());
    RelPath at;
    int links = 0;
    while (!waiting.empty()) {
        std::string const component = std::move(waiting.front());
        waiting.pop_front();
        if (component == "..") {
            at = at.parent();
            continue;
        }
        auto const name = Name::parse(component);
        if (!name.has_value()) {
            return std::nullopt;  // a link's target that no file can have
        }
        RelPath const next = at / *name;
        auto const node = OBLEA_TRY(look(next));
        if (!node.has_value()) {
            return std::nullopt;
        }
        if (node->attr.type == FileType::symlink) {
            if (++links > kLinksMax) {
                return fail(Errno::eloop, "", base::printable(path.string()));
            }
            put_in_front(waiting, node->link_target);
            at = node->link_target.starts_with('/') ? RelPath{} : at;
            continue;
        }
        if (!waiting.empty() && node->attr.type != FileType::directory) {
            return std::nullopt;
        }
        at = next;
    }
    return at;
}

Result<std::optional<SourceNode>> ContextTree::look(RelPath const& path) const {
    if (!OBLEA_TRY(is_kept(path))) {
        return std::nullopt;
    }
    return files_->look(path);
}

Result<std::vector<std::string>> ContextTree::list(RelPath const& folder) const {
    auto names = OBLEA_TRY(files_->list(folder));
    if (patterns_.empty()) {
        return names;
    }
    std::vector<std::string> kept;
    for (std::string& name : names) {
        RelPath const path = folder / OBLEA_TRY(Name::parse(name));
        if (OBLEA_TRY(is_kept(path))) {
            kept.push_back(std::move(name));
        }
    }
    return kept;
}

Result<std::unique_ptr<base::ByteSource>> ContextTree::open(RelPath const& file) const {
    return files_->open(file);
}

ContextTree::Kept ContextTree::judge(RelPath const& path) const {
    if (patterns_.empty() || path.is_root()) {
        return Kept::yes;
    }
    if (!patterns_.judge(path, state_of(path.parent())).excluded) {
        return Kept::yes;
    }
    return patterns_.may_keep_below(path) ? Kept::below : Kept::no;
}

Result<bool> ContextTree::is_kept(RelPath const& path) const {
    Kept const kept = judge(path);
    if (kept != Kept::below) {
        return kept == Kept::yes;
    }
    auto const node = OBLEA_TRY(files_->look(path));
    return node.has_value() && node->attr.type == FileType::directory && OBLEA_TRY(has_kept(path));
}

Result<bool> ContextTree::has_kept(RelPath const& folder) const {
    {
        base::LockGuard const lock{known_.mutex};
        auto const found = known_.has_kept.find(folder.string());
        if (found != known_.has_kept.end()) {
            return found->second;
        }
    }
    bool has = false;
    auto const names = OBLEA_TRY(files_->list(folder));
    for (std::string const& name : names) {
        RelPath const path = folder / OBLEA_TRY(Name::parse(name));
        if (OBLEA_TRY(is_kept(path))) {
            has = true;
            break;
        }
    }
    base::LockGuard const lock{known_.mutex};
    known_.has_kept.emplace(folder.string(), has);
    return has;
}

IgnorePatterns::State ContextTree::state_of(RelPath const& folder) const {
    if (folder.is_root()) {
        return {};
    }
    {
        base::LockGuard const lock{known_.mutex};
        auto const found = known_.states.find(folder.string());
        if (found != known_.states.end()) {
            return found->second;
        }
    }
    auto state = patterns_.judge(folder, state_of(folder.parent())).state;
    base::LockGuard const lock{known_.mutex};
    return known_.states.emplace(folder.string(), std::move(state)).first->second;
}

}  // namespace oblea::tools::build
