// SPDX-License-Identifier: MIT
#include "store/image/reference.h"
#include "tools/mount/served_image.h"

#include <fmt/core.h>

#include <algorithm>

namespace oblea::tools {
namespace {

// The name that was typed, if it is one of the image's; else its first; for people.
std::string name_for(store::Image const& image, std::string const& typed) {
    auto const reference = store::Reference::parse(typed);
    if (reference.has_value()) {
        store::Reference const full = reference->with_default_tag();
        if (std::ranges::find(image.names, full.canonical()) != image.names.end()) {
            return full.familiar();
        }
    }
    if (image.names.empty()) {
        return {};
    }
    auto const first = store::Reference::parse(image.names.front());
    return first.has_value() ? first->familiar() : image.names.front();
}

Error other_image(Container const& container, std::string const& typed) {
    return {Errno::eexist, "",
            fmt::format("container {} was made from {}, not from {}; leave the image out to use "
                        "it, or choose another name",
                        container.name,
                        container.image_name.empty() ? container.image.to_string()
                                                     : container.image_name,
                        typed)};
}

}  // namespace

Result<ResolvedSource> resolve_source(store::Store const& store, MountSource const& source) {
    ResolvedSource resolved;
    if (!source.container.empty()) {
        resolved.container = OBLEA_TRY(find_container(store, source.container));
    }
    store::Images const images = OBLEA_TRY(store.images());
    if (!source.image.empty()) {
        store::Image const& image = *OBLEA_TRY(images.resolve(source.image));
        if (resolved.container && resolved.container->image != image.id) {
            return std::unexpected<Error>(other_image(*resolved.container, source.image));
        }
        resolved.known = image;
        resolved.image_name = name_for(image, source.image);
    }
    if (resolved.container) {
        resolved.image = resolved.container->image;
        resolved.image_name = resolved.container->image_name;
        resolved.layers = resolved.container->layers;
        if (store::Image const* image = images.find(resolved.image)) {
            resolved.known = *image;
        }
        return resolved;
    }
    if (!resolved.known) {
        return fail(Errno::enoent, "",
                    source.container.empty() ? "neither image nor container was named"
                                             : "No such container: " + source.container);
    }
    resolved.image = resolved.known->id;
    for (store::ImageLayer const& layer : resolved.known->layers) {
        resolved.layers.push_back(layer.diff_id);
    }
    return resolved;
}

}  // namespace oblea::tools
