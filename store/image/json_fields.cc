// SPDX-License-Identifier: MIT
#include "store/image/json_fields.h"

#include <nlohmann/json.hpp>

namespace oblea::store::json_fields {

using nlohmann::json;

std::unexpected<Error> invalid(std::string_view what, std::string_view fault) {
    return fail(Errno::einval, "", std::string{what} + ": " + std::string{fault});
}

namespace {

std::unexpected<Error> wrong(std::string_view what, char const* key, std::string_view fault) {
    return invalid(what, '"' + std::string{key} + "\" " + std::string{fault});
}

// Null when the field is absent or null.
json const* find(json const& object, char const* key) {
    auto const at = object.find(key);
    return at == object.end() || at->is_null() ? nullptr : &*at;
}

Result<std::vector<std::string>> texts_in(json const* array, char const* key,
                                          std::string_view what) {
    std::vector<std::string> list;
    if (array == nullptr) {
        return list;
    }
    for (json const& item : *array) {
        if (!item.is_string()) {
            return wrong(what, key, "is not a list of texts");
        }
        list.push_back(item.get<std::string>());
    }
    return list;
}

template <typename T>
Result<T> required(Result<std::optional<T>> field, char const* key, std::string_view what) {
    std::optional<T> value = OBLEA_TRY(std::move(field));
    if (!value.has_value()) {
        return wrong(what, key, "is missing");
    }
    return *std::move(value);
}

}  // namespace

Result<json> parse_object(std::string_view text, std::string_view what, std::size_t limit_bytes) {
    if (text.size() > limit_bytes) {
        return fail(Errno::e2big, "",
                    std::string{what} + ": " + std::to_string(text.size()) +
                        " bytes are more than the " + std::to_string(limit_bytes) + " allowed");
    }
    json document = json::parse(text, nullptr, false);
    if (document.is_discarded()) {
        return invalid(what, "not valid JSON");
    }
    if (!document.is_object()) {
        return invalid(what, "not a JSON object");
    }
    return document;
}

Result<json const*> array_if(json const& object, char const* key, std::string_view what) {
    json const* const field = find(object, key);
    if (field != nullptr && !field->is_array()) {
        return wrong(what, key, "is not an array");
    }
    return field;
}

Result<json const*> object_if(json const& object, char const* key, std::string_view what) {
    json const* const field = find(object, key);
    if (field != nullptr && !field->is_object()) {
        return wrong(what, key, "is not an object");
    }
    return field;
}

Result<std::optional<std::string>> text_if(json const& object, char const* key,
                                           std::string_view what) {
    json const* const field = find(object, key);
    if (field == nullptr) {
        return std::optional<std::string>{};
    }
    if (!field->is_string()) {
        return wrong(what, key, "is not a string");
    }
    return std::optional{field->get<std::string>()};
}

Result<std::optional<std::uint64_t>> number_if(json const& object, char const* key,
                                               std::string_view what) {
    json const* const field = find(object, key);
    if (field == nullptr) {
        return std::optional<std::uint64_t>{};
    }
    if (!field->is_number_unsigned()) {
        return wrong(what, key, "is not a number of bytes");
    }
    return std::optional{field->get<std::uint64_t>()};
}

Result<std::optional<Digest>> digest_if(json const& object, char const* key,
                                        std::string_view what) {
    auto const field = OBLEA_TRY(text_if(object, key, what));
    if (!field.has_value()) {
        return std::optional<Digest>{};
    }
    auto digest = Digest::parse(*field);
    if (!digest.has_value()) {
        return wrong(what, key, "is " + digest.error().detail);
    }
    return std::optional{*digest};
}

Result<std::vector<std::string>> texts_if(json const& object, char const* key,
                                          std::string_view what) {
    return texts_in(OBLEA_TRY(array_if(object, key, what)), key, what);
}

Result<bool> flag(json const& object, char const* key, std::string_view what) {
    json const* const field = find(object, key);
    if (field == nullptr) {
        return false;
    }
    if (!field->is_boolean()) {
        return wrong(what, key, "is neither true nor false");
    }
    return field->get<bool>();
}

Result<json const*> array(json const& object, char const* key, std::string_view what) {
    json const* const field = OBLEA_TRY(array_if(object, key, what));
    if (field == nullptr) {
        return wrong(what, key, "is missing");
    }
    return field;
}

Result<std::vector<std::string>> texts(json const& object, char const* key, std::string_view what) {
    return texts_in(OBLEA_TRY(array(object, key, what)), key, what);
}

Result<std::string> text(json const& object, char const* key, std::string_view what) {
    return required(text_if(object, key, what), key, what);
}

Result<std::uint64_t> number(json const& object, char const* key, std::string_view what) {
    return required(number_if(object, key, what), key, what);
}

Result<Digest> digest(json const& object, char const* key, std::string_view what) {
    return required(digest_if(object, key, what), key, what);
}

json descriptor(std::string_view media_type, Digest const& digest, std::uint64_t bytes) {
    return {{"mediaType", media_type}, {"digest", digest.to_string()}, {"size", bytes}};
}

std::string encode(json const& document, Layout layout) {
    return document.dump(layout == Layout::indented ? 1 : -1, ' ', false,
                         json::error_handler_t::replace);
}

}  // namespace oblea::store::json_fields
