// SPDX-License-Identifier: MIT
// A pack as independent zstd frames, for published stores: smaller, and readable at any place.
//
// `zstd -d` gives the plain pack back. The table of the frames stands at the end. What is read is
// what was compressed: each frame has a checksum, and what does not fit it is an error.
// Spec: FORMAT.md "Framed packs"; Zstandard Seekable Format 0.1.0 (contrib/seekable_format in
// zstd's sources).
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/recently_used.h"
#include "store/base/unique_fd.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oblea::store {

// The frames that were read last, of any number of packs. Thread-safe.
class FrameCache {
public:
    // Enough for those who read in about the order of the layer, a mount's threads among them.
    static constexpr std::size_t kUsualBytes = 8U << 20U;

    // Bounds what the frames hold; one is kept in any case.
    explicit FrameCache(std::size_t bytes_max) : frames_(bytes_max) {}

private:
    friend class FramedPack;
    std::atomic<std::uint32_t> packs_{0};
    base::RecentlyUsed<std::uint64_t, base::Bytes> frames_;  // by pack and frame
};

// Immutable but for the cache; safe from any thread.
class FramedPack {
public:
    // Reads the table, and refuses one that the format does not allow before it takes memory for
    // more than the file has. `path` is for people, `cache` must live as long. Errors: EUCLEAN.
    static Result<FramedPack> open(base::UniqueFd file, std::string path, FrameCache& cache);

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }  // of the plain pack

    // Fills the buffer. Errors: EUCLEAN for a damaged frame, or past the end.
    Status read(base::MutableBytes buffer, std::uint64_t offset) const;

private:
    FramedPack(base::UniqueFd file, std::string path, FrameCache& cache)
        : file_(std::move(file)), path_(std::move(path)), cache_(&cache), number_(cache.packs_++) {}

    [[nodiscard]] std::size_t bytes_of_frame(std::size_t frame) const;
    Result<std::shared_ptr<base::Bytes const>> frame_at(std::size_t frame) const;
    Result<base::Bytes> decompress(std::size_t frame) const;

    base::UniqueFd file_;
    std::string path_;
    FrameCache* cache_;
    std::uint32_t number_;  // of this pack in the cache
    std::uint64_t bytes_ = 0;
    std::size_t frame_bytes_ = 0;        // of all frames but the last
    std::vector<std::uint64_t> begins_;  // of the frames in the file, and where the last one ends
};

// Fills the buffer with the plain pack's bytes from an offset.
using PackBytes = std::function<Status(base::MutableBytes buffer, std::uint64_t offset)>;

// Writes `bytes` bytes, at least one, to `target` as frames. `plain` is called from one thread,
// frames are compressed by all. Returns the bytes of the file. Errors: those of `plain` and of
// writing; ECANCELED once `*cancel`, which may be null, is set.
Result<std::uint64_t> write_framed_pack(PackBytes const& plain, std::uint64_t bytes, int target,
                                        std::atomic<bool> const* cancel);

}  // namespace oblea::store
