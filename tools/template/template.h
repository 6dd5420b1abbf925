// SPDX-License-Identifier: MIT
// Go templates, as docker's --format takes them.
//
// Immutable once parsed. A template that never ends, or prints without end, is stopped.
// Spec: Go's text/template; the messages are Go's too.
#pragma once
#include "tools/template/functions.h"
#include "tools/template/node.h"

#include <string>
#include <string_view>

namespace oblea::tools::templates {

class Template {
public:
    // Errors: EINVAL with Go's message ("template: :1: unclosed action").
    static Result<Template> parse(std::string_view text,
                                  Functions const& functions = standard_functions());

    // What a field of a map is that the map does not have.
    enum class MissingKey { no_value, error };

    // Errors: EINVAL with Go's message ("template: :1:2: executing \"\" at <.Foo>: ..."); those of
    // a record's fields.
    [[nodiscard]] Result<std::string> execute(Value const& data,
                                              MissingKey missing = MissingKey::no_value) const;

private:
    Template(Tree tree, Functions const& functions)
        : tree_(std::move(tree)), functions_(&functions) {}

    Tree tree_;
    Functions const* functions_;
};

}  // namespace oblea::tools::templates
