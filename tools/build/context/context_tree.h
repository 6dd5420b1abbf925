// SPDX-License-Identifier: MIT
// A context's files as COPY and ADD see them: without what .dockerignore leaves out, links followed
// with the context as their root.
//
// A folder that is left out is there all the same when something in it is taken back. Const methods
// are safe from any thread; leave_out() is called before them.
#pragma once
#include "store/base/mutex.h"
#include "tools/build/context/context_files.h"
#include "tools/build/context/ignore_patterns.h"

#include <string>
#include <unordered_map>

namespace oblea::tools::build {

class ContextTree final : public SourceTree {
public:
    explicit ContextTree(std::unique_ptr<ContextFiles> files) : files_(std::move(files)) {}

    void leave_out(IgnorePatterns patterns) { patterns_ = std::move(patterns); }

    // Errors: ELOOP past 40 links.
    [[nodiscard]] Result<std::optional<store::RelPath>>
    follow(store::RelPath const& path) const override;
    [[nodiscard]] Result<std::optional<SourceNode>> look(store::RelPath const& path) const override;
    [[nodiscard]] Result<std::vector<std::string>>
    list(store::RelPath const& folder) const override;
    [[nodiscard]] Result<std::unique_ptr<base::ByteSource>>
    open(store::RelPath const& file) const override;

private:
    enum class Kept { no, yes, below };  // below: only as the way to what is taken back
    [[nodiscard]] Kept judge(store::RelPath const& path) const;
    [[nodiscard]] Result<bool> is_kept(store::RelPath const& path) const;
    [[nodiscard]] Result<bool> has_kept(store::RelPath const& folder) const;
    [[nodiscard]] IgnorePatterns::State state_of(store::RelPath const& folder) const;

    std::unique_ptr<ContextFiles> files_;
    IgnorePatterns patterns_;

    // What was found out about folders, by their paths.
    struct Known {
        base::Mutex mutex;
        std::unordered_map<std::string, IgnorePatterns::State> states OBLEA_GUARDED_BY(mutex);
        std::unordered_map<std::string, bool> has_kept OBLEA_GUARDED_BY(mutex);
    };
    mutable Known known_;
};

}  // namespace oblea::tools::build
