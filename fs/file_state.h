// SPDX-License-Identifier: MIT
// Where an inode's bytes and attributes are, as a state machine; with the coherence law
// (union_fs.h) it is what every read, write and copy-up follows.
//
//   lower ---- first change ----> copying ---- published ----> upper
//     ^                              |
//     +----------- failed -----------+
//
// - lower: bytes and attributes are the lower tree's. Readers go there. No file of the upper stands
//   for the inode.
// - copying: exactly one thread fills a file in work/tmp, with no lock held. Readers still go to
//   the lower tree, which is right: no write has completed. Whoever wants to change the inode waits
//   for the outcome.
// - upper: one file of the upper is the inode, for ever: it may get and lose names, never be
//   replaced by another. Readers and writers go there.
//
// Folders pass from lower to upper in one step, under their parent's lock; "bare" is the root of a
// fresh upper: its folder is there, its attributes are still the lower's.
//
// Beside the state there is whether names lead to the inode: `linked`, or `unlinked` (nothing in
// the tree leads there any more, the kernel still knows it). An unlinked inode never gets a name
// again, except a file made without one. An unlinked file may still be copied up (a program that
// has it open writes): it is published in work/orphans.
//
// The room that is left: a state `partial` between copying and upper, for files of which the upper
// holds some blocks (or none, after a change of attributes alone); readers then ask block by block.
#pragma once
#include <cstdint>

namespace oblea::fs {

enum class FileState : std::uint8_t { lower, copying, upper };
enum class Linkage : std::uint8_t { linked, unlinked };

[[nodiscard]] constexpr bool may_follow(FileState from, FileState to) {
    switch (from) {
    case FileState::lower:
        return to == FileState::copying || to == FileState::upper;
    case FileState::copying:
        return to == FileState::lower || to == FileState::upper;
    case FileState::upper:
        return false;
    }
    return false;
}

// Where the upper's file of an inode is to be found.
enum class Place : std::uint8_t {
    none,    // nowhere: the inode is in the lower tree alone
    entry,   // under its parent folder and name
    index,   // work/index/<origin key>; names of it are further links
    orphan,  // work/orphans/<number>
    held,    // no name at all: a descriptor that this process holds (unlinked folders that were
             // renamed over)
};

}  // namespace oblea::fs
