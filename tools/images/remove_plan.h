// SPDX-License-Identifier: MIT
// What `oblea rmi NAME` does: which names go, whether the image goes, or why not.
//
// Pure. The rules are docker's: a name is only taken off as long as the image has others; the last
// one takes the image with it, unless something uses it.
#pragma once
#include "store/image/images.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

// A container or a mount that needs an image.
struct ImageUse {
    store::Digest image;
    std::string holder;   // "container web", "the mount at /mnt"
    std::string release;  // the command that frees it: "oblea rm web"
};

enum class Force { no, yes };

struct RemovePlan {
    store::Digest image;
    std::vector<std::string> untag;  // canonical names
    enum class Entry { keep, remove } entry = Entry::keep;
};

// Errors: what Images::resolve says; EBUSY naming the first holder and what frees it.
Result<RemovePlan> plan_remove(store::Images const& images, std::vector<ImageUse> const& uses,
                               std::string_view typed, Force force);

// What docker prints: "Untagged: ..." and "Deleted: ...".
[[nodiscard]] std::vector<std::string> describe_removal(RemovePlan const& plan);

}  // namespace oblea::tools
