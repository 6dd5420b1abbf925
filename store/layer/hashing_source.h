// SPDX-License-Identifier: MIT
// A tee: passes a stream through, takes its SHA-256 and its length, and shows every byte to one
// watcher on the way.
//
// What was not read was not hashed: read to the end before finish(). Not thread-safe.
#pragma once
#include "store/base/byte_source.h"
#include "store/base/hash.h"

#include <functional>

namespace oblea::store {

class HashingSource final : public base::ByteSource {
public:
    // An error of the watcher becomes the error of the read; it may be empty.
    using Watcher = std::function<Status(base::ByteView)>;

    explicit HashingSource(base::ByteSource& source, Watcher watcher = {})
        : source_(source), watcher_(std::move(watcher)) {}

    Result<std::size_t> read(base::MutableBytes buffer) override;

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] base::Digest finish() { return hash_.finish(); }

private:
    base::ByteSource& source_;
    Watcher watcher_;
    base::Sha256 hash_;
    std::uint64_t bytes_ = 0;
};

}  // namespace oblea::store
