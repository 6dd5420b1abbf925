// SPDX-License-Identifier: MIT
// Holds the contents of an image against their digests when they are first used (mount -o verify).
//
// One byte of memory for each inode remembers the verdict, so that a sound file costs one load
// afterwards and a damaged one is damaged for good. What changes on the disk after its first use is
// not seen. Thread-safe; two threads that use the same file for the first time both look.
#pragma once
#include "store/index/index.h"

#include <atomic>
#include <functional>
#include <memory>

namespace oblea::store {

// "usr/bin/env" for people: some name of the inode. Looks through the whole tree.
Result<std::string> some_path_of(Index const& tree, InodeNo ino);

class ContentCheck {
public:
    // Reads of a content as a whole: `offset` within its blob.
    using Read =
        std::function<Status(ContentView const&, std::uint64_t offset, base::MutableBytes)>;

    // `tree` and what `read` needs must live as long.
    ContentCheck(Index const& tree, Read read);

    // Errors: EIO naming the file and what is wrong with its contents; those of reading.
    Status expect_sound(InodeNo file) const;

private:
    enum class Verdict : std::uint8_t { unknown = 0, sound, damaged };

    Status fault(InodeNo file, ContentView const& content) const;

    Index const& tree_;
    Read read_;
    std::unique_ptr<std::atomic<Verdict>[]> verdicts_;  // by inode number
};

}  // namespace oblea::store
