// SPDX-License-Identifier: MIT
// What templates work on: values as JSON has them, and records whose fields are made when they are
// asked for.
//
// Values are immutable and cheap to copy. Lists, maps and records are shared.
#pragma once
#include "store/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace oblea::tools::templates {

class Value;
struct Map;
struct Record;
using List = std::vector<Value>;

class Value {
public:
    using Data = std::variant<std::monostate, bool, std::int64_t, double, std::string,
                              std::shared_ptr<List const>, std::shared_ptr<Map const>,
                              std::shared_ptr<Record const>>;

    Value() = default;  // no value: Go's nil, and what a map does not have
    Value(bool value) : data_(value) {}
    Value(int value) : data_(std::int64_t{value}) {}
    Value(std::int64_t value) : data_(value) {}
    Value(double value) : data_(value) {}
    Value(char const* value) : data_(std::string{value}) {}
    Value(std::string value) : data_(std::move(value)) {}
    Value(List value);
    Value(Map value);
    Value(Record value);

    [[nodiscard]] bool has_value() const { return !std::holds_alternative<std::monostate>(data_); }
    // The alternative, or null.
    template <typename T>
    [[nodiscard]] T const* get() const {
        return std::get_if<T>(&data_);
    }
    [[nodiscard]] List const* list() const;
    [[nodiscard]] Map const* map() const;
    [[nodiscard]] Record const* record() const;

    [[nodiscard]] bool is_true() const;  // as {{if}} sees it: neither zero nor empty

    // As Go calls it: "string", "int", "map[string]interface {}", ...
    [[nodiscard]] std::string type_name() const;

private:
    Data data_;
};

struct Map {
    using Entry = std::pair<std::string, Value>;
    std::vector<Entry> entries;  // in the order in which JSON shows them; keys are unique
    // A map of strings gives "" for `index` of a key that it does not have, any other map gives no
    // value.
    enum class Elements { any, text } elements = Elements::any;

    [[nodiscard]] Value const* find(std::string_view key) const;
    [[nodiscard]] std::vector<Entry const*> sorted() const;  // as Go prints and ranges
};

// An object with a fixed set of fields. Asking for a field may cost, so it is made then.
struct Record {
    using Make = std::function<Result<Value>()>;
    std::string type;                         // in messages: "*formatter.imageContext"
    std::map<std::string, Make> fields = {};  // those that `json` shows
    // Called with one string: {{.Label "key"}}.
    std::map<std::string, std::function<Result<Value>(std::string const&)>> methods = {};

    // What a field is that is none of these.
    enum class Unknown { error, no_value } unknown = Unknown::error;

    void set(std::string const& name, Value value);  // a field that is known already
};

// Of a document; objects keep their order. An object with nothing but strings counts as a map of
// strings.
Value from_json(nlohmann::ordered_json const& document);

// On one line, as the function `json` prints it. Errors: those of a record's fields.
Result<std::string> to_json(Value const& value);

}  // namespace oblea::tools::templates
