// SPDX-License-Identifier: MIT
// A parsed template: what the parser makes and the executor walks.
#pragma once
#include "tools/template/value.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace oblea::tools::templates {

struct Operand;
struct Pipeline;
struct Statement;
using Statements = std::vector<Statement>;

struct Nil {};
struct Dot {};
struct Field {
    std::vector<std::string> names;  // .A.B
};
struct Variable {
    std::vector<std::string> names;  // $x.A, the variable with its dollar first
};
struct Identifier {
    std::string name;  // of a function
};
struct Literal {
    Value value;
    std::string spelled;
};
struct Chain {
    std::unique_ptr<Operand> of;  // (pipeline).A.B
    std::vector<std::string> names;
};
using Parenthesized = std::unique_ptr<Pipeline>;

struct Operand {
    std::size_t position = 0;  // bytes from the start of the template, for messages
    std::variant<Nil, Dot, Field, Variable, Identifier, Literal, Chain, Parenthesized> what;
};

struct Command {
    std::vector<Operand> words;  // at least one
};

struct Pipeline {
    std::size_t position = 0;
    enum class Binds { nothing, declares, assigns } binds = Binds::nothing;
    std::vector<std::string> variables;
    std::vector<Command> commands;
};

struct Text {
    std::string text;
};
struct Action {
    Pipeline pipeline;
};
struct Branch {
    enum class Kind { if_, with, range } kind = Kind::if_;
    Pipeline pipeline;
    Statements body;
    Statements otherwise;
};
struct Call {
    std::size_t position = 0;
    std::string name;  // of a template
    std::optional<Pipeline> argument;
};
struct Break {};
struct Continue {};

struct Statement {
    std::variant<Text, Action, Branch, Call, Break, Continue> what;
};

struct Tree {
    std::string text;  // the whole template, for positions in messages
    std::map<std::string, Statements, std::less<>> templates;  // "" is the main one
};

// As a message quotes it.
std::string text_of(Operand const& operand);
std::string text_of(Command const& command);
std::string text_of(Pipeline const& pipeline);
std::string text_of(Call const& call);

}  // namespace oblea::tools::templates
