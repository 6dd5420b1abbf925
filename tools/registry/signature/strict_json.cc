// SPDX-License-Identifier: MIT
#include "tools/registry/signature/strict_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <vector>

namespace oblea::registry::strict_json {

using nlohmann::json;

Result<json> parse(std::string_view text, std::string_view what) {
    std::vector<std::set<std::string>> names;  // of the objects around
    bool repeated = false;
    auto const watch = [&](int /*depth*/, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::object_start) {
            names.emplace_back();
        } else if (event == json::parse_event_t::object_end) {
            names.pop_back();
        } else if (event == json::parse_event_t::key) {
            repeated = !names.back().insert(parsed.get<std::string>()).second || repeated;
        }
        return true;
    };
    json document = json::parse(text, watch, false);
    if (!document.is_object()) {
        return fail(Errno::einval, "", std::string{what} + ": no JSON object");
    }
    if (repeated) {
        return fail(Errno::einval, "", std::string{what} + ": a name twice in one object");
    }
    return document;
}

Status expect_fields(json const& object, Fields const& fields, std::string_view what) {
    std::string const where{what};
    if (!object.is_object()) {
        return fail(Errno::einval, "", where + ": no JSON object");
    }
    for (char const* const name : fields.required) {
        if (!object.contains(name)) {
            return fail(Errno::einval, "", where + ": \"" + name + "\" is missing");
        }
    }
    for (auto const& [name, value] : object.items()) {
        auto const is_name = [&name](char const* known) { return name == known; };
        if (std::ranges::none_of(fields.required, is_name) &&
            std::ranges::none_of(fields.optional, is_name)) {
            return fail(Errno::einval, "", where + ": \"" + name + "\" is not known");
        }
    }
    return {};
}

}  // namespace oblea::registry::strict_json
