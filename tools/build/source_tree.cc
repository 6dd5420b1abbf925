// SPDX-License-Identifier: MIT
#include "tools/build/source_tree.h"

#include "tools/images/path_in_image.h"

namespace oblea::tools::build {
namespace {

using store::FileType;
using store::InodeNo;
using store::RelPath;

class FileOfImage final : public base::ByteSource {
public:
    FileOfImage(std::shared_ptr<store::ImageView const> view, InodeNo file)
        : view_(std::move(view)), file_(file) {}
    Result<std::size_t> read(base::MutableBytes buffer) override {
        std::size_t const count = OBLEA_TRY(view_->read(file_, buffer, offset_));
        offset_ += count;
        return count;
    }

private:
    std::shared_ptr<store::ImageView const> view_;
    InodeNo file_;
    std::uint64_t offset_ = 0;
};

class ImageTree final : public SourceTree {
public:
    explicit ImageTree(std::shared_ptr<store::ImageView const> view) : view_(std::move(view)) {}

    [[nodiscard]] Result<std::optional<RelPath>> follow(RelPath const& path) const override {
        auto const reached = OBLEA_TRY(walk_path(view_->tree(), path.string(), LastLink::follow));
        if (!reached.ino.has_value()) {
            return std::optional<RelPath>{};
        }
        RelPath real;
        for (std::string const& name : reached.names) {
            real = real / OBLEA_TRY(store::Name::parse(name));
        }
        return std::optional{std::move(real)};
    }

    [[nodiscard]] Result<std::optional<SourceNode>> look(RelPath const& path) const override {
        auto const ino = OBLEA_TRY(view_->tree().resolve(path));
        if (!ino.has_value()) {
            return std::optional<SourceNode>{};
        }
        store::Index const& tree = view_->tree();
        SourceNode node;
        node.attr = OBLEA_TRY(tree.attr(*ino));
        if (node.attr.type == FileType::symlink) {
            node.link_target = OBLEA_TRY(tree.symlink_target(*ino));
        }
        if (node.attr.type != FileType::directory && node.attr.nlink > 1) {
            node.link_id = static_cast<std::uint64_t>(*ino);
        }
        auto const names = OBLEA_TRY(tree.xattr_names(*ino));
        for (std::string_view const name : names) {
            if (auto const value = OBLEA_TRY(tree.xattr(*ino, name))) {
                node.xattrs.emplace_back(name, *value);
            }
        }
        return std::optional{std::move(node)};
    }

    [[nodiscard]] Result<std::vector<std::string>> list(RelPath const& folder) const override {
        std::vector<std::string> names;
        auto const ino = OBLEA_TRY(view_->tree().resolve(folder));
        if (!ino.has_value()) {
            return names;
        }
        std::uint32_t const count = OBLEA_TRY(view_->tree().entry_count(*ino));
        for (std::uint32_t i = 0; i < count; ++i) {
            names.emplace_back(OBLEA_TRY(view_->tree().entry(*ino, i)).name);
        }
        return names;
    }

    [[nodiscard]] Result<std::unique_ptr<base::ByteSource>>
    open(RelPath const& file) const override {
        auto const ino = OBLEA_TRY(view_->tree().resolve(file));
        if (!ino.has_value()) {
            return fail(Errno::enoent, "", base::printable(file.string()));
        }
        return std::unique_ptr<base::ByteSource>{std::make_unique<FileOfImage>(view_, *ino)};
    }

private:
    std::shared_ptr<store::ImageView const> view_;
};

}  // namespace

std::unique_ptr<SourceTree> image_tree(std::shared_ptr<store::ImageView const> view) {
    return std::make_unique<ImageTree>(std::move(view));
}

}  // namespace oblea::tools::build
