// SPDX-License-Identifier: MIT
#include "store/layer/layer_limits.h"

#include <algorithm>
#include <charconv>

namespace oblea::store {

namespace {

LayerLimitField const* find_field(std::string_view name) {
    auto const* const at =
        std::ranges::find(kLayerLimitFields, name, [](LayerLimitField const& field) {
            return std::string_view{field.name};
        });
    return at == kLayerLimitFields.end() ? nullptr : at;
}

}  // namespace

Result<LayerLimits> parse_layer_limits(std::vector<std::string> const& words) {
    LayerLimits limits;
    for (std::string const& word : words) {
        auto const equals = std::min(word.find('='), word.size());
        LayerLimitField const* const field = find_field(std::string_view{word}.substr(0, equals));
        if (field == nullptr) {
            return fail(Errno::einval, "", "no limit '" + word.substr(0, equals) + "'");
        }
        char const* const end = word.data() + word.size();
        char const* const begin = word.data() + std::min(equals + 1, word.size());
        auto const parsed = std::from_chars(begin, end, limits.*field->value);
        if (parsed.ec != std::errc{} || parsed.ptr != end) {
            return fail(Errno::einval, "",
                        "the limit " + std::string{field->name} + " is a number: " + word);
        }
    }
    return limits;
}

Status expect_within(LayerLimits const& limits, std::string_view name, std::uint64_t value) {
    LayerLimitField const& field = *find_field(name);
    if (value <= limits.*field.value) {
        return {};
    }
    return fail(Errno::e2big, "",
                "past the limit " + std::string{name} + " = " +
                    std::to_string(limits.*field.value) + " (--layer-limit " + std::string{name} +
                    "=NUMBER sets another)");
}

}  // namespace oblea::store
