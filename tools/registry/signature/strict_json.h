// SPDX-License-Identifier: MIT
// JSON that decides about trust: no name twice in an object, and no field that nobody knows.
#pragma once
#include "store/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace oblea::registry::strict_json {

// `what` names the document in errors. Errors: EINVAL for text that is no JSON object, or has a
// name twice in one.
Result<nlohmann::json> parse(std::string_view text, std::string_view what);

// Errors: EINVAL for another field than these, or one that is missing though it must be there.
struct Fields {
    std::initializer_list<char const*> required;
    std::initializer_list<char const*> optional{};
};
Status expect_fields(nlohmann::json const& object, Fields const& fields, std::string_view what);

}  // namespace oblea::registry::strict_json
