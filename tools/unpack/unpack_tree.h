// SPDX-License-Identifier: MIT
// Writes an image's merged tree into a folder, for machines without FUSE.
//
// Every name is created relative to the descriptor of its folder and without following links, so
// nothing outside of the target is ever touched, whatever the image or an earlier tenant of the
// target put there. What the caller's rights do not allow (owners, devices, some xattrs) is left
// out and counted; where owners are lost, setuid and setgid bits go too, since they would lend the
// caller's own rights. Not durable: nothing is synced.
#pragma once
#include "store/image/image_view.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace oblea::tools {

struct UnpackSummary {
    std::uint64_t files = 0;
    std::uint64_t folders = 0;  // without the target itself
    std::uint64_t links = 0;    // symbolic ones, and further names of files
    std::uint64_t others = 0;   // devices, fifos, sockets
    std::uint64_t bytes = 0;    // of all files, holes included

    // What could not be kept, by how many inodes.
    std::uint64_t owners_lost = 0;
    std::uint64_t devices_lost = 0;
    std::uint64_t set_id_bits_lost = 0;
    std::uint64_t xattrs_lost = 0;
    std::uint64_t hard_links_lost = 0;  // names that became copies
};

// One line for each kind of loss, for people.
[[nodiscard]] std::vector<std::string> describe_losses(UnpackSummary const& summary);

struct UnpackOptions {
    // With `replace`, what stands in the way is replaced: files and links by anything, folders by
    // folders (they are joined), empty folders by anything.
    enum class Existing { refuse, replace } existing = Existing::refuse;
    enum class Ownership { keep, drop } ownership = Ownership::drop;
    std::atomic<bool> const* cancel = nullptr;  // may be null
    std::function<void(UnpackSummary const&)> progress =
        {};  // may be empty; called after each file
};

// `target` is a folder, opened for reading. Errors: ENOTEMPTY when it holds anything and `existing`
// is refuse; EEXIST for a folder with contents in the way of something else; ECANCELED; EUCLEAN for
// a damaged image; all name the path inside the image. What was written stays after an error.
Result<UnpackSummary> unpack_tree(store::ImageView const& image, int target,
                                  UnpackOptions const& options);

}  // namespace oblea::tools
