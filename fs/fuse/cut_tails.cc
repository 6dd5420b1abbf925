// SPDX-License-Identifier: MIT
#include "fs/fuse/cut_tails.h"

#include <algorithm>

namespace oblea::fs {
namespace {

constexpr std::uint64_t kPage = 4096;

}  // namespace

std::uint64_t CutTails::tail_begin(std::uint64_t size) {
    return (size + kPage - 1) / kPage * kPage;
}

void CutTails::keep(Ino ino, std::uint64_t size, base::ByteView bytes) {
    base::LockGuard const lock{mutex_};
    // The kernel drops the pages of an earlier tail with this one's, but only if the file is cut.
    auto const given = take(ino);
    tails_.push_back(
        {.ino = ino, .size = size, .bytes = {bytes.begin(), bytes.end()}, .given = given});
    by_ino_[ino] = std::prev(tails_.end());
    bytes_ += bytes.size();
    while (bytes_ > kBytesMax) {
        Tail const& oldest = tails_.front();
        if (oldest.given.has_value()) {
            given_[oldest.ino] = *oldest.given;
        }
        erase(tails_.begin());
    }
    kept_.store(by_ino_.size() + given_.size());
}

std::optional<Stretch> CutTails::drop(Ino ino) {
    if (nothing_is_kept()) {
        return std::nullopt;
    }
    base::LockGuard const lock{mutex_};
    auto const given = take(ino);
    kept_.store(by_ino_.size() + given_.size());
    return given;
}

std::optional<Stretch> CutTails::take(Ino ino) {
    if (auto const known = by_ino_.find(ino); known != by_ino_.end()) {
        auto const given = known->second->given;
        erase(known->second);
        return given;
    }
    if (auto const known = given_.extract(ino); !known.empty()) {
        return known.mapped();
    }
    return std::nullopt;
}

std::size_t CutTails::complete(Ino ino, std::uint64_t offset, base::MutableBytes buffer,
                               std::size_t filled) {
    if (nothing_is_kept()) {
        return filled;
    }
    base::LockGuard const lock{mutex_};
    auto const known = by_ino_.find(ino);
    if (known == by_ino_.end()) {
        return filled;
    }
    Tail& tail = *known->second;
    std::uint64_t const begin = tail_begin(tail.size);
    std::uint64_t const end = begin + tail.bytes.size();
    std::uint64_t const from = std::max(offset + filled, begin);
    std::uint64_t const to = std::min(offset + buffer.size(), end);
    bool const has_grown = filled > 0 && offset + filled > tail.size;
    if (has_grown || from >= to) {
        return filled;
    }
    auto const gap = buffer.subspan(filled, from - offset - filled);  // of the page of the new end
    std::ranges::fill(gap, std::byte{});
    std::ranges::copy(base::ByteView{tail.bytes}.subspan(from - begin, to - from),
                      buffer.subspan(from - offset).begin());
    Stretch const given = tail.given.value_or(Stretch{.begin = from, .end = to});
    tail.given = Stretch{.begin = std::min(from, given.begin), .end = std::max(to, given.end)};
    return to - offset;
}

void CutTails::erase(Tails::iterator tail) {
    bytes_ -= tail->bytes.size();
    by_ino_.erase(tail->ino);
    tails_.erase(tail);
}

}  // namespace oblea::fs
