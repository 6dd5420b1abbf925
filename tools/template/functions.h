// SPDX-License-Identifier: MIT
// The functions that templates may call: Go's own and docker's.
//
// Pure. Spec: Go's text/template "Functions"; docker's "Format command and log output".
#pragma once
#include "tools/template/value.h"

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace oblea::tools::templates {

struct Function {
    enum class Parameter { any, text, integer, texts };
    std::vector<Parameter> parameters;
    enum class Rest { refused, taken } rest = Rest::refused;  // further arguments of any kind
    // Errors: the message alone; the caller adds the function's name.
    std::function<Result<Value>(std::span<Value const>)> run;
};

using Functions = std::map<std::string, Function, std::less<>>;

// Go's builtin functions but `and` and `or`, which the executor knows, and docker's.
Functions const& standard_functions();

// For the heading of a table, which is made by running the template over the columns' titles:
// docker's functions give their first argument back there.
Functions const& header_functions();

// Whether a template may name `name` as a function.
bool is_function(Functions const& functions, std::string_view name);

}  // namespace oblea::tools::templates
