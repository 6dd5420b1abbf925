// SPDX-License-Identifier: MIT
// Files that lie in no tree: texts of a Dockerfile (COPY <<FILE), and what ADD has fetched.
#pragma once
#include "store/base/unique_fd.h"
#include "tools/build/source_tree.h"

#include <map>

namespace oblea::tools::build {

class LooseFiles final : public SourceTree {
public:
    // Another one of the name replaces it.
    void add_text(store::Name const& name, std::string text, store::Timestamp mtime);
    void add_file(store::Name const& name, base::UniqueFd file, SourceNode node);

    [[nodiscard]] Result<std::optional<store::RelPath>>
    follow(store::RelPath const& path) const override;
    [[nodiscard]] Result<std::optional<SourceNode>> look(store::RelPath const& path) const override;
    [[nodiscard]] Result<std::vector<std::string>>
    list(store::RelPath const& folder) const override;
    [[nodiscard]] Result<std::unique_ptr<base::ByteSource>>
    open(store::RelPath const& file) const override;

private:
    struct File {
        SourceNode node;
        std::string text;
        base::UniqueFd file;  // else the text
    };
    std::map<std::string, File> files_;
};

}  // namespace oblea::tools::build
