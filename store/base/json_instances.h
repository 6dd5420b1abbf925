// SPDX-License-Identifier: MIT
// nlohmann's classes, compiled once (json_instances.cc) for all sources that include this before.
//
// Only builds that precompile common headers do (OBLEA_PRECOMPILE): a source that uses JSON then
// takes a third less time.
#pragma once
#include <nlohmann/json.hpp>

#include <string>

extern template class nlohmann::basic_json<>;

namespace nlohmann::detail {

extern template class serializer<json>;
extern template class lexer<json, iterator_input_adapter<char const*>>;
extern template class parser<json, iterator_input_adapter<char const*>>;
extern template class lexer<json, iterator_input_adapter<std::string::const_iterator>>;
extern template class parser<json, iterator_input_adapter<std::string::const_iterator>>;

}  // namespace nlohmann::detail
