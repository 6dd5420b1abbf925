// SPDX-License-Identifier: MIT
#include "tools/images/fault_lines.h"

#include "store/image/reference.h"
#include "tools/mount/identifiers.h"
#include "tools/output/plain_text.h"

#include <fmt/format.h>

#include <algorithm>
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

std::string name_of(std::string const& id, std::vector<Container> const& containers) {
    auto const known = std::ranges::find(containers, id, &Container::id);
    return known == containers.end() ? id.substr(0, kShortIdLength) : known->name;
}

std::string counted(std::size_t count, char const* what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

std::string fault_line(store::Fault const& fault, store::Images const& images,
                       std::vector<Container> const& containers) {
    std::vector<std::string> who;
    for (store::Digest const& id : fault.images) {
        who.push_back(name_of(id, images));
    }
    for (std::string const& id : fault.containers) {
        who.push_back("container " + name_of(id, containers));
    }
    // Messages of lower parts begin with the path themselves.
    std::string_view what = fault.what;
    if (what.starts_with(fault.path + ": ")) {
        what.remove_prefix(fault.path.size() + 2);
    }
    return one_line(
        who.empty() ? fmt::format("{}: {}; no image needs it", fault.path, what)
                    : fmt::format("{}: {}; needed by {}", fault.path, what, fmt::join(who, ", ")));
}

std::string count_faults(std::vector<store::Fault> const& faults) {
    std::unordered_set<store::Digest> images;
    std::unordered_set<std::string> containers;
    for (store::Fault const& fault : faults) {
        images.insert(fault.images.begin(), fault.images.end());
        containers.insert(fault.containers.begin(), fault.containers.end());
    }
    std::string hurt = counted(images.size(), "image");
    if (!containers.empty()) {
        std::string const also = counted(containers.size(), "container");
        hurt = images.empty() ? also : hurt + " and " + also;
    }
    return fmt::format("{}, {} affected", counted(faults.size(), "fault"), hurt);
}

}  // namespace oblea::tools
