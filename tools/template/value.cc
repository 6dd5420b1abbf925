// SPDX-License-Identifier: MIT
#include "tools/template/value.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::tools::templates {

using nlohmann::ordered_json;

Value::Value(List value) : data_(std::make_shared<List const>(std::move(value))) {}
Value::Value(Map value) : data_(std::make_shared<Map const>(std::move(value))) {}
Value::Value(Record value) : data_(std::make_shared<Record const>(std::move(value))) {}

List const* Value::list() const {
    auto const* shared = get<std::shared_ptr<List const>>();
    return shared == nullptr ? nullptr : shared->get();
}

Map const* Value::map() const {
    auto const* shared = get<std::shared_ptr<Map const>>();
    return shared == nullptr ? nullptr : shared->get();
}

Record const* Value::record() const {
    auto const* shared = get<std::shared_ptr<Record const>>();
    return shared == nullptr ? nullptr : shared->get();
}

namespace {

struct Truth {
    bool operator()(std::monostate) const { return false; }
    bool operator()(bool value) const { return value; }
    bool operator()(std::int64_t value) const { return value != 0; }
    bool operator()(double value) const { return value != 0; }
    bool operator()(std::string const& value) const { return !value.empty(); }
    bool operator()(std::shared_ptr<List const> const& value) const { return !value->empty(); }
    bool operator()(std::shared_ptr<Map const> const& value) const {
        return !value->entries.empty();
    }
    bool operator()(std::shared_ptr<Record const> const&) const { return true; }
};

struct TypeName {
    std::string operator()(std::monostate) const { return "<nil>"; }
    std::string operator()(bool) const { return "bool"; }
    std::string operator()(std::int64_t) const { return "int"; }
    std::string operator()(double) const { return "float64"; }
    std::string operator()(std::string const&) const { return "string"; }
    std::string operator()(std::shared_ptr<List const> const& value) const {
        bool const texts = !value->empty() && std::ranges::all_of(*value, [](Value const& element) {
            return element.get<std::string>() != nullptr;
        });
        return texts ? "[]string" : "[]interface {}";
    }
    std::string operator()(std::shared_ptr<Map const> const& value) const {
        return value->elements == Map::Elements::text ? "map[string]string"
                                                      : "map[string]interface {}";
    }
    std::string operator()(std::shared_ptr<Record const> const& value) const { return value->type; }
};

Result<ordered_json> document_of(Value const& value);

Result<ordered_json> document_of_record(Record const& record) {
    ordered_json object = ordered_json::object();
    for (auto const& [name, make] : record.fields) {
        Value const field = OBLEA_TRY(make());
        object[name] = OBLEA_TRY(document_of(field));
    }
    return object;
}

Result<ordered_json> document_of(Value const& value) {
    if (auto const* list = value.list()) {
        ordered_json array = ordered_json::array();
        for (auto const& element : *list) {
            array.push_back(OBLEA_TRY(document_of(element)));
        }
        return array;
    }
    if (auto const* map = value.map()) {
        ordered_json object = ordered_json::object();
        for (auto const& [key, entry] : map->entries) {
            object[key] = OBLEA_TRY(document_of(entry));
        }
        return object;
    }
    if (auto const* record = value.record()) {
        return document_of_record(*record);
    }
    if (auto const* text = value.get<std::string>()) {
        return ordered_json(*text);
    }
    if (auto const* truth = value.get<bool>()) {
        return ordered_json(*truth);
    }
    if (auto const* number = value.get<std::int64_t>()) {
        return ordered_json(*number);
    }
    if (auto const* fraction = value.get<double>()) {
        return ordered_json(*fraction);
    }
    return ordered_json(nullptr);
}

Value from_object(ordered_json const& document) {
    Map map;
    bool texts = true;
    for (auto const& item : document.items()) {
        texts = texts && item.value().is_string();
        map.entries.emplace_back(item.key(), from_json(item.value()));
    }
    map.elements = texts ? Map::Elements::text : Map::Elements::any;
    return map;
}

}  // namespace

bool Value::is_true() const {
    return std::visit(Truth{}, data_);
}

std::string Value::type_name() const {
    return std::visit(TypeName{}, data_);
}

void Record::set(std::string const& name, Value value) {
    fields[name] = [value = std::move(value)]() -> Result<Value> { return value; };
}

Value const* Map::find(std::string_view key) const {
    auto const at = std::ranges::find(entries, key, &Entry::first);
    return at == entries.end() ? nullptr : &at->second;
}

std::vector<Map::Entry const*> Map::sorted() const {
    std::vector<Entry const*> order;
    order.reserve(entries.size());
    for (auto const& entry : entries) {
        order.push_back(&entry);
    }
    std::ranges::sort(order, {}, [](Entry const* entry) { return entry->first; });
    return order;
}

Value from_json(ordered_json const& document) {
    switch (document.type()) {
    case ordered_json::value_t::boolean:
        return document.get<bool>();
    case ordered_json::value_t::number_integer:
        return document.get<std::int64_t>();
    case ordered_json::value_t::number_unsigned: {
        auto const number = document.get<std::uint64_t>();
        return std::in_range<std::int64_t>(number) ? Value(static_cast<std::int64_t>(number))
                                                   : Value(static_cast<double>(number));
    }
    case ordered_json::value_t::number_float:
        return document.get<double>();
    case ordered_json::value_t::string:
        return document.get<std::string>();
    case ordered_json::value_t::array: {
        List list;
        for (auto const& element : document) {
            list.push_back(from_json(element));
        }
        return list;
    }
    case ordered_json::value_t::object:
        return from_object(document);
    default:
        return {};
    }
}

Result<std::string> to_json(Value const& value) {
    ordered_json const document = OBLEA_TRY(document_of(value));
    return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace oblea::tools::templates
