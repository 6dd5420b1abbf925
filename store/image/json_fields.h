// SPDX-License-Identifier: MIT
// Fields of JSON documents from outside, taken out with their types checked.
//
// Every function names `what` (the document, for people) and the field in its error, whose code is
// EINVAL. A field that is null counts as absent, as the image specifications have it.
#pragma once
#include "store/index/types.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::store::json_fields {

// Errors: EINVAL for text that is no JSON object; E2BIG past `limit_bytes`.
Result<nlohmann::json> parse_object(std::string_view text, std::string_view what,
                                    std::size_t limit_bytes);

// Null when the field is absent.
Result<nlohmann::json const*> array_if(nlohmann::json const& object, char const* key,
                                       std::string_view what);
Result<nlohmann::json const*> object_if(nlohmann::json const& object, char const* key,
                                        std::string_view what);
Result<std::optional<std::string>> text_if(nlohmann::json const& object, char const* key,
                                           std::string_view what);
Result<std::optional<std::uint64_t>> number_if(nlohmann::json const& object, char const* key,
                                               std::string_view what);
Result<std::optional<Digest>> digest_if(nlohmann::json const& object, char const* key,
                                        std::string_view what);
// The texts of a list; none when the field is absent.
Result<std::vector<std::string>> texts_if(nlohmann::json const& object, char const* key,
                                          std::string_view what);
Result<bool> flag(nlohmann::json const& object, char const* key, std::string_view what);

// The same where the field must be there.
Result<nlohmann::json const*> array(nlohmann::json const& object, char const* key,
                                    std::string_view what);
Result<std::vector<std::string>> texts(nlohmann::json const& object, char const* key,
                                       std::string_view what);
Result<std::string> text(nlohmann::json const& object, char const* key, std::string_view what);
Result<std::uint64_t> number(nlohmann::json const& object, char const* key, std::string_view what);
Result<Digest> digest(nlohmann::json const& object, char const* key, std::string_view what);

// "mediaType", "digest" and "size", as manifests have them.
nlohmann::json descriptor(std::string_view media_type, Digest const& digest, std::uint64_t bytes);

// The document on one or more lines; bytes that are no UTF-8 (a path in `origin`, say) are
// replaced.
enum class Layout { compact, indented };
std::string encode(nlohmann::json const& document, Layout layout);

std::unexpected<Error> invalid(std::string_view what, std::string_view fault);

}  // namespace oblea::store::json_fields
