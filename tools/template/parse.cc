// SPDX-License-Identifier: MIT
#include "tools/template/parse.h"

#include "tools/template/go_text.h"
#include "tools/template/lex.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace oblea::tools::templates {

namespace {

using Kind = Token::Kind;

// Deeper nesting than anybody writes, and less than the stack holds.
constexpr std::size_t kNestingMax = 200;

std::string describe(Token const& token) {
    if (token.kind == Kind::end) {
        return "EOF";
    }
    if (token.kind == Kind::error) {
        return token.text;
    }
    if (token.kind >= Kind::nil) {
        return '<' + token.text + '>';
    }
    constexpr std::size_t kShown = 10;
    return token.text.size() > kShown ? go_quote(token.text.substr(0, kShown)) + "..."
                                      : go_quote(token.text);
}

Result<std::optional<Value>> integer_of(std::string const& spelled) {
    std::string digits = spelled;
    std::erase(digits, '_');
    bool const negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) {
        digits.erase(0, 1);
    }
    int base = 10;
    if (digits.size() > 1 && digits[0] == '0') {
        char const mark = digits[1];
        bool const marked =
            mark == 'x' || mark == 'X' || mark == 'b' || mark == 'B' || mark == 'o' || mark == 'O';
        base = mark == 'x' || mark == 'X' ? 16 : (mark == 'b' || mark == 'B' ? 2 : 8);
        digits.erase(0, marked ? 2 : 1);
    }
    std::uint64_t magnitude = 0;
    auto const [end, code] =
        std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
    if (code == std::errc::result_out_of_range && end == digits.data() + digits.size()) {
        return fail(Errno::einval, "", "integer overflow: " + go_quote(spelled));
    }
    if (code != std::errc{} || end != digits.data() + digits.size()) {
        return std::optional<Value>{};
    }
    constexpr std::uint64_t kMax = std::uint64_t{1} << 63U;
    if (magnitude > kMax || (magnitude == kMax && !negative)) {
        return fail(Errno::einval, "", "integer overflow: " + go_quote(spelled));
    }
    auto const bits = negative ? ~magnitude + 1 : magnitude;
    return std::optional{Value(static_cast<std::int64_t>(bits))};
}

std::optional<Value> float_of(std::string const& spelled) {
    std::string text = spelled;
    std::erase(text, '_');
    bool const negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.erase(0, 1);
    }
    bool const hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if (hexadecimal) {
        text.erase(0, 2);
    }
    double value = 0;
    auto const [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), value,
                        hexadecimal ? std::chars_format::hex : std::chars_format::general);
    if (code != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return Value(negative ? -value : value);
}

class Parser {
public:
    Parser(std::string_view text, Functions const& functions)
        : functions_(functions), tokens_(lex(text)) {
        tree_.text = text;
    }

    Result<Tree> run() {
        Statements main;
        while (peek().kind != Kind::end) {
            if (peek().kind == Kind::left_delimiter &&
                kind_behind_space(at_ + 1) == Kind::define_keyword) {
                next();
                next_behind_space();
                OBLEA_TRY(parse_definition());
                continue;
            }
            auto part = OBLEA_TRY(parse_text_or_action());
            if (part.end != End::none) {
                return error("unexpected " + spelled(part.end));
            }
            append(main, std::move(part));
        }
        // A definition of its own name would have been another template.
        tree_.templates.insert_or_assign("", std::move(main));
        return std::move(tree_);
    }

private:
    // What closed a list of statements.
    enum class End { none, end, otherwise };
    struct Part {
        std::optional<Statement> statement;
        End end = End::none;
    };
    struct List {
        Statements statements;
        End end = End::none;
    };

    static std::string spelled(End end) { return end == End::end ? "{{end}}" : "{{else}}"; }

    static void append(Statements& list, Part part) {
        if (part.statement.has_value()) {
            list.push_back(*std::move(part.statement));
        }
    }

    // --- tokens

    Token const& peek() const { return tokens_[at_]; }
    Token const& next() {
        Token const& token = tokens_[at_];
        if (at_ + 1 < tokens_.size()) {
            ++at_;
        }
        return token;
    }
    void skip_space() {
        while (peek().kind == Kind::space) {
            next();
        }
    }
    Token const& peek_behind_space() {
        skip_space();
        return peek();
    }
    Token const& next_behind_space() {
        skip_space();
        return next();
    }
    [[nodiscard]] Kind kind_behind_space(std::size_t at) const {
        while (at + 1 < tokens_.size() && tokens_[at].kind == Kind::space) {
            ++at;
        }
        return tokens_[at].kind;
    }

    // --- messages

    [[nodiscard]] std::unexpected<Error> error_at(std::size_t line, std::string const& what) const {
        return fail(Errno::einval, "", fmt::format("template: :{}: {}", line, what));
    }
    [[nodiscard]] std::unexpected<Error> error(std::string const& what) const {
        return error_at(tokens_[at_ == 0 ? 0 : at_ - 1].line, what);
    }
    [[nodiscard]] std::unexpected<Error> unexpected(Token const& token,
                                                    std::string_view context) const {
        if (token.kind == Kind::error) {
            bool const elsewhere = action_line_ != 0 && action_line_ != token.line;
            std::string const extra =
                elsewhere
                    ? fmt::format("{} started at :{}",
                                  token.text.ends_with(" action") ? "" : " in action", action_line_)
                    : "";
            return error_at(token.line, token.text + extra);
        }
        return error_at(token.line, fmt::format("unexpected {} in {}", describe(token), context));
    }

    Status expect_right_delimiter(std::string_view context) {
        Token const& token = next_behind_space();
        if (token.kind != Kind::right_delimiter) {
            return unexpected(token, context);
        }
        return {};
    }

    // --- statements

    Result<Part> parse_text_or_action() {
        skip_space();
        Token const& token = next();
        if (token.kind == Kind::text) {
            return Part{.statement = Statement{Text{token.text}}, .end = End::none};
        }
        if (token.kind != Kind::left_delimiter) {
            return unexpected(token, "input");
        }
        action_line_ = token.line;
        auto part = parse_action();
        if (part.has_value()) {
            action_line_ = 0;
        }
        return part;
    }

    Result<Part> parse_action() {
        Token const& token = peek_behind_space();
        switch (token.kind) {
        case Kind::end_keyword:
            next();
            OBLEA_TRY(expect_right_delimiter("end"));
            return Part{.statement = std::nullopt, .end = End::end};
        case Kind::else_keyword:
            next();
            return parse_else();
        case Kind::if_keyword:
            next();
            return parse_branch(Branch::Kind::if_, "if");
        case Kind::with_keyword:
            next();
            return parse_branch(Branch::Kind::with, "with");
        case Kind::range_keyword:
            next();
            return parse_branch(Branch::Kind::range, "range");
        case Kind::template_keyword:
            next();
            return parse_call();
        case Kind::block_keyword:
            next();
            return parse_block();
        case Kind::break_keyword:
            next();
            return parse_jump("break", Statement{Break{}});
        case Kind::continue_keyword:
            next();
            return parse_jump("continue", Statement{Continue{}});
        default:
            return parse_plain_action();
        }
    }

    Result<Part> parse_plain_action() {
        Pipeline pipeline = OBLEA_TRY(parse_pipeline("command", Kind::right_delimiter));
        return Part{.statement = Statement{Action{std::move(pipeline)}}, .end = End::none};
    }

    Result<Part> parse_else() {
        // "{{else if" stays open: the branch that it ends reads on.
        Kind const kind = peek_behind_space().kind;
        if (kind != Kind::if_keyword && kind != Kind::with_keyword) {
            OBLEA_TRY(expect_right_delimiter("else"));
        }
        return Part{.statement = std::nullopt, .end = End::otherwise};
    }

    Result<Part> parse_jump(std::string_view word, Statement statement) {
        Token const& token = next_behind_space();
        if (token.kind != Kind::right_delimiter) {
            return unexpected(token, fmt::format("{{{{{}}}}}", word));
        }
        if (ranges_ == 0) {
            return error_at(token.line, fmt::format("{{{{{}}}}} outside {{{{range}}}}", word));
        }
        return Part{.statement = std::move(statement), .end = End::none};
    }

    // Up to {{end}} or {{else}}.
    Result<List> parse_list() {
        if (++nesting_ > kNestingMax) {
            return error("nested too deeply");
        }
        List list;
        while (peek_behind_space().kind != Kind::end) {
            auto part = OBLEA_TRY(parse_text_or_action());
            if (part.end != End::none) {
                list.end = part.end;
                --nesting_;
                return list;
            }
            append(list.statements, std::move(part));
        }
        return error_at(peek().line, "unexpected EOF");
    }

    Result<Part> parse_branch(Branch::Kind kind, std::string_view word) {
        std::size_t const variables = variables_.size();
        Branch branch;
        branch.kind = kind;
        branch.pipeline = OBLEA_TRY(parse_pipeline(word, Kind::right_delimiter));
        ranges_ += kind == Branch::Kind::range ? 1 : 0;
        auto body = OBLEA_TRY(parse_list());
        ranges_ -= kind == Branch::Kind::range ? 1 : 0;
        branch.body = std::move(body.statements);
        if (body.end == End::otherwise) {
            branch.otherwise = OBLEA_TRY(parse_otherwise(kind));
        }
        variables_.resize(variables);
        return Part{.statement = Statement{std::move(branch)}, .end = End::none};
    }

    Result<Statements> parse_otherwise(Branch::Kind kind) {
        Kind const word = peek().kind;
        bool const chained = (kind == Branch::Kind::if_ && word == Kind::if_keyword) ||
                             (kind == Branch::Kind::with && word == Kind::with_keyword);
        if (chained) {
            // "{{else if X}}" is "{{else}}{{if X}}" and shares its end.
            if (++nesting_ > kNestingMax) {
                return error("nested too deeply");
            }
            next();
            auto part = OBLEA_TRY(parse_branch(kind, kind == Branch::Kind::if_ ? "if" : "with"));
            --nesting_;
            Statements statements;
            append(statements, std::move(part));
            return statements;
        }
        if (word == Kind::if_keyword || word == Kind::with_keyword) {
            return unexpected(next(), "else");
        }
        auto list = OBLEA_TRY(parse_list());
        if (list.end != End::end) {
            return error("expected end; found " + spelled(list.end));
        }
        return std::move(list.statements);
    }

    Result<std::string> parse_name(std::string_view context) {
        Token const& token = next_behind_space();
        if (token.kind != Kind::string && token.kind != Kind::raw_string) {
            return unexpected(token, context);
        }
        auto name = unquote(token.text);
        if (!name.has_value()) {
            return error_at(token.line, "invalid syntax");
        }
        return *std::move(name);
    }

    Result<Part> parse_call() {
        Call call;
        call.position = peek_behind_space().position;
        call.name = OBLEA_TRY(parse_name("template clause"));
        if (peek_behind_space().kind == Kind::right_delimiter) {
            next();
        } else {
            call.argument = OBLEA_TRY(parse_pipeline("template clause", Kind::right_delimiter));
        }
        return Part{.statement = Statement{std::move(call)}, .end = End::none};
    }

    // The statements of a template of its own name, with variables of its own.
    Status parse_template(std::string const& name, std::string_view context) {
        auto const variables = std::exchange(variables_, {"$"});
        auto const ranges = std::exchange(ranges_, 0);
        auto list = OBLEA_TRY(parse_list());
        variables_ = variables;
        ranges_ = ranges;
        if (list.end != End::end) {
            return error(fmt::format("unexpected {} in {}", spelled(list.end), context));
        }
        if (!tree_.templates.try_emplace(name, std::move(list.statements)).second) {
            return error(
                fmt::format("template: multiple definition of template {}", go_quote(name)));
        }
        return {};
    }

    Status parse_definition() {
        std::string const name = OBLEA_TRY(parse_name("define clause"));
        OBLEA_TRY(expect_right_delimiter("define clause"));
        return parse_template(name, "define clause");
    }

    // A definition and a call of it.
    Result<Part> parse_block() {
        Call call;
        call.position = peek_behind_space().position;
        call.name = OBLEA_TRY(parse_name("block clause"));
        call.argument = OBLEA_TRY(parse_pipeline("block clause", Kind::right_delimiter));
        OBLEA_TRY(parse_template(call.name, "block clause"));
        return Part{.statement = Statement{std::move(call)}, .end = End::none};
    }

    // --- pipelines

    Result<Pipeline> parse_pipeline(std::string_view context, Kind end) {
        if (++nesting_ > kNestingMax) {
            return error("nested too deeply");
        }
        Pipeline pipeline;
        pipeline.position = peek_behind_space().position;
        OBLEA_TRY(parse_bindings(pipeline, context));
        for (;;) {
            Token const& token = peek_behind_space();
            if (token.kind == end) {
                next();
                OBLEA_TRY(check_pipeline(pipeline, context));
                --nesting_;
                return pipeline;
            }
            if (!begins_operand(token.kind)) {
                return unexpected(next(), context);
            }
            pipeline.commands.push_back(OBLEA_TRY(parse_command()));
        }
    }

    static bool begins_operand(Kind kind) {
        switch (kind) {
        case Kind::boolean:
        case Kind::character_constant:
        case Kind::dot:
        case Kind::field:
        case Kind::identifier:
        case Kind::number:
        case Kind::nil:
        case Kind::raw_string:
        case Kind::string:
        case Kind::variable:
        case Kind::left_parenthesis:
            return true;
        default:
            return false;
        }
    }

    // "$x :=", "$x =", and in a range "$i, $x :=".
    Status parse_bindings(Pipeline& pipeline, std::string_view context) {
        while (peek_behind_space().kind == Kind::variable) {
            Kind const sign = kind_behind_space(at_ + 1);
            bool const binds = sign == Kind::declare || sign == Kind::assign;
            bool const comma = sign == Kind::character && text_behind_space(at_ + 1) == ",";
            if (!binds && !comma) {
                return {};
            }
            std::string const name = next().text;
            next_behind_space();
            pipeline.variables.push_back(name);
            variables_.push_back(name);
            if (binds) {
                pipeline.binds =
                    sign == Kind::declare ? Pipeline::Binds::declares : Pipeline::Binds::assigns;
                return {};
            }
            if (context != "range" || pipeline.variables.size() >= 2) {
                return error(fmt::format("too many declarations in {}", context));
            }
            Kind const follows = peek_behind_space().kind;
            if (follows != Kind::variable && follows != Kind::right_delimiter &&
                follows != Kind::right_parenthesis) {
                return error("range can only initialize variables");
            }
        }
        return {};
    }

    [[nodiscard]] std::string_view text_behind_space(std::size_t at) const {
        while (at + 1 < tokens_.size() && tokens_[at].kind == Kind::space) {
            ++at;
        }
        return tokens_[at].text;
    }

    Status check_pipeline(Pipeline const& pipeline, std::string_view context) {
        if (pipeline.commands.empty()) {
            return error(fmt::format("missing value for {}", context));
        }
        for (std::size_t i = 1; i < pipeline.commands.size(); ++i) {
            auto const& first = pipeline.commands[i].words.front().what;
            if (std::holds_alternative<Literal>(first) || std::holds_alternative<Dot>(first) ||
                std::holds_alternative<Nil>(first)) {
                return error(fmt::format("non executable command in pipeline stage {}", i + 1));
            }
        }
        return {};
    }

    Result<Command> parse_command() {
        Command command;
        for (;;) {
            skip_space();
            auto operand = OBLEA_TRY(parse_operand());
            if (operand.has_value()) {
                command.words.push_back(*std::move(operand));
            }
            Kind const kind = peek().kind;
            if (kind == Kind::space) {
                continue;
            }
            if (kind == Kind::pipe) {
                next();
            } else if (kind != Kind::right_delimiter && kind != Kind::right_parenthesis) {
                return unexpected(next(), "operand");
            }
            break;
        }
        if (command.words.empty()) {
            return error("empty command");
        }
        return command;
    }

    // A term with the fields behind it.
    Result<std::optional<Operand>> parse_operand() {
        auto term = OBLEA_TRY(parse_term());
        if (!term.has_value() || peek().kind != Kind::field) {
            return term;
        }
        Operand& operand = *term;
        bool const is_constant = std::holds_alternative<Literal>(operand.what) ||
                                 std::holds_alternative<Dot>(operand.what) ||
                                 std::holds_alternative<Nil>(operand.what);
        std::size_t const position = peek().position;
        std::vector<std::string> names;
        while (peek().kind == Kind::field) {
            names.push_back(next().text.substr(1));
        }
        if (is_constant) {
            return error("unexpected . after term " + go_quote(text_of(operand)));
        }
        auto join = [&](std::vector<std::string>& to) {
            to.insert(to.end(), names.begin(), names.end());
            operand.position = position;
        };
        if (auto* field = std::get_if<Field>(&operand.what)) {
            join(field->names);
            return term;
        }
        if (auto* variable = std::get_if<Variable>(&operand.what)) {
            join(variable->names);
            return term;
        }
        Operand chain;
        chain.position = position;
        chain.what = Chain{std::make_unique<Operand>(std::move(operand)), std::move(names)};
        return std::optional{std::move(chain)};
    }

    Result<std::optional<Operand>> parse_term() {
        Token const token = peek_behind_space();
        if (!begins_operand(token.kind)) {
            return std::optional<Operand>{};
        }
        next();
        Operand operand;
        operand.position = token.position;
        switch (token.kind) {
        case Kind::identifier:
            if (!is_function(functions_, token.text)) {
                return error_at(token.line,
                                fmt::format("function {} not defined", go_quote(token.text)));
            }
            operand.what = Identifier{token.text};
            break;
        case Kind::dot:
            operand.what = Dot{};
            break;
        case Kind::nil:
            operand.what = Nil{};
            break;
        case Kind::variable:
            if (std::ranges::find(variables_, token.text) == variables_.end()) {
                return error_at(token.line,
                                fmt::format("undefined variable {}", go_quote(token.text)));
            }
            operand.what = Variable{{token.text}};
            break;
        case Kind::field:
            operand.what = Field{{token.text.substr(1)}};
            break;
        case Kind::left_parenthesis: {
            Pipeline pipeline =
                OBLEA_TRY(parse_pipeline("parenthesized pipeline", Kind::right_parenthesis));
            operand.what = std::make_unique<Pipeline>(std::move(pipeline));
            break;
        }
        default:
            operand.what = OBLEA_TRY(parse_literal(token));
            break;
        }
        return std::optional{std::move(operand)};
    }

    Result<Literal> parse_literal(Token const& token) const {
        if (token.kind == Kind::boolean) {
            return Literal{token.text == "true", token.text};
        }
        if (token.kind == Kind::string || token.kind == Kind::raw_string) {
            auto const text = unquote(token.text);
            if (!text.has_value()) {
                return error_at(token.line, "invalid syntax");
            }
            return Literal{*text, token.text};
        }
        if (token.kind == Kind::character_constant) {
            auto const value = unquote_character(token.text);
            if (!value.has_value()) {
                return error_at(token.line, "malformed character constant: " + token.text);
            }
            return Literal{*value, token.text};
        }
        auto const integer = integer_of(token.text);
        if (!integer.has_value()) {
            return error_at(token.line, integer.error().detail);
        }
        if (auto const& whole = *integer; whole.has_value()) {
            return Literal{*whole, token.text};
        }
        auto const fraction = float_of(token.text);
        if (!fraction.has_value()) {
            return error_at(token.line, "illegal number syntax: " + go_quote(token.text));
        }
        return Literal{*fraction, token.text};
    }

    Functions const& functions_;
    std::vector<Token> tokens_;
    Tree tree_;
    std::size_t at_ = 0;
    std::vector<std::string> variables_{"$"};
    std::size_t ranges_ = 0;
    std::size_t nesting_ = 0;
    std::size_t action_line_ = 0;
};

}  // namespace

Result<Tree> parse(std::string_view text, Functions const& functions) {
    return Parser{text, functions}.run();
}

}  // namespace oblea::tools::templates
