// SPDX-License-Identifier: MIT
#include "tools/images/remove_plan.h"

#include "store/image/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace oblea::tools {

namespace {

std::string familiar(std::string const& canonical) {
    auto const reference = store::Reference::parse(canonical);
    return reference.has_value() ? reference->familiar() : canonical;
}

std::string repository_of(std::string const& canonical) {
    auto const reference = store::Reference::parse(canonical);
    return reference.has_value() ? reference->repository() : canonical;
}

bool is_digest_name(std::string const& canonical) {
    auto const reference = store::Reference::parse(canonical);
    return reference.has_value() && reference->digest.has_value();
}

// The one of the image's names that was typed; nothing when it was an id.
std::optional<std::string> typed_name(store::Image const& image, std::string_view typed) {
    auto const reference = store::Reference::parse(typed);
    if (!reference.has_value()) {
        return std::nullopt;
    }
    std::string const canonical = reference->with_default_tag().canonical();
    auto const found = std::ranges::find(image.names, canonical);
    return found == image.names.end() ? std::nullopt : std::optional{*found};
}

// The names that go with `name`: itself, and, when no tag is left in its repository, the digests
// that it was fetched by.
std::vector<std::string> names_going_with(store::Image const& image, std::string const& name) {
    std::vector<std::string> going{name};
    bool const tag_left = std::ranges::any_of(image.names, [&](std::string const& other) {
        return other != name && !is_digest_name(other) &&
               repository_of(other) == repository_of(name);
    });
    if (tag_left || is_digest_name(name)) {
        return going;
    }
    for (auto const& other : image.names) {
        if (other != name && repository_of(other) == repository_of(name)) {
            going.push_back(other);
        }
    }
    return going;
}

bool has_children(store::Images const& images, store::Digest const& id) {
    return std::ranges::any_of(images.all(), [&](store::Image const& image) {
        return image.parent.has_value() && *image.parent == id;
    });
}

std::unexpected<Error> conflict(std::string what, std::string_view why) {
    return fail(Errno::ebusy, "", fmt::format("conflict: unable to remove {}: {}", what, why));
}

}  // namespace

Result<RemovePlan> plan_remove(store::Images const& images, std::vector<ImageUse> const& uses,
                               std::string_view typed, Force force) {
    store::Image const& image = *OBLEA_TRY(images.resolve(typed));
    RemovePlan plan{.image = image.id, .untag = {}};
    auto const name = typed_name(image, typed);
    if (name.has_value()) {
        plan.untag = names_going_with(image, *name);
        if (plan.untag.size() < image.names.size()) {
            return plan;
        }
    } else {
        std::set<std::string> repositories;
        std::ranges::transform(image.names, std::inserter(repositories, repositories.end()),
                               repository_of);
        if (repositories.size() > 1 && force == Force::no) {
            return conflict(std::string{typed},
                            "the image has names in several repositories: remove them by name, or "
                            "say --force");
        }
        plan.untag = image.names;
    }

    auto const use = std::ranges::find(uses, image.id, &ImageUse::image);
    if (use != uses.end()) {
        if (force == Force::no) {
            return conflict(std::string{typed},
                            fmt::format("{} uses image {}: '{}' frees it; --force takes only the "
                                        "name off",
                                        use->holder, image.id.short_hex(), use->release));
        }
        return plan;  // the image stays, without a name, until its user is gone
    }
    if (has_children(images, image.id)) {
        if (!name.has_value()) {
            return conflict(std::string{typed}, "other images are built on it: remove them first");
        }
        return plan;
    }
    plan.entry = RemovePlan::Entry::remove;
    return plan;
}

std::vector<std::string> describe_removal(RemovePlan const& plan) {
    std::vector<std::string> lines;
    lines.reserve(plan.untag.size() + 1);
    for (auto const& name : plan.untag) {
        lines.push_back("Untagged: " + familiar(name));
    }
    if (plan.entry == RemovePlan::Entry::remove) {
        lines.push_back("Deleted: " + plan.image.to_string());
    }
    return lines;
}

}  // namespace oblea::tools
