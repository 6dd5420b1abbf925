// SPDX-License-Identifier: MIT
#include "tools/images/fault_lines.h"

#include "store/image/reference.h"
#include "tools/output/plain_text.h"

#include <fmt/format.h>

#include <unordered_set>

namespace oblea::tools {
namespace {

std::string name_of(store::Digest const& id, store::Images const& images) {
    store::Image const* const image = images.find(id);
    if (image == nullptr || image->names.empty()) {
        return id.short_hex();
    }
    auto const reference = store::Reference::parse(image->names.front());
    return reference.has_value() ? reference->familiar() : image->names.front();
}

}  // namespace

std::string fault_line(store::Fault const& fault, store::Images const& images) {
    std::string who;
    for (store::Digest const& id : fault.images) {
        who += (who.empty() ? "" : ", ") + name_of(id, images);
    }
    // Messages of lower parts begin with the path themselves.
    std::string_view what = fault.what;
    if (what.starts_with(fault.path + ": ")) {
        what.remove_prefix(fault.path.size() + 2);
    }
    return one_line(fmt::format("{}: {}{}{}", fault.path, what,
                                who.empty() ? "; no image needs it" : "; needed by ", who));
}

std::size_t count_hurt_images(std::vector<store::Fault> const& faults) {
    std::unordered_set<store::Digest> images;
    for (store::Fault const& fault : faults) {
        images.insert(fault.images.begin(), fault.images.end());
    }
    return images.size();
}

}  // namespace oblea::tools
