// SPDX-License-Identifier: MIT
#include "store/base/json_instances.h"

template class nlohmann::basic_json<>;

namespace nlohmann::detail {

template class serializer<json>;
template class lexer<json, iterator_input_adapter<char const*>>;
template class parser<json, iterator_input_adapter<char const*>>;
template class lexer<json, iterator_input_adapter<std::string::const_iterator>>;
template class parser<json, iterator_input_adapter<std::string::const_iterator>>;

}  // namespace nlohmann::detail
