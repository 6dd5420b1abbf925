// SPDX-License-Identifier: MIT
// An image held open for reading: its merged tree and the contents of its layers.
//
// What is open stays readable for as long as the view lives, whatever happens to the store's names;
// objects are opened when they are first read, so a lease must be held beside. Immutable after
// opening; safe from any thread.
#pragma once
#include "store/base/unique_fd.h"
#include "store/index/index.h"
#include "store/store.h"

#include <memory>
#include <span>

namespace oblea::store {

// Whether contents are taken as the disk gives them, or held against their digests at first use.
enum class Contents { trusted, verified };

class ImageView {
public:
    // Opens the cached merged index of the chain, or builds and publishes it. Errors: ENOENT naming
    // a missing layer; EUCLEAN for damaged ones; all name the image.
    static Result<std::shared_ptr<ImageView const>> open(Store const& store, Image const& image);
    // The same for a bare stack of layers; none at all is an empty root folder ("scratch").
    static Result<std::shared_ptr<ImageView const>> open(Store const& store,
                                                         std::span<Digest const> diff_ids,
                                                         Contents contents = Contents::trusted);
    ~ImageView();

    [[nodiscard]] Index const& tree() const;

    // Reads from a regular file, up to `buffer.size()` bytes from `offset`; holes read as zeros;
    // short only at the end. Errors: EIO naming the missing or short object or pack, the damaged
    // frame of a pack, or, of verified contents, the damaged file; EUCLEAN as Index.
    Result<std::size_t> read(InodeNo file, base::MutableBytes buffer, std::uint64_t offset) const;

    // The file's bytes from `offset` as a view of mapped memory, when they lie in one piece in a
    // pack of the own store; empty when they do not.
    Result<base::ByteView> mapped(InodeNo file, std::uint64_t offset, std::size_t bytes) const;

    // A read-only descriptor of a file that is one whole object.
    // Null for every other file.
    Result<std::shared_ptr<base::UniqueFd const>> object(InodeNo file) const;

    // Where data begins or a hole begins at or after `offset`, as lseek(2) SEEK_DATA and SEEK_HOLE;
    // ENXIO past the end.
    enum class Seek { data, hole };
    Result<std::uint64_t> seek(InodeNo file, std::uint64_t offset, Seek what) const;

private:
    struct Impl;
    explicit ImageView(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::store
