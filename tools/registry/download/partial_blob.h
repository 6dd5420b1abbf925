// SPDX-License-Identifier: MIT
// A blob on its way into the store: a file that grows in several places, and beside it which parts
// of it are there, so that a later process goes on where this one ended.
//
//   tmp/download.<hex>       the blob, with holes; locked by who downloads
//   tmp/download.<hex>.map   see FORMAT.md "Downloads"
//
// What the map says is believed while the machine runs on (a part is noted after it was written);
// after another boot only what was synced counts. The blob's digest is checked by who reads it.
// Nobody who brings bytes waits for the disk: that is left to who calls make_durable().
// Thread-safe: one thread for each part, and one that makes durable.
#pragma once
#include "store/base/unique_fd.h"
#include "store/index/types.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace oblea::registry {

class PartialBlob {
public:
    static constexpr std::uint64_t kPartBytes = 16U << 20U;

    struct Place {
        int root = -1;  // of the store, borrowed
        store::Digest digest;
        std::uint64_t bytes = 0;
        std::string boot_id;  // of this boot; another one in the map makes it old
    };

    // Opens what an earlier process has left, or begins. While another process has the file, one
    // without a name is made instead, which nobody shares. Errors: those of the file system.
    static Result<std::unique_ptr<PartialBlob>> open(Place place);
    PartialBlob(PartialBlob const&) = delete;
    PartialBlob& operator=(PartialBlob const&) = delete;
    ~PartialBlob();  // removes both files when nothing has come

    [[nodiscard]] std::uint64_t bytes() const { return place_.bytes; }
    [[nodiscard]] std::size_t parts() const { return done_.size(); }
    [[nodiscard]] std::uint64_t part_begin(std::size_t part) const { return part * kPartBytes; }
    [[nodiscard]] std::uint64_t part_bytes(std::size_t part) const;
    // From the beginning of the part on.
    [[nodiscard]] std::uint64_t part_done(std::size_t part) const;
    [[nodiscard]] std::uint64_t done_bytes() const;
    [[nodiscard]] bool is_complete() const { return done_bytes() == place_.bytes; }
    // How much was there when it was opened.
    [[nodiscard]] std::uint64_t resumed_bytes() const { return resumed_; }

    // How many bytes are there from `offset` on without a gap, at most to the end of its part.
    [[nodiscard]] std::uint64_t readable_from(std::uint64_t offset) const;
    [[nodiscard]] int fd() const { return data_.get(); }

    // The next bytes of a part.
    Status append(std::size_t part, base::ByteView data);
    // Brings to disk what has come, and notes it as durable. Does nothing when nothing has come
    // since. Errors: EIO, ENOSPC, EDQUOT, of any write since the last time.
    Status make_durable();

    // Relative to the root; empty for a file without a name.
    [[nodiscard]] std::string const& path() const { return path_; }
    // Whether what is there has the digest.
    [[nodiscard]] Result<bool> verify() const;
    // Removes the names. What is open stays readable.
    void remove();

private:
    explicit PartialBlob(Place place);
    Result<bool> take(std::string const& path);
    Status load_map();
    Status write_header() const;
    enum class Count { done, durable };
    Status note(std::size_t part, Count count, std::uint64_t bytes) const;

    Place place_;
    std::string path_;
    base::UniqueFd data_;
    base::UniqueFd map_;
    std::vector<std::atomic<std::uint64_t>> done_;
    std::vector<std::uint64_t> durable_;  // for make_durable() alone
    std::uint64_t resumed_ = 0;
};

}  // namespace oblea::registry
