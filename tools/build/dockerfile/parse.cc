// SPDX-License-Identifier: MIT
// parse_dockerfile: lines to instructions, each by the function that the table names.
#include "store/base/limits.h"
#include "store/base/path.h"
#include "tools/build/dockerfile/characters.h"
#include "tools/build/dockerfile/dockerfile.h"
#include "tools/build/dockerfile/flags.h"
#include "tools/build/dockerfile/line_reader.h"
#include "tools/build/dockerfile/mount_options.h"
#include "tools/build/dockerfile/words.h"
#include "tools/cli/filters.h"
#include "tools/cli/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace oblea::tools::dockerfile {

namespace {

using What = decltype(Instruction::what);

// An instruction's parts, before they are understood.
struct Request {
    std::string_view keyword;  // in upper case
    std::string_view arguments;
    std::vector<std::string> flags;
    std::vector<Heredoc> heredocs;
    char escape = '\\';
    std::vector<std::string>* warnings = nullptr;
};

auto needs_arguments(std::string_view keyword) {
    return fail(Errno::einval, "", fmt::format("{} requires at least one argument", keyword));
}

Result<std::string> one_argument(Request const& request) {
    if (request.arguments.empty()) {
        return fail(Errno::einval, "",
                    fmt::format("{} requires exactly one argument", request.keyword));
    }
    return std::string{request.arguments};
}

// A common slip: single quotes make no JSON, so that the shell gets the brackets.
void warn_of_array(Request const& request) {
    std::string_view const text = request.arguments;
    if (text.starts_with('[') && text.ends_with(']') && text.find(',') != std::string_view::npos) {
        request.warnings->push_back(
            fmt::format("{} looks like a JSON array but is none (the quotes must be double): it is "
                        "taken as a shell command",
                        request.keyword));
    }
}

Result<Command> parse_command(Request const& request, std::string_view text) {
    if (auto words = OBLEA_TRY(exec_form(text)); words.has_value()) {
        return Command{.form = Command::Form::exec, .words = *std::move(words)};
    }
    if (text.empty()) {
        return needs_arguments(request.keyword);
    }
    warn_of_array(request);
    return Command{.form = Command::Form::shell, .words = {std::string{text}}};
}

// What the heredocs of RUN come to: a script of its own, or text for the shell.
Status put_heredocs(Run& run, std::vector<Heredoc> heredocs) {
    std::string& text = run.command.words.front();
    if (!parse_heredoc_mark(text).has_value()) {
        for (Heredoc const& heredoc : heredocs) {
            text += "\n" + heredoc.content + heredoc.name;
        }
        return {};
    }
    Heredoc& only = heredocs.front();
    text = heredoc_text(only);
    if (text.starts_with("#!")) {
        OBLEA_TRY(base::Name::parse(only.name));
        text = std::string{kScriptFolder} + only.name;
        run.script = std::move(only);
    }
    return {};
}

Result<What> parse_run(Request& request) {
    static constexpr std::array kFlags{
        FlagKind{"mount", FlagKind::Value::texts}, FlagKind{"network"}, FlagKind{"security"},
        FlagKind{"device", FlagKind::Value::texts, "devices are not given to builds"}};
    Flags const flags = OBLEA_TRY(Flags::parse(request.flags, kFlags));
    Run run;
    run.command = OBLEA_TRY(parse_command(request, request.arguments));
    if (run.command.form == Command::Form::exec && run.command.words.empty()) {
        return needs_arguments("RUN");
    }
    if (!request.heredocs.empty()) {
        OBLEA_TRY(put_heredocs(run, std::move(request.heredocs)));
    }
    std::string const network = flags.text("network");
    if (network == "none" || network == "host") {
        run.network = network == "none" ? Run::Network::none : Run::Network::host;
    } else if (!network.empty() && network != "default") {
        return fail(
            Errno::einval, "",
            fmt::format("invalid network mode \"{}\"; there are default, none and host", network));
    }
    std::string const security = flags.text("security");
    if (security == "insecure") {
        run.security = Run::Security::insecure;
    } else if (!security.empty() && security != "sandbox") {
        return fail(
            Errno::einval, "",
            fmt::format("security \"{}\" is not valid; there are sandbox and insecure", security));
    }
    for (std::string const& text : flags.texts("mount")) {
        auto options = OBLEA_TRY(parse_mount_options(text));
        if (text.find('$') == std::string::npos) {
            // What no variable can change is wrong here and now.
            OBLEA_TRY(
                plan_mount(options, request.escape, [](std::string_view) { return std::nullopt; }));
        }
        run.mount_options.push_back(std::move(options));
    }
    return run;
}

Status parse_transfer(Transfer& transfer, Request& request, Flags const& flags) {
    auto words = OBLEA_TRY(exec_form(request.arguments));
    auto parts = words.has_value() ? *std::move(words) : split_at_spaces(request.arguments);
    if (parts.size() < 2) {
        return fail(Errno::einval, "",
                    fmt::format("{} requires at least two arguments, but only one was provided. "
                                "Destination could not be determined",
                                request.keyword));
    }
    transfer.destination = std::move(parts.back());
    parts.pop_back();
    if (!words.has_value() && parse_heredoc_mark(transfer.destination).has_value()) {
        return fail(Errno::einval, "",
                    fmt::format("{} cannot accept a heredoc as a destination", request.keyword));
    }
    for (std::string& part : parts) {
        if (words.has_value() || !parse_heredoc_mark(part).has_value()) {
            transfer.sources.push_back(std::move(part));
        }
    }
    if (parts.size() - transfer.sources.size() != request.heredocs.size()) {
        return fail(Errno::einval, "",
                    fmt::format("{}: a heredoc is written as one word, without spaces or quotes "
                                "before its name's end: <<EOF",
                                request.keyword));
    }
    for (Heredoc const& file : request.heredocs) {
        OBLEA_TRY(with_context(base::Name::parse(file.name), [&] {
            return fmt::format("{}: a heredoc's name is the file's", request.keyword);
        }));
    }
    transfer.files = std::move(request.heredocs);
    transfer.chown = flags.text("chown");
    transfer.chmod = flags.text("chmod");
    transfer.exclude = flags.texts("exclude");
    transfer.link = flags.truth("link").value_or(false);
    return {};
}

Result<What> parse_copy(Request& request) {
    static constexpr std::array kFlags{FlagKind{"from"},
                                       FlagKind{"chown"},
                                       FlagKind{"chmod"},
                                       FlagKind{"link", FlagKind::Value::truth},
                                       FlagKind{"parents", FlagKind::Value::truth},
                                       FlagKind{"exclude", FlagKind::Value::texts}};
    Flags const flags = OBLEA_TRY(Flags::parse(request.flags, kFlags));
    Copy copy;
    OBLEA_TRY(parse_transfer(copy, request, flags));
    copy.from = flags.text("from");
    copy.parents = flags.truth("parents").value_or(false);
    return copy;
}

Result<What> parse_add(Request& request) {
    static constexpr std::array kFlags{
        FlagKind{"chown"},
        FlagKind{"chmod"},
        FlagKind{"checksum"},
        FlagKind{"link", FlagKind::Value::truth},
        FlagKind{"unpack", FlagKind::Value::truth},
        FlagKind{"exclude", FlagKind::Value::texts},
        FlagKind{"keep-git-dir", FlagKind::Value::truth,
                 "ADD takes no git repositories; clone in a RUN, or before the build"}};
    Flags const flags = OBLEA_TRY(Flags::parse(request.flags, kFlags));
    Add add;
    OBLEA_TRY(parse_transfer(add, request, flags));
    add.checksum = flags.text("checksum");
    add.unpack = flags.truth("unpack");
    return add;
}

Status no_flags(Request const& request) {
    OBLEA_TRY(Flags::parse(request.flags, {}));
    return {};
}

Result<What> parse_arg(Request& request) {
    OBLEA_TRY(no_flags(request));
    Arg arg;
    for (std::string const& word : split_quoted(request.arguments, request.escape)) {
        auto const equals = word.find('=');
        if (equals == 0) {
            return fail(Errno::einval, "", "ARG names can not be blank");
        }
        arg.arguments.push_back({.name = word.substr(0, equals),
                                 .value = equals == std::string::npos
                                              ? std::nullopt
                                              : std::optional{word.substr(equals + 1)}});
    }
    if (arg.arguments.empty()) {
        return needs_arguments("ARG");
    }
    return arg;
}

Result<std::vector<Pair>> pairs_of(Request const& request) {
    OBLEA_TRY(no_flags(request));
    auto pairs = OBLEA_TRY(parse_pairs(request.arguments, request.keyword, request.escape));
    if (pairs.front().spaced) {
        request.warnings->push_back(fmt::format(
            R"("{0} NAME=VALUE" should be used instead of "{0} NAME VALUE")", request.keyword));
    }
    return pairs;
}

Result<What> parse_env(Request& request) {
    return Env{OBLEA_TRY(pairs_of(request))};
}

Result<What> parse_label(Request& request) {
    return Label{OBLEA_TRY(pairs_of(request))};
}

Result<What> parse_cmd(Request& request) {
    OBLEA_TRY(no_flags(request));
    return Cmd{OBLEA_TRY(parse_command(request, request.arguments))};
}

Result<What> parse_entrypoint(Request& request) {
    OBLEA_TRY(no_flags(request));
    return Entrypoint{OBLEA_TRY(parse_command(request, request.arguments))};
}

Result<What> parse_shell(Request& request) {
    OBLEA_TRY(no_flags(request));
    auto words = OBLEA_TRY(exec_form(request.arguments));
    if (!words.has_value() && !request.arguments.empty()) {
        return fail(Errno::einval, "",
                    R"(SHELL requires the arguments to be in JSON form: SHELL ["/bin/sh", "-c"])");
    }
    if (!words.has_value() || words->empty()) {
        return needs_arguments("SHELL");
    }
    return Shell{*std::move(words)};
}

Result<std::int64_t> parse_interval(Flags const& flags, std::string const& name) {
    std::string const text = flags.text(name);
    if (text.empty()) {
        return 0;
    }
    constexpr double kSecondsMax = 9e9;  // of what an int64 of nanoseconds holds
    auto const seconds = parse_duration(text);
    if (!seconds.has_value() || *seconds > kSecondsMax || *seconds < -kSecondsMax) {
        return fail(Errno::einval, "",
                    fmt::format("--{}: invalid duration \"{}\"; expected one such as 30s or 1m30s",
                                name, text));
    }
    if (*seconds != 0 && *seconds < 0.001) {
        return fail(Errno::einval, "",
                    fmt::format("Interval \"{}\" cannot be less than 1ms", name));
    }
    return std::llround(*seconds * 1e9);
}

Result<int> parse_retries(std::string const& text) {
    if (text.empty()) {
        return 0;
    }
    int retries = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), retries);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return fail(Errno::einval, "", fmt::format("--retries: \"{}\" is no number", text));
    }
    if (retries < 0) {
        return fail(Errno::einval, "", fmt::format("--retries cannot be negative ({})", retries));
    }
    return retries;
}

Result<What> parse_healthcheck(Request& request) {
    static constexpr std::array kFlags{FlagKind{"interval"}, FlagKind{"timeout"},
                                       FlagKind{"start-period"}, FlagKind{"start-interval"},
                                       FlagKind{"retries"}};
    Flags const flags = OBLEA_TRY(Flags::parse(request.flags, kFlags));
    if (request.arguments.empty()) {
        return needs_arguments("HEALTHCHECK");
    }
    auto const space = std::min(request.arguments.find_first_of(kSpaces), request.arguments.size());
    std::string_view const kind = request.arguments.substr(0, space);
    std::string_view const rest = without_spaces_around(request.arguments.substr(space));
    Healthcheck check;
    if (upper_case(kind) == "NONE") {
        if (!rest.empty() || !request.flags.empty()) {
            return fail(Errno::einval, "", "HEALTHCHECK NONE takes no arguments");
        }
        return check;
    }
    if (upper_case(kind) != "CMD") {
        return fail(Errno::einval, "",
                    fmt::format("Unknown type \"{}\" in HEALTHCHECK (try CMD)", kind));
    }
    check.interval_ns = OBLEA_TRY(parse_interval(flags, "interval"));
    check.timeout_ns = OBLEA_TRY(parse_interval(flags, "timeout"));
    check.start_period_ns = OBLEA_TRY(parse_interval(flags, "start-period"));
    check.start_interval_ns = OBLEA_TRY(parse_interval(flags, "start-interval"));
    check.retries = OBLEA_TRY(parse_retries(flags.text("retries")));
    Command command;
    if (!rest.empty()) {
        command = OBLEA_TRY(parse_command(request, rest));
    }
    if (command.words.empty()) {
        return fail(Errno::einval, "", "Missing command after HEALTHCHECK CMD");
    }
    check.command = std::move(command);
    return check;
}

Result<What> parse_expose(Request& request) {
    OBLEA_TRY(no_flags(request));
    auto ports = split_at_spaces(request.arguments);
    if (ports.empty()) {
        return needs_arguments("EXPOSE");
    }
    std::ranges::sort(ports);
    return Expose{std::move(ports)};
}

Result<What> parse_volume(Request& request) {
    OBLEA_TRY(no_flags(request));
    auto words = OBLEA_TRY(exec_form(request.arguments));
    auto paths = words.has_value() ? *std::move(words) : split_at_spaces(request.arguments);
    if (paths.empty()) {
        return needs_arguments("VOLUME");
    }
    for (std::string& path : paths) {
        path = without_spaces_around(path);
        if (path.empty()) {
            return fail(Errno::einval, "", "VOLUME specified can not be an empty string");
        }
    }
    return Volume{std::move(paths)};
}

Result<What> parse_workdir(Request& request) {
    OBLEA_TRY(no_flags(request));
    return Workdir{OBLEA_TRY(one_argument(request))};
}

Result<What> parse_user(Request& request) {
    OBLEA_TRY(no_flags(request));
    return User{OBLEA_TRY(one_argument(request))};
}

Result<What> parse_stopsignal(Request& request) {
    OBLEA_TRY(no_flags(request));
    return Stopsignal{OBLEA_TRY(one_argument(request))};
}

Result<What> parse_maintainer(Request& request) {
    OBLEA_TRY(no_flags(request));
    request.warnings->emplace_back(
        "MAINTAINER is deprecated; use the label org.opencontainers.image.authors");
    return Maintainer{OBLEA_TRY(one_argument(request))};
}

// A keyword and what follows it.
struct Split {
    std::string keyword;  // in upper case
    std::string_view rest;
};
Split split_keyword(std::string_view text) {
    text = without_spaces_around(text);
    auto const space = std::min(text.find_first_of(kSpaces), text.size());
    return {upper_case(text.substr(0, space)), without_leading_spaces(text.substr(space))};
}

Result<What> parse_onbuild(Request& request) {
    OBLEA_TRY(no_flags(request));
    if (request.arguments.empty()) {
        return needs_arguments("ONBUILD");
    }
    std::string const keyword = split_keyword(request.arguments).keyword;
    if (keyword == "ONBUILD") {
        return fail(Errno::einval, "", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    }
    if (keyword == "FROM" || keyword == "MAINTAINER") {
        return fail(Errno::einval, "",
                    fmt::format("{} isn't allowed as an ONBUILD trigger", keyword));
    }
    std::string trigger{request.arguments};
    for (Heredoc const& heredoc : request.heredocs) {
        trigger += "\n" + heredoc.content + heredoc.name;
    }
    return Onbuild{std::move(trigger)};
}

struct Parser {
    std::string_view keyword;
    Result<What> (*parse)(Request&);
};
constexpr std::array kParsers{
    Parser{"ADD", parse_add},
    Parser{"ARG", parse_arg},
    Parser{"CMD", parse_cmd},
    Parser{"COPY", parse_copy},
    Parser{"ENTRYPOINT", parse_entrypoint},
    Parser{"ENV", parse_env},
    Parser{"EXPOSE", parse_expose},
    Parser{"HEALTHCHECK", parse_healthcheck},
    Parser{"LABEL", parse_label},
    Parser{"MAINTAINER", parse_maintainer},
    Parser{"ONBUILD", parse_onbuild},
    Parser{"RUN", parse_run},
    Parser{"SHELL", parse_shell},
    Parser{"STOPSIGNAL", parse_stopsignal},
    Parser{"USER", parse_user},
    Parser{"VOLUME", parse_volume},
    Parser{"WORKDIR", parse_workdir},
};

auto unknown_instruction(std::string_view keyword) {
    std::vector<std::string> known{"FROM"};
    for (Parser const& parser : kParsers) {
        known.emplace_back(parser.keyword);
    }
    std::string message = fmt::format("unknown instruction: {}", keyword);
    if (auto const meant = suggest(keyword, known); meant.has_value()) {
        message += fmt::format(" (did you mean {}?)", *meant);
    }
    return fail(Errno::einval, "", std::move(message));
}

bool may_have_heredocs(std::string_view keyword) {
    return keyword == "RUN" || keyword == "COPY" || keyword == "ADD";
}

Result<std::vector<Heredoc>> read_heredocs(LineReader::Line& line, LineReader& reader) {
    Split split = split_keyword(line.text);
    if (split.keyword == "ONBUILD") {
        split = split_keyword(split.rest);
    }
    if (!may_have_heredocs(split.keyword)) {
        return std::vector<Heredoc>{};
    }
    auto const exec = exec_form(take_flags(split.rest, reader.escape()).arguments);
    if (!exec.has_value() || exec->has_value()) {
        return std::vector<Heredoc>{};
    }
    std::vector<Heredoc> heredocs = find_heredocs(line.text);
    for (Heredoc& heredoc : heredocs) {
        heredoc.content = OBLEA_TRY(reader.read_heredoc(heredoc.name, heredoc.chomp));
    }
    line.lines.last = reader.line();
    return heredocs;
}

Result<From> parse_from(Split const& split, char escape) {
    static constexpr std::array kFlags{FlagKind{"platform"}};
    FlagWords const words = take_flags(split.rest, escape);
    Flags const flags = OBLEA_TRY(Flags::parse(words.words, kFlags));
    auto parts = split_at_spaces(words.arguments);
    bool const named = parts.size() == 3 && upper_case(parts[1]) == "AS";
    if (!named && parts.size() != 1) {
        return fail(Errno::einval, "",
                    "FROM requires either one or three arguments: FROM IMAGE [AS NAME]");
    }
    From from{.image = std::move(parts[0]), .name = {}, .platform = flags.text("platform")};
    if (named) {
        from.name = lower_case(parts[2]);
        bool const valid =
            is_letter(from.name.front()) && std::ranges::all_of(from.name, [](char c) {
                return is_name_character(c) || c == '-' || c == '.';
            });
        if (!valid) {
            return fail(Errno::einval, "",
                        fmt::format("invalid name for build stage: \"{}\", name can't start with a "
                                    "number or contain symbols",
                                    parts[2]));
        }
    }
    return from;
}

class DockerfileParser {
public:
    DockerfileParser(std::string_view text, std::string_view file_name) : reader_(text) {
        result_.file_name = file_name;
    }

    Result<Dockerfile> run() {
        while (auto line = OBLEA_TRY(next_line())) {
            auto const added = add(*line);
            if (!added.has_value()) {
                return std::unexpected{with_context(added.error(), place(result_, line->lines))};
            }
        }
        if (result_.stages.empty()) {
            return fail(
                Errno::einval, "",
                result_.global_args.empty()
                    ? fmt::format("{}: file with no instructions", result_.file_name)
                    : fmt::format("{}: no FROM: there is no stage to build", result_.file_name));
        }
        for (std::size_t const number : reader_.empty_lines()) {
            result_.warnings.push_back(
                fmt::format("{}: empty continuation line",
                            place(result_, Lines{.first = number, .last = number})));
        }
        result_.escape = reader_.escape();
        return std::move(result_);
    }

private:
    Result<std::optional<LineReader::Line>> next_line() {
        auto line = reader_.next();
        if (!line.has_value()) {
            Lines const here{.first = reader_.line(), .last = reader_.line()};
            return std::unexpected{with_context(line.error(), place(result_, here))};
        }
        return line;
    }

    Status add(LineReader::Line& line) {
        std::vector<Heredoc> heredocs = OBLEA_TRY(read_heredocs(line, reader_));
        Split const split = split_keyword(line.text);
        std::string text{without_spaces_around(line.text)};
        if (split.keyword == "FROM") {
            From from = OBLEA_TRY(parse_from(split, reader_.escape()));
            result_.stages.push_back({.from = std::move(from),
                                      .lines = line.lines,
                                      .text = std::move(text),
                                      .instructions = {}});
            return {};
        }
        Instruction instruction =
            OBLEA_TRY(parse_one(split, std::move(heredocs), line.lines, std::move(text)));
        if (!result_.stages.empty()) {
            result_.stages.back().instructions.push_back(std::move(instruction));
        } else if (std::holds_alternative<Arg>(instruction.what)) {
            result_.global_args.push_back(std::move(instruction));
        } else {
            return fail(Errno::einval, "",
                        fmt::format("{} stands before the first FROM, where only ARG may be",
                                    split.keyword));
        }
        return {};
    }

    Result<Instruction> parse_one(Split const& split, std::vector<Heredoc> heredocs, Lines lines,
                                  std::string text) {
        std::vector<std::string> warnings;
        auto what = parse_what(split, std::move(heredocs), warnings);
        for (std::string const& warning : warnings) {
            result_.warnings.push_back(fmt::format("{}: {}", place(result_, lines), warning));
        }
        What parsed = OBLEA_TRY(std::move(what));
        return Instruction{.lines = lines, .text = std::move(text), .what = std::move(parsed)};
    }

    Result<What> parse_what(Split const& split, std::vector<Heredoc> heredocs,
                            std::vector<std::string>& warnings) {
        auto const parser = std::ranges::find(kParsers, split.keyword, &Parser::keyword);
        if (parser == kParsers.end()) {
            return unknown_instruction(split.keyword);
        }
        FlagWords words = take_flags(split.rest, reader_.escape());
        Request request{.keyword = parser->keyword,
                        .arguments = words.arguments,
                        .flags = std::move(words.words),
                        .heredocs = std::move(heredocs),
                        .escape = reader_.escape(),
                        .warnings = &warnings};
        if (parser->keyword == "ONBUILD") {
            // What would be refused in each child is refused here.
            Split const inner = split_keyword(request.arguments);
            OBLEA_TRY(parse_onbuild(request));
            OBLEA_TRY(parse_what(inner, request.heredocs, warnings));
        }
        return parser->parse(request);
    }

    LineReader reader_;
    Dockerfile result_;
};

}  // namespace

std::string heredoc_text(Heredoc const& heredoc) {
    if (!heredoc.chomp) {
        return heredoc.content;
    }
    std::string text;
    bool at_start = true;
    for (char const c : heredoc.content) {
        if (!at_start || c != '\t') {
            text += c;
            at_start = c == '\n';
        }
    }
    return text;
}

std::string_view keyword_of(Instruction const& instruction) {
    // In the order of the variant's alternatives, which is the table's.
    static_assert(std::variant_size_v<What> == kParsers.size());
    return kParsers.at(instruction.what.index()).keyword;
}

std::string place(Dockerfile const& dockerfile, Lines lines) {
    return fmt::format("{}:{}", dockerfile.file_name, lines.first);
}

Result<Dockerfile> parse_dockerfile(std::string_view text, std::string_view file_name) {
    if (text.size() > limits::kDockerfileBytesMax) {
        return fail(
            Errno::e2big, "",
            fmt::format("{}: larger than {} bytes", file_name, limits::kDockerfileBytesMax));
    }
    return DockerfileParser(text, file_name).run();
}

Result<Instruction> parse_instruction(std::string_view text) {
    // A stage around it makes it a Dockerfile.
    auto parsed = parse_dockerfile(fmt::format("FROM scratch\n{}\n", text), "");
    if (!parsed.has_value()) {
        std::string const& message = parsed.error().detail;
        constexpr std::string_view kPlace = ":2: ";
        return fail(parsed.error().code, "",
                    message.starts_with(kPlace) ? message.substr(kPlace.size()) : message);
    }
    auto& instructions = parsed->stages.back().instructions;
    if (parsed->stages.size() != 1 || instructions.size() != 1) {
        return fail(Errno::einval, "", "it is not one instruction");
    }
    return std::move(instructions.front());
}

Result<Instruction> parse_trigger(std::string_view text) {
    // A stage around it makes it a Dockerfile.
    std::string const file = fmt::format("FROM scratch\n{}\n", text);
    auto parsed = OBLEA_TRY(with_context(parse_dockerfile(file, "ONBUILD"), [&] {
        return fmt::format("the parent image's trigger \"{}\"", text);
    }));
    auto& instructions = parsed.stages.back().instructions;
    if (parsed.stages.size() != 1 || instructions.size() != 1) {
        return fail(Errno::einval, "",
                    fmt::format("the parent image's trigger \"{}\" is not one instruction", text));
    }
    return std::move(instructions.front());
}

}  // namespace oblea::tools::dockerfile
