// SPDX-License-Identifier: MIT
#include "tools/template/node.h"

#include "tools/template/go_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace oblea::tools::templates {

namespace {

std::string dotted(std::vector<std::string> const& names) {
    std::string text;
    for (auto const& name : names) {
        text += '.' + name;
    }
    return text;
}

struct TextOf {
    std::string operator()(Nil) const { return "nil"; }
    std::string operator()(Dot) const { return "."; }
    std::string operator()(Field const& field) const { return dotted(field.names); }
    std::string operator()(Variable const& variable) const {
        return fmt::format("{}", fmt::join(variable.names, "."));
    }
    std::string operator()(Identifier const& identifier) const { return identifier.name; }
    std::string operator()(Literal const& literal) const { return literal.spelled; }
    std::string operator()(Chain const& chain) const {
        return text_of(*chain.of) + dotted(chain.names);
    }
    std::string operator()(Parenthesized const& pipeline) const {
        return '(' + text_of(*pipeline) + ')';
    }
};

}  // namespace

std::string text_of(Operand const& operand) {
    return std::visit(TextOf{}, operand.what);
}

std::string text_of(Command const& command) {
    std::string text;
    for (auto const& word : command.words) {
        text += (text.empty() ? "" : " ") + text_of(word);
    }
    return text;
}

std::string text_of(Pipeline const& pipeline) {
    std::string text = fmt::format("{}", fmt::join(pipeline.variables, ", "));
    if (pipeline.binds != Pipeline::Binds::nothing) {
        text += pipeline.binds == Pipeline::Binds::assigns ? " = " : " := ";
    }
    for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
        text += i == 0 ? "" : " | ";
        text += text_of(pipeline.commands[i]);
    }
    return text;
}

std::string text_of(Call const& call) {
    std::string text = "{{template " + go_quote(call.name);
    if (auto const& argument = call.argument; argument.has_value()) {
        text += ' ' + text_of(*argument);
    }
    return text + "}}";
}

}  // namespace oblea::tools::templates
