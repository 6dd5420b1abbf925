// SPDX-License-Identifier: MIT
#include "tools/images/remove_plan.h"

#include "store/image/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
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

// By repository and manifest an image is known as long as it has a name there (RepoDigests).
std::vector<std::string> digests_going_with(store::Image const& image,
                                            std::vector<std::string> const& going) {
    std::set<std::string> repositories;
    std::set<std::string> left;
    for (auto const& name : image.names) {
        bool const goes = std::ranges::find(going, name) != going.end();
        (goes ? repositories : left).insert(repository_of(name));
    }
    std::vector<std::string> digests;
    for (auto const& repository : repositories) {
        if (!image.manifest.has_value() || left.contains(repository)) {
            continue;
        }
        std::string digest = repository + '@' + image.manifest->to_string();
        if (std::ranges::find(going, digest) == going.end()) {
            digests.push_back(std::move(digest));
        }
    }
    return digests;
}

bool has_children(store::Images const& images, store::Digest const& id,
                  std::vector<store::Digest> const& going = {}) {
    return std::ranges::any_of(images.all(), [&](store::Image const& image) {
        return image.parent.has_value() && *image.parent == id &&
               std::ranges::find(going, image.id) == going.end();
    });
}

ImageUse const* find_use(std::vector<ImageUse> const& uses, store::Digest const& id) {
    auto const use = std::ranges::find(uses, id, &ImageUse::image);
    return use == uses.end() ? nullptr : &*use;
}

std::unexpected<Error> conflict(std::string what, std::string const& why) {
    return fail(Errno::ebusy, "", fmt::format("conflict: unable to {} {}", what, why));
}

std::unexpected<Error> in_use(std::string_view typed, std::optional<std::string> const& name,
                              ImageUse const& use) {
    if (name.has_value()) {
        return conflict(fmt::format("remove repository reference \"{}\"", typed),
                        fmt::format("(must force) - {} is using its referenced image {}; '{}' "
                                    "frees it",
                                    use.holder, use.image.short_hex(), use.release));
    }
    bool const running = use.state == ImageUse::State::running;
    bool const container = use.holder.starts_with("container ");
    return conflict(fmt::format("delete {}", typed),
                    fmt::format("({} be forced) - image is being used by {}{}; '{}' frees it",
                                running ? "cannot" : "must",
                                container ? (running ? "running " : "stopped ") : "", use.holder,
                                use.release));
}

// The image, and as docker does its parents that nothing holds any more.
std::vector<store::Digest> removal_of(store::Images const& images,
                                      std::vector<ImageUse> const& uses, store::Image const& image,
                                      Parents parents) {
    std::vector<store::Digest> going{image.id};
    store::Image const* last = &image;
    while (parents == Parents::remove && last->parent.has_value()) {
        store::Image const* const parent = images.find(*last->parent);
        if (parent == nullptr || !parent->names.empty() ||
            std::ranges::find(going, parent->id) != going.end() ||
            find_use(uses, parent->id) != nullptr || has_children(images, parent->id, going)) {
            break;
        }
        going.push_back(parent->id);
        last = parent;
    }
    return going;
}

}  // namespace

Result<RemovePlan> plan_remove(store::Images const& images, std::vector<ImageUse> const& uses,
                               std::string_view typed, RemoveOptions const& options) {
    store::Image const& image = *OBLEA_TRY(images.resolve(typed));
    RemovePlan plan;
    auto const name = typed_name(image, typed);
    if (name.has_value()) {
        plan.untag = names_going_with(image, *name);
        plan.digests = digests_going_with(image, plan.untag);
        if (plan.untag.size() < image.names.size()) {
            return plan;
        }
    } else {
        std::set<std::string> repositories;
        std::ranges::transform(image.names, std::inserter(repositories, repositories.end()),
                               repository_of);
        if (repositories.size() > 1 && options.force == Force::no) {
            return conflict(fmt::format("delete {}", typed),
                            "(must be forced) - image is referenced in multiple repositories");
        }
        plan.untag = image.names;
        plan.digests = digests_going_with(image, plan.untag);
    }

    if (ImageUse const* const use = find_use(uses, image.id)) {
        bool const running_by_id = !name.has_value() && use->state == ImageUse::State::running;
        if (options.force == Force::no || running_by_id) {
            return in_use(typed, name, *use);
        }
        return plan;  // the image stays, without a name, until its user is gone
    }
    if (has_children(images, image.id)) {
        if (!name.has_value()) {
            return conflict(fmt::format("delete {}", typed),
                            "(cannot be forced) - image has dependent child images");
        }
        return plan;
    }
    plan.remove = removal_of(images, uses, image, options.parents);
    return plan;
}

RemovePlan plan_prune(store::Images const& images, std::vector<ImageUse> const& uses,
                      store::Image const& image) {
    RemovePlan plan;
    if (find_use(uses, image.id) == nullptr && !has_children(images, image.id)) {
        plan.untag = image.names;
        plan.digests = digests_going_with(image, plan.untag);
        plan.remove = removal_of(images, uses, image, Parents::remove);
    }
    return plan;
}

void apply_removal(store::Images& images, RemovePlan const& plan) {
    for (auto const& name : plan.untag) {
        static_cast<void>(images.untag(name));
    }
    for (auto const& id : plan.remove) {
        static_cast<void>(images.remove(id));
    }
}

std::vector<std::string> describe_removal(RemovePlan const& plan) {
    std::vector<std::string> lines;
    lines.reserve(plan.untag.size() + plan.digests.size() + plan.remove.size());
    for (auto const* names : {&plan.untag, &plan.digests}) {
        for (auto const& name : *names) {
            lines.push_back("Untagged: " + familiar(name));
        }
    }
    for (auto const& id : plan.remove) {
        lines.push_back("Deleted: " + id.to_string());
    }
    return lines;
}

}  // namespace oblea::tools
