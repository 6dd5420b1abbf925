// SPDX-License-Identifier: MIT
#include "tools/template/template.h"

#include "tools/template/go_text.h"
#include "tools/template/parse.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::tools::templates {

namespace {

// Far more than any sensible template takes, and over in seconds.
constexpr std::size_t kStepsMax = 1'000'000;
constexpr std::size_t kOutputBytesMax = 64U << 20U;
constexpr std::size_t kDepthMax = 200;  // templates that call templates

// What is being done, for messages. The text is made when it is needed.
struct Place {
    std::size_t position = 0;
    Operand const* operand = nullptr;
    Command const* command = nullptr;
    Pipeline const* pipeline = nullptr;
    Call const* call = nullptr;

    [[nodiscard]] std::string text() const {
        if (operand != nullptr) {
            return text_of(*operand);
        }
        if (command != nullptr) {
            return text_of(*command);
        }
        return pipeline != nullptr ? text_of(*pipeline) : text_of(*call);
    }
};

enum class Flow { on, next_turn, leave_range };

class Executor {
public:
    Executor(Tree const& tree, Functions const& functions, Template::MissingKey missing)
        : tree_(tree), functions_(functions), missing_(missing) {}

    Result<std::string> run(Value const& data) {
        variables_.emplace_back("$", data);
        OBLEA_TRY(walk(data, tree_.templates.at("")));
        return std::move(output_);
    }

private:
    // --- messages

    void at(Operand const& operand) {
        place_ = {.position = operand.position, .operand = &operand};
    }
    void at(Command const& command) {
        place_ = {.position = command.words.front().position, .command = &command};
    }
    void at(Pipeline const& pipeline) {
        place_ = {.position = pipeline.position, .pipeline = &pipeline};
    }

    [[nodiscard]] std::unexpected<Error> error(std::string const& what) const {
        std::string_view const before = std::string_view{tree_.text}.substr(0, place_.position);
        std::size_t const line_start = before.rfind('\n') + 1;  // 0 when there is none
        return fail(Errno::einval, "",
                    fmt::format("template: :{}:{}: executing {} at <{}>: {}",
                                1 + std::ranges::count(before, '\n'), before.size() - line_start,
                                go_quote(name_), place_.text(), what));
    }

    Status step() {
        if (++steps_ > kStepsMax) {
            return fail(Errno::einval, "", "template: : it takes too many steps");
        }
        return {};
    }

    Status print(std::string_view text) {
        if (text.size() > kOutputBytesMax - output_.size()) {
            return fail(Errno::einval, "", "template: : it prints too much");
        }
        output_ += text;
        return {};
    }

    // --- statements

    Result<Flow> walk(Value const& dot, Statements const& statements) {
        for (Statement const& statement : statements) {
            OBLEA_TRY(step());
            Flow const flow = OBLEA_TRY(
                std::visit([&](auto const& what) { return walk_one(dot, what); }, statement.what));
            if (flow != Flow::on) {
                return flow;
            }
        }
        return Flow::on;
    }

    Result<Flow> walk_one(Value const&, Text const& text) {
        OBLEA_TRY(print(text.text));
        return Flow::on;
    }

    Result<Flow> walk_one(Value const& dot, Action const& action) {
        Value const value = OBLEA_TRY(evaluate(dot, action.pipeline));
        if (action.pipeline.binds == Pipeline::Binds::nothing) {
            std::string const text = value.has_value() ? OBLEA_TRY(show(value)) : "<no value>";
            OBLEA_TRY(print(text));
        }
        return Flow::on;
    }

    Result<Flow> walk_one(Value const&, Break const&) { return Flow::leave_range; }
    Result<Flow> walk_one(Value const&, Continue const&) { return Flow::next_turn; }

    Result<Flow> walk_one(Value const& dot, Branch const& branch) {
        std::size_t const variables = variables_.size();
        auto flow =
            branch.kind == Branch::Kind::range ? walk_range(dot, branch) : walk_choice(dot, branch);
        variables_.resize(variables);
        return flow;
    }

    Result<Flow> walk_choice(Value const& dot, Branch const& branch) {
        Value const value = OBLEA_TRY(evaluate(dot, branch.pipeline));
        if (!value.is_true()) {
            return walk(dot, branch.otherwise);
        }
        return walk(branch.kind == Branch::Kind::with ? value : dot, branch.body);
    }

    // Calls `turn(index, element)` for each element; false when there are none.
    template <typename F>
    Result<bool> each_element(Value const& value, F&& turn) {
        Flow flow = Flow::on;
        if (auto const* list = value.list()) {
            for (std::size_t i = 0; i < list->size() && flow != Flow::leave_range; ++i) {
                flow = OBLEA_TRY(turn(Value(static_cast<std::int64_t>(i)), (*list)[i]));
            }
            return !list->empty();
        }
        if (auto const* map = value.map()) {
            for (auto const* entry : map->sorted()) {
                if (flow != Flow::leave_range) {
                    flow = OBLEA_TRY(turn(Value(entry->first), entry->second));
                }
            }
            return !map->entries.empty();
        }
        if (auto const* count = value.get<std::int64_t>()) {
            for (std::int64_t i = 0; i < *count && flow != Flow::leave_range; ++i) {
                flow = OBLEA_TRY(turn(Value(i), Value(i)));
            }
            return *count > 0;
        }
        if (value.has_value()) {
            return error("range can't iterate over " + OBLEA_TRY(show(value)));
        }
        return false;
    }

    Result<Flow> walk_range(Value const& dot, Branch const& branch) {
        Pipeline const& pipeline = branch.pipeline;
        Value const value = OBLEA_TRY(evaluate(dot, pipeline));
        std::size_t const mark = variables_.size();
        auto turn = [&](Value const& index, Value const& element) -> Result<Flow> {
            OBLEA_TRY(step());
            OBLEA_TRY(bind_turn(pipeline, index, element));
            auto flow = walk(element, branch.body);
            variables_.resize(mark);
            return flow;
        };
        bool const any = OBLEA_TRY(each_element(value, turn));
        return any ? Flow::on : walk(dot, branch.otherwise);
    }

    // "$x" is the element; "$i, $x" are index and element.
    Status bind_turn(Pipeline const& pipeline, Value const& index, Value const& element) {
        auto const& names = pipeline.variables;
        if (names.empty()) {
            return {};
        }
        if (pipeline.binds == Pipeline::Binds::assigns) {
            OBLEA_TRY(assign(names.front(), names.size() == 1 ? element : index));
            if (names.size() == 2) {
                OBLEA_TRY(assign(names.back(), element));
            }
            return {};
        }
        // evaluate() pushed them, in their order, before the first turn.
        variables_[variables_.size() - names.size()].second = names.size() == 1 ? element : index;
        if (names.size() == 2) {
            variables_.back().second = element;
        }
        return {};
    }

    Result<Flow> walk_one(Value const& dot, Call const& call) {
        place_ = {.position = call.position, .call = &call};
        auto const found = tree_.templates.find(call.name);
        if (found == tree_.templates.end()) {
            return error(fmt::format("template {} not defined", go_quote(call.name)));
        }
        if (++depth_ > kDepthMax) {
            return error(fmt::format("exceeded maximum template depth ({})", kDepthMax));
        }
        Value argument;
        if (auto const& pipeline = call.argument; pipeline.has_value()) {
            argument = OBLEA_TRY(evaluate(dot, *pipeline));
        }
        auto const outer = std::exchange(variables_, {{"$", argument}});
        auto const outer_name = std::exchange(name_, call.name);
        OBLEA_TRY(walk(argument, found->second));
        variables_ = outer;
        name_ = outer_name;
        --depth_;
        return Flow::on;
    }

    Status assign(std::string const& name, Value const& value) {
        auto* const variable = find_variable(name);
        if (variable == nullptr) {
            return error("undefined variable: " + name);
        }
        *variable = value;
        return {};
    }

    // The innermost of this name, or null.
    Value* find_variable(std::string const& name) {
        auto const found =
            std::find_if(variables_.rbegin(), variables_.rend(),
                         [&](auto const& variable) { return variable.first == name; });
        return found == variables_.rend() ? nullptr : &found->second;
    }

    // --- pipelines

    // The value that a pipeline hands on; none for its first command.
    using Final = std::optional<Value>;

    Result<Value> evaluate(Value const& dot, Pipeline const& pipeline) {
        at(pipeline);
        Final value;
        for (Command const& command : pipeline.commands) {
            OBLEA_TRY(step());
            value = OBLEA_TRY(evaluate_command(dot, command, value));
        }
        Value const result = value.value_or(Value());
        for (std::string const& name : pipeline.variables) {
            if (pipeline.binds == Pipeline::Binds::assigns) {
                OBLEA_TRY(assign(name, result));
            } else {
                variables_.emplace_back(name, result);
            }
        }
        return result;
    }

    using Words = std::span<Operand const>;

    Result<Value> evaluate_command(Value const& dot, Command const& command, Final const& final) {
        Words const words{command.words};
        Operand const& first = words.front();
        if (std::holds_alternative<Parenthesized>(first.what)) {
            OBLEA_TRY(expect_no_arguments(words, final));
        }
        if (std::holds_alternative<Literal>(first.what) ||
            std::holds_alternative<Dot>(first.what) || std::holds_alternative<Nil>(first.what)) {
            at(first);
            OBLEA_TRY(expect_no_arguments(words, final));
            if (std::holds_alternative<Nil>(first.what)) {
                return error("nil is not a command");
            }
        }
        if (auto const* identifier = std::get_if<Identifier>(&first.what)) {
            at(first);
            return call(dot, identifier->name, words.subspan(1), final, [&] { at(command); });
        }
        return evaluate_operand(dot, first, words, final);
    }

    Status expect_no_arguments(Words words, Final const& final) {
        if (words.size() > 1 || final.has_value()) {
            auto const* pipeline = std::get_if<Parenthesized>(&words.front().what);
            return error("can't give argument to non-function " +
                         (pipeline == nullptr ? text_of(words.front()) : text_of(**pipeline)));
        }
        return {};
    }

    // `words` are the operand itself and its arguments.
    Result<Value> evaluate_operand(Value const& dot, Operand const& operand, Words words,
                                   Final const& final) {
        OBLEA_TRY(step());
        if (auto const* pipeline = std::get_if<Parenthesized>(&operand.what)) {
            return evaluate(dot, **pipeline);
        }
        at(operand);
        if (std::holds_alternative<Dot>(operand.what)) {
            return dot;
        }
        if (auto const* literal = std::get_if<Literal>(&operand.what)) {
            return literal->value;
        }
        if (auto const* field = std::get_if<Field>(&operand.what)) {
            return follow(dot, field->names, words, final);
        }
        if (auto const* variable = std::get_if<Variable>(&operand.what)) {
            Value const value = OBLEA_TRY(value_of(variable->names.front()));
            std::span<std::string const> const names{variable->names};
            if (names.size() == 1) {
                OBLEA_TRY(expect_no_arguments(words, final));
                return value;
            }
            return follow(value, names.subspan(1), words, final);
        }
        if (auto const* chain = std::get_if<Chain>(&operand.what)) {
            Value const value = OBLEA_TRY(argument_value(dot, *chain->of));
            return follow(value, chain->names, words, final);
        }
        if (auto const* identifier = std::get_if<Identifier>(&operand.what)) {
            return call(dot, identifier->name, words.subspan(1), final, [&] { at(operand); });
        }
        return Value();  // nil, as an argument
    }

    Result<Value> argument_value(Value const& dot, Operand const& operand) {
        return evaluate_operand(dot, operand, Words{&operand, 1}, std::nullopt);
    }

    Result<Value> value_of(std::string const& name) {
        Value const* const variable = find_variable(name);
        if (variable == nullptr) {
            return error("undefined variable: " + name);
        }
        return *variable;
    }

    // --- fields

    Result<Value> follow(Value value, std::span<std::string const> names, Words words,
                         Final const& final) {
        Words const none = words.first(1);
        bool declared = true;  // whether Go would know the type of the value
        for (std::size_t i = 0; i < names.size(); ++i) {
            bool const last = i + 1 == names.size();
            auto const* map = value.map();
            bool const of_any = map != nullptr && map->elements == Map::Elements::any;
            value = OBLEA_TRY(
                field_of(value, names[i], last ? words : none, last ? final : Final{}, declared));
            declared = !of_any;
        }
        return value;
    }

    Result<Value> field_of(Value const& value, std::string const& name, Words words,
                           Final const& final, bool declared) {
        bool const has_arguments = words.size() > 1 || final.has_value();
        if (!value.has_value()) {
            if (missing_ == Template::MissingKey::error) {
                return error("nil data; no entry for key " + go_quote(name));
            }
            return Value();
        }
        if (auto const* record = value.record()) {
            return record_field(*record, name, words, final);
        }
        if (auto const* map = value.map()) {
            if (has_arguments) {
                return error(name + " is not a method but has arguments");
            }
            if (Value const* found = map->find(name)) {
                return *found;
            }
            if (missing_ == Template::MissingKey::error) {
                return error("map has no entry for key " + go_quote(name));
            }
            return Value();
        }
        return error(fmt::format("can't evaluate field {} in type {}", name,
                                 declared ? value.type_name() : "interface {}"));
    }

    Result<Value> record_field(Record const& record, std::string const& name, Words words,
                               Final const& final) {
        bool const has_arguments = words.size() > 1 || final.has_value();
        if (auto const field = record.fields.find(name); field != record.fields.end()) {
            if (has_arguments) {
                return error(fmt::format("wrong number of args for {}: want 0 got {}", name,
                                         words.size() - 1 + (final.has_value() ? 1 : 0)));
            }
            return field->second();
        }
        auto const method = record.methods.find(name);
        if (method == record.methods.end() && record.unknown == Record::Unknown::no_value) {
            return Value();
        }
        if (method == record.methods.end()) {
            return error(fmt::format("can't evaluate field {} in type {}", name, record.type));
        }
        std::size_t const given = words.size() - 1 + (final.has_value() ? 1 : 0);
        if (given != 1) {
            return error(fmt::format("wrong number of args for {}: want 1 got {}", name, given));
        }
        Value const argument =
            final.has_value() ? *final : OBLEA_TRY(argument_value(Value(record), words[1]));
        OBLEA_TRY(expect_type(argument, Function::Parameter::text,
                              final.has_value() ? nullptr : &words[1]));
        return method->second(*argument.get<std::string>());
    }

    // --- functions

    // Errors as Go tells constants of a wrong kind from values of one.
    Status expect_type(Value const& value, Function::Parameter parameter, Operand const* spelled) {
        char const* wanted = nullptr;
        bool fits = true;
        switch (parameter) {
        case Function::Parameter::any:
            return {};
        case Function::Parameter::text:
            wanted = "string";
            fits = value.get<std::string>() != nullptr;
            break;
        case Function::Parameter::integer:
            wanted = spelled != nullptr && std::holds_alternative<Literal>(spelled->what)
                         ? "integer"
                         : "int";
            fits = value.get<std::int64_t>() != nullptr;
            break;
        case Function::Parameter::texts:
            wanted = "[]string";
            fits = value.list() != nullptr || !value.has_value();
            break;
        }
        if (fits) {
            return {};
        }
        if (spelled != nullptr && std::holds_alternative<Nil>(spelled->what)) {
            return error(fmt::format("cannot assign nil to {}", wanted));
        }
        if (spelled != nullptr && std::holds_alternative<Literal>(spelled->what)) {
            if (parameter == Function::Parameter::texts) {
                return error(
                    fmt::format("can't handle {} for arg of type {}", text_of(*spelled), wanted));
            }
            return error(fmt::format("expected {}; found {}", wanted, text_of(*spelled)));
        }
        if (!value.has_value()) {
            return error(fmt::format("invalid value; expected {}", wanted));
        }
        return error(
            fmt::format("wrong type for value; expected {}; got {}", wanted, value.type_name()));
    }

    // `blame` says where an error of the function itself is.
    template <typename F>
    Result<Value> call(Value const& dot, std::string const& name, Words arguments,
                       Final const& final, F&& blame) {
        std::size_t const given = arguments.size() + (final.has_value() ? 1 : 0);
        if (name == "and" || name == "or") {
            if (given == 0) {
                return error(
                    fmt::format("wrong number of args for {}: want at least 1 got 0", name));
            }
            return call_logic(dot, name == "or", arguments, final);
        }
        Function const& function = functions_.find(name)->second;
        std::size_t const wanted = function.parameters.size();
        bool const open = function.rest == Function::Rest::taken;
        if (given < wanted || (given > wanted && !open)) {
            return error(fmt::format("wrong number of args for {}: want {}{} got {}", name,
                                     open ? "at least " : "", wanted, given));
        }
        List values;
        auto const parameter = [&](std::size_t i) {
            return i < wanted ? function.parameters[i] : Function::Parameter::any;
        };
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            Value const value = OBLEA_TRY(argument_value(dot, arguments[i]));
            OBLEA_TRY(expect_type(value, parameter(i), &arguments[i]));
            values.push_back(value);
        }
        if (final.has_value()) {
            OBLEA_TRY(expect_type(*final, parameter(arguments.size()), nullptr));
            values.push_back(*final);
        }
        auto result = function.run(values);
        if (!result.has_value()) {
            blame();
            return error(fmt::format("error calling {}: {}", name, result.error().message()));
        }
        return result;
    }

    // The first argument that decides, or the last; those behind it are not looked at.
    Result<Value> call_logic(Value const& dot, bool is_or, Words arguments, Final const& final) {
        Value value;
        for (Operand const& argument : arguments) {
            value = OBLEA_TRY(argument_value(dot, argument));
            if (value.is_true() == is_or) {
                return value;
            }
        }
        return final.value_or(value);
    }

    Tree const& tree_;
    Functions const& functions_;
    Template::MissingKey missing_;
    std::string name_;
    std::vector<std::pair<std::string, Value>> variables_;
    Place place_;
    std::size_t steps_ = 0;
    std::size_t depth_ = 0;
    std::string output_;
};

}  // namespace

Result<Template> Template::parse(std::string_view text, Functions const& functions) {
    return Template{OBLEA_TRY(templates::parse(text, functions)), functions};
}

Result<std::string> Template::execute(Value const& data, MissingKey missing) const {
    return Executor{tree_, *functions_, missing}.run(data);
}

}  // namespace oblea::tools::templates
