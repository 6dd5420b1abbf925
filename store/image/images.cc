// SPDX-License-Identifier: MIT
#include "store/image/images.h"

#include "store/image/reference.h"

#include <algorithm>

namespace oblea::store {

namespace {

constexpr std::string_view kAlgorithm = "sha256:";
constexpr std::size_t kCandidatesShown = 5;

bool is_hex_prefix(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
}

void drop_name(Image& image, std::string_view name) {
    std::erase_if(image.names, [&](std::string const& other) { return other == name; });
}

void add_name(Image& image, std::string const& name) {
    if (std::ranges::find(image.names, name) == image.names.end()) {
        image.names.push_back(name);
    }
}

bool in_repository(Image const& image, std::string const& repository) {
    return std::ranges::any_of(image.names, [&](std::string const& name) {
        return name.starts_with(repository) && name.size() > repository.size() &&
               (name[repository.size()] == ':' || name[repository.size()] == '@');
    });
}

}  // namespace

void Images::put(Image image) {
    auto const names = std::exchange(image.names, {});
    auto const same = std::ranges::find(images_, image.id, &Image::id);
    Digest const id = image.id;
    if (same == images_.end()) {
        images_.push_back(std::move(image));
    } else {
        if (image.manifest.has_value()) {
            // The manifest and the blobs that it names belong together.
            same->manifest = image.manifest;
            same->layers = std::move(image.layers);
        }
        if (!image.origin.empty()) {
            same->origin = std::move(image.origin);
        }
        if (image.parent.has_value()) {
            same->parent = image.parent;
        }
    }
    for (auto const& name : names) {
        static_cast<void>(tag(id, name));  // the image is there
    }
}

void Images::add_shared(Images const& shared, std::string const& store) {
    for (Image image : shared.all()) {
        std::erase_if(image.names,
                      [&](std::string const& name) { return find_name(name) != nullptr; });
        auto const same = std::ranges::find(images_, image.id, &Image::id);
        if (same != images_.end()) {
            same->names.insert(same->names.end(), image.names.begin(), image.names.end());
            continue;
        }
        image.store = store;
        images_.push_back(std::move(image));
    }
}

Status Images::tag(Digest const& id, std::string const& name) {
    auto const image = std::ranges::find(images_, id, &Image::id);
    if (image == images_.end()) {
        return fail(Errno::enoent, "", "No such image: " + id.to_string());
    }
    for (Image& other : images_) {
        if (other.id != id) {
            drop_name(other, name);
        }
    }
    add_name(*image, name);
    return {};
}

bool Images::untag(std::string const& name) {
    for (Image& image : images_) {
        auto const before = image.names.size();
        drop_name(image, name);
        if (image.names.size() != before) {
            return true;
        }
    }
    return false;
}

bool Images::remove(Digest const& id) {
    return std::erase_if(images_, [&](Image const& image) { return image.id == id; }) != 0;
}

Image const* Images::find(Digest const& id) const {
    auto const at = std::ranges::find(images_, id, &Image::id);
    return at == images_.end() ? nullptr : &*at;
}

Image const* Images::find_name(std::string_view canonical_name) const {
    auto const at = std::ranges::find_if(images_, [&](Image const& image) {
        return std::ranges::find(image.names, canonical_name) != image.names.end();
    });
    return at == images_.end() ? nullptr : &*at;
}

Image const* Images::find_reference(Reference const& reference) const {
    if (Image const* const exact = find_name(reference.with_default_tag().canonical())) {
        return exact;
    }
    if (!reference.digest.has_value()) {
        return nullptr;
    }
    // The digest decides; the tag beside it is for people only.
    std::string const repository = reference.repository();
    if (Image const* const pulled = find_name(repository + '@' + reference.digest->to_string())) {
        return pulled;
    }
    auto const at = std::ranges::find_if(images_, [&](Image const& image) {
        return image.manifest == reference.digest && in_repository(image, repository);
    });
    return at == images_.end() ? nullptr : &*at;
}

Result<Image const*> Images::resolve_id_prefix(std::string_view prefix) const {
    std::vector<Image const*> candidates;
    for (Image const& image : images_) {
        if (image.id.hex().starts_with(prefix)) {
            candidates.push_back(&image);
        }
    }
    if (candidates.size() <= 1) {
        return candidates.empty() ? nullptr : candidates.front();
    }
    std::string list;
    for (std::size_t i = 0; i < std::min(candidates.size(), kCandidatesShown); ++i) {
        list += (i == 0 ? "" : ", ") + candidates[i]->id.hex().substr(0, prefix.size() + 8);
    }
    list += candidates.size() > kCandidatesShown ? ", ..." : "";
    return fail(Errno::einval, "",
                "ambiguous image id " + std::string{prefix} + ": it begins " +
                    std::to_string(candidates.size()) + " ids (" + list +
                    "); give more digits or a name");
}

Result<Image const*> Images::resolve(std::string_view typed) const {
    auto const reference = Reference::parse(typed);
    if (reference.has_value()) {
        if (Image const* const named = find_reference(*reference)) {
            return named;
        }
    }
    std::string_view const prefix =
        typed.starts_with(kAlgorithm) ? typed.substr(kAlgorithm.size()) : typed;
    bool const is_id = is_hex_prefix(prefix);
    if (is_id) {
        if (Image const* const image = OBLEA_TRY(resolve_id_prefix(prefix))) {
            return image;
        }
    }
    if (reference.has_value()) {
        return fail(Errno::enoent, "",
                    "No such image: " + reference->with_default_tag().familiar());
    }
    if (is_id) {
        return fail(Errno::enoent, "", "No such image: " + std::string{typed});
    }
    return std::unexpected<Error>(with_context(reference.error(), '"' + std::string{typed} + '"'));
}

}  // namespace oblea::store
