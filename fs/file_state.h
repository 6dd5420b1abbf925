// SPDX-License-Identifier: MIT
// Where an inode's bytes and attributes are, as a state machine; with the coherence law
// (union_fs.h) it is what every read, write and copy-up follows.
//
//   lower ---- first change ----> copying ---- published ----> upper
//     ^                              | |                         ^
//     +----------- failed -----------+ +---> partial --- filled -+
//
// - lower: bytes and attributes are the lower tree's. Readers go there. No file of the upper stands
//   for the inode.
// - copying: exactly one thread makes a file in work/tmp, with no lock held. Readers still go to
//   the lower tree, which is right: no write has completed. Whoever wants to change the inode waits
//   for the outcome.
// - partial: one file of the upper is the inode, with its attributes and size; of its contents it
//   has none (after a change of attributes) or some blocks (after writes into a large file), as its
//   BlockMap says. Readers ask block by block. Regular files that were of the lower tree alone.
// - upper: one file of the upper is the inode, with all of its contents. Readers and writers go
//   there.
//
// From `partial` on the file stays the same for ever: it may get and lose names, never be replaced
// by another.
//
// What the kernel may do follows (fuse/data_mode): its page cache of an inode holds in every state,
// since the state says where bytes lie and not what they are, and is all there is of files in the
// states lower, copying and partial ("cached"). Only files in the state upper are ever handed to
// the kernel to read and write by itself ("passthrough"), at an open that finds nobody else having
// them open as cached. An open file keeps the way that it was opened with, so one that was opened
// while it was partial stays cached, for itself and all who open it meanwhile, until the last of
// them closes it.
//
// Folders pass from lower to upper in one step, under their parent's lock; "bare" is the root of a
// fresh upper: its folder is there, its attributes are still the lower's.
//
// Beside the state there is whether names lead to the inode: `linked`, or `unlinked` (nothing in
// the tree leads there any more, the kernel still knows it). An unlinked inode never gets a name
// again, except a file made without one. An unlinked file may still be copied up (a program that
// has it open writes): it is published in work/orphans.
#pragma once
#include <cstdint>

namespace oblea::fs {

enum class FileState : std::uint8_t { lower, copying, partial, upper };
enum class Linkage : std::uint8_t { linked, unlinked };

[[nodiscard]] constexpr bool may_follow(FileState from, FileState to) {
    switch (from) {
    case FileState::lower:
        return to == FileState::copying || to == FileState::upper;
    case FileState::copying:
        return to != FileState::copying;
    case FileState::partial:
        return to == FileState::upper;
    case FileState::upper:
        return false;
    }
    return false;
}

// Whether a file of the upper stands for the inode.
[[nodiscard]] constexpr bool is_in_upper(FileState state) {
    return state == FileState::partial || state == FileState::upper;
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
