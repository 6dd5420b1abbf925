// SPDX-License-Identifier: MIT
// What was behind the end of files that were just cut, for those who still read it.
//
// From the moment in which a file is cut to the one in which the program that asked for it has
// taken the answer in, the kernel goes on with the old size, and reads pages behind the new end.
// What an answer to a READ comes short of, it fills up with zeros: a program that reads meanwhile
// would see bytes that nobody wrote (Linux 6.18, fs/fuse: a short READ does not change the size
// during a truncation). So such a READ gets what was there, as from any local file system; the
// kernel drops those pages when it takes the truncation in. A READ that it had begun before, and
// sends only after that, leaves a page behind the end of the file: nobody sees it until the file
// grows, and before that it has to go (drop()).
//
// Kept is so much of each file as read-ahead may ask for, and so much of all; which bytes were
// given is remembered of all, until the kernel forgets the file. Any thread; while nothing is kept,
// nobody waits for another one.
#pragma once
#include "fs/fuse/stale_pages.h"
#include "fs/types.h"
#include "store/base/bytes.h"
#include "store/base/mutex.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

namespace oblea::fs {

class CutTails {
public:
    static constexpr std::size_t kFileBytesMax = std::size_t{1} << 20U;
    static constexpr std::size_t kBytesMax = std::size_t{16} << 20U;

    // Where the pages begin that are no longer part of a file of this size.
    [[nodiscard]] static std::uint64_t tail_begin(std::uint64_t size);

    // Before the file is cut to `size`, which may fail; the bytes, not none, were at
    // tail_begin(size), at most kFileBytesMax.
    void keep(Ino ino, std::uint64_t size, base::ByteView bytes);
    // Before the file grows, and when the kernel has forgotten it. Returns what was given of the
    // tail, and of earlier ones: the kernel may still have it in its pages, and must drop them
    // before the file grows.
    std::optional<Stretch> drop(Ino ino);
    // How many bytes of the buffer answer a READ of `offset`, in which the file gave `filled`:
    // more, when a tail continues them.
    [[nodiscard]] std::size_t complete(Ino ino, std::uint64_t offset, base::MutableBytes buffer,
                                       std::size_t filled);

private:
    struct Tail {
        Ino ino;
        std::uint64_t size;  // of the file, cut
        base::Bytes bytes;
        std::optional<Stretch> given;  // of this and earlier tails
    };
    using Tails = std::list<Tail>;
    void erase(Tails::iterator tail) OBLEA_REQUIRES(mutex_);
    std::optional<Stretch> take(Ino ino) OBLEA_REQUIRES(mutex_);
    [[nodiscard]] bool nothing_is_kept() const { return kept_.load() == 0; }

    base::Mutex mutex_;
    Tails tails_ OBLEA_GUARDED_BY(mutex_);  // oldest first
    std::unordered_map<Ino, Tails::iterator> by_ino_ OBLEA_GUARDED_BY(mutex_);
    std::size_t bytes_ OBLEA_GUARDED_BY(mutex_) = 0;
    // Of tails whose bytes had to go.
    std::unordered_map<Ino, Stretch> given_ OBLEA_GUARDED_BY(mutex_);
    // How many files the two maps have. Changed under the mutex, read without it: a zero sends a
    // request away that every other one would make wait, so it must not come too late. It cannot.
    // keep() has counted the file before it returns; only then is the file cut, and only then is
    // the truncation answered. A READ that comes short because of it has seen the new size, and a
    // WRITE behind the new end is sent after that answer: both happen after keep(), by the locks
    // of the kernel that the size and the answer went through, and what happens after a store
    // reads it or a later one. Any other request may as well have come before the file was cut.
    std::atomic<std::size_t> kept_{0};
};

}  // namespace oblea::fs
