// SPDX-License-Identifier: MIT
#include "tools/build/loose_files.h"

namespace oblea::tools::build {

using store::FileType;
using store::RelPath;

namespace {

constexpr std::uint32_t kTextPermissions = 0644;

}  // namespace

void LooseFiles::add_text(store::Name const& name, std::string text, store::Timestamp mtime) {
    SourceNode node;
    node.attr.type = FileType::regular;
    node.attr.permissions = kTextPermissions;
    node.attr.size = text.size();
    node.attr.mtime = mtime;
    files_.insert_or_assign(name.string(),
                            File{.node = std::move(node), .text = std::move(text), .file = {}});
}

void LooseFiles::add_file(store::Name const& name, base::UniqueFd file, SourceNode node) {
    files_.insert_or_assign(name.string(),
                            File{.node = std::move(node), .text = {}, .file = std::move(file)});
}

Result<std::optional<RelPath>> LooseFiles::follow(RelPath const& path) const {
    bool const there = path.is_root() || files_.contains(path.string());
    return there ? std::optional{path} : std::nullopt;
}

Result<std::optional<SourceNode>> LooseFiles::look(RelPath const& path) const {
    auto const file = files_.find(path.string());
    return file == files_.end() ? std::optional<SourceNode>{} : std::optional{file->second.node};
}

Result<std::vector<std::string>> LooseFiles::list(RelPath const& /*folder*/) const {
    std::vector<std::string> names;
    for (auto const& [name, file] : files_) {
        names.push_back(name);
    }
    return names;
}

Result<std::unique_ptr<base::ByteSource>> LooseFiles::open(RelPath const& path) const {
    auto const file = files_.find(path.string());
    if (file == files_.end()) {
        return fail(Errno::enoent, "", base::printable(path.string()));
    }
    if (file->second.file.valid()) {
        return std::unique_ptr<base::ByteSource>{std::make_unique<base::FileRangeSource>(
            file->second.file.get(), 0, file->second.node.attr.size)};
    }
    return std::unique_ptr<base::ByteSource>{
        std::make_unique<base::MemorySource>(base::bytes_of(std::string_view{file->second.text}))};
}

}  // namespace oblea::tools::build
