// SPDX-License-Identifier: MIT
#include "fs/lower/image_lower.h"

#include "fs/lower/index_lower.h"

namespace oblea::fs {

namespace {

class ImageLower final : public IndexLower {
public:
    explicit ImageLower(std::shared_ptr<store::ImageView const> image)
        : IndexLower(image->tree()), image_(std::move(image)) {}

    Result<std::size_t> read(store::InodeNo file, base::MutableBytes buffer,
                             std::uint64_t offset) const override {
        return image_->read(file, buffer, offset);
    }
    Result<base::ByteView> mapped(store::InodeNo file, std::uint64_t offset,
                                  std::size_t bytes) const override {
        return image_->mapped(file, offset, bytes);
    }
    Result<std::shared_ptr<base::UniqueFd const>> object(store::InodeNo file) const override {
        return image_->object(file);
    }
    Result<std::uint64_t> seek(store::InodeNo file, std::uint64_t offset,
                               Seek what) const override {
        return image_->seek(file, offset,
                            what == Seek::data ? store::ImageView::Seek::data
                                               : store::ImageView::Seek::hole);
    }

private:
    std::shared_ptr<store::ImageView const> image_;
};

// Holds the index for its base, which refers to it.
struct OwnIndex {
    store::Index tree;
};

class NamesOfImage final : private OwnIndex, public IndexLower {
public:
    explicit NamesOfImage(store::Index index)
        : OwnIndex{std::move(index)}, IndexLower(OwnIndex::tree) {}

    Result<std::size_t> read(store::InodeNo, base::MutableBytes, std::uint64_t) const override {
        return without_contents();
    }
    Result<base::ByteView> mapped(store::InodeNo, std::uint64_t, std::size_t) const override {
        return without_contents();
    }
    Result<std::shared_ptr<base::UniqueFd const>> object(store::InodeNo) const override {
        return without_contents();
    }
    Result<std::uint64_t> seek(store::InodeNo, std::uint64_t, Seek) const override {
        return without_contents();
    }

private:
    static std::unexpected<Error> without_contents() {
        return fail(Errno::eio, "read", "the image is open without its contents");
    }
};

}  // namespace

std::shared_ptr<LowerTree const> names_of_image(store::Index tree) {
    return std::make_shared<NamesOfImage>(std::move(tree));
}

std::shared_ptr<LowerTree const> image_lower(std::shared_ptr<store::ImageView const> image) {
    return std::make_shared<ImageLower>(std::move(image));
}

}  // namespace oblea::fs
