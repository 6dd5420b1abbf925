// SPDX-License-Identifier: MIT
// What `oblea rmi NAME` and `oblea image prune` do: which names go, which images go, or why not.
//
// Pure. The rules are docker's: a name is only taken off as long as the image has others; the last
// one takes the image with it, unless something uses it, and with the image its nameless parents.
#pragma once
#include "store/image/images.h"
#include "tools/cli/each_name.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

// A container or a mount that needs an image.
struct ImageUse {
    store::Digest image;
    std::string holder;   // "container web", "the mount at /mnt"
    std::string release;  // the command that frees it: "oblea rm web"
    enum class State { stopped, running } state = State::stopped;
};

enum class Parents { remove, keep };
struct RemoveOptions {
    Force force = Force::no;
    Parents parents = Parents::remove;  // those without a name, another child or a user
};

struct RemovePlan {
    std::vector<std::string> untag;     // canonical names
    std::vector<std::string> digests;   // "NAME@DIGEST", which the image loses with them
    std::vector<store::Digest> remove;  // the image, then its parents
};

// Errors: what Images::resolve says; EBUSY naming the first holder and what frees it.
Result<RemovePlan> plan_remove(store::Images const& images, std::vector<ImageUse> const& uses,
                               std::string_view typed, RemoveOptions const& options);

void apply_removal(store::Images& images, RemovePlan const& plan);

// What docker prints: "Untagged: ..." and "Deleted: ...".
[[nodiscard]] std::vector<std::string> describe_removal(RemovePlan const& plan);

// The removal of one image by prune, whatever names it has; nothing of it goes when it is used or
// has children.
[[nodiscard]] RemovePlan plan_prune(store::Images const& images, std::vector<ImageUse> const& uses,
                                    store::Image const& image);

}  // namespace oblea::tools
