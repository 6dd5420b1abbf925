// SPDX-License-Identifier: MIT
#include "tools/images/image_filter.h"

#include "store/image/reference.h"
#include "tools/output/human.h"

#include <algorithm>
#include <limits>

namespace oblea::tools {

namespace {

// When the image was made; what does not say is older than everything.
std::int64_t created(store::Image const& image) {
    return parse_rfc3339(image.created).value_or(std::numeric_limits<std::int64_t>::min());
}

std::optional<std::int64_t> earlier(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    return a.has_value() && b.has_value() ? std::min(a, b) : (a.has_value() ? a : b);
}

}  // namespace

bool is_tagged(store::Image const& image) {
    return std::ranges::any_of(image.names, [](std::string const& name) {
        auto const reference = store::Reference::parse(name);
        return !reference.has_value() || reference->tag.has_value();
    });
}

Result<ImageFilter> ImageFilter::parse(std::vector<std::string> const& words, Of of,
                                       store::Images const& images, std::int64_t now) {
    // In a list, dangling is a choice; prune has a choice of its own for that, and takes docker's
    // filter for it too.
    auto const known = of == Of::list
                           ? std::vector<std::string>{"before",    "dangling", "label", "label!",
                                                      "reference", "since",    "until"}
                           : std::vector<std::string>{"dangling", "label", "label!", "until"};
    auto const filters = OBLEA_TRY(Filters::parse(words, known));
    if (of == Of::prune && filters.of("until").size() > 1) {
        return fail(Errno::einval, "", "more than one until filter specified");
    }
    ImageFilter filter;
    filter.dangling_ = OBLEA_TRY(filters.flag("dangling"));
    filter.before_ = OBLEA_TRY(filters.time("until", now));
    for (auto const& name : filters.of("before")) {
        filter.before_ = earlier(filter.before_, created(*OBLEA_TRY(images.resolve(name))));
    }
    for (auto const& name : filters.of("since")) {
        std::int64_t const time = created(*OBLEA_TRY(images.resolve(name)));
        filter.since_ = std::max(filter.since_.value_or(time), time);
    }
    filter.labels_ = filters.of("label");
    filter.not_labels_ = filters.of("label!");
    filter.references_ = filters.of("reference");
    for (auto const& pattern : filter.references_) {
        OBLEA_TRY(with_context(match_path(pattern, ""),
                               [&] { return "invalid filter 'reference=" + pattern + "'"; }));
    }
    return filter;
}

bool ImageFilter::keeps(store::Image const& image, Labels const& labels) const {
    if (dangling_.has_value() && *dangling_ == is_tagged(image)) {
        return false;
    }
    if ((before_.has_value() && created(image) >= *before_) ||
        (since_.has_value() && created(image) <= *since_)) {
        return false;
    }
    return has_labels(labels, labels_) &&
           std::ranges::none_of(not_labels_, [&](std::string const& label) {
               return has_labels(labels, {&label, 1});
           });
}

}  // namespace oblea::tools
