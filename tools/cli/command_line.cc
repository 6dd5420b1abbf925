// SPDX-License-Identifier: MIT
#include "tools/cli/command_line.h"

#include "tools/cli/suggest.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace oblea::tools {

namespace {

bool is_option(std::string_view word) {
    return word.size() > 1 && word.front() == '-';
}

// Whether the option word takes the word behind it as its value.
bool takes_next_word(std::string_view word, std::span<Option const> options) {
    for (auto const& option : options) {
        if (!option.takes_value()) {
            continue;
        }
        auto const names = option.all_names();
        if (std::ranges::find(names, word) != names.end()) {
            return true;
        }
    }
    // "-qe": a cluster of flags whose last letter takes a value.
    return word.size() > 2 && word[1] != '-' &&
           takes_next_word(std::string{'-'} + word.back(), options) &&
           !takes_next_word(word.substr(0, 2), options);
}

// How many of the words stand before the first that is neither an option nor an option's value.
std::size_t count_leading_options(std::span<std::string const> words,
                                  std::span<Option const> options) {
    std::size_t at = 0;
    while (at < words.size() && is_option(words[at]) && words[at] != "--") {
        at += takes_next_word(words[at], options) ? std::size_t{2} : std::size_t{1};
    }
    return std::min(at, words.size());
}

std::unexpected<Error> usage_error(Command const& command, std::string const& what) {
    return fail(Errno::einval, "",
                fmt::format("{}: {} (see 'oblea help {}')", command.name, what, command.name));
}

// Errors: EINVAL with what is wrong, without saying where.
Status expect_fields(Option const& option, std::string const& name, std::string_view value) {
    std::string const field{value.substr(0, value.find('='))};
    if (std::ranges::find(option.fields, field) == option.fields.end()) {
        return fail(
            Errno::einval, "",
            fmt::format("{} knows no '{}'{}", name, field, did_you_mean(field, option.fields)));
    }
    return {};
}

Status store_value(Option const& option, std::string const& name,
                   std::vector<std::string> const& values) {
    for (auto const& value : values) {
        if (!option.choices.empty() &&
            std::ranges::find(option.choices, value) == option.choices.end()) {
            return fail(Errno::einval, "",
                        fmt::format("{} takes one of {}, not '{}'", name,
                                    fmt::join(option.choices, ", "), value));
        }
        if (!option.fields.empty()) {
            OBLEA_TRY(expect_fields(option, name, value));
        }
    }
    std::string const& last = values.back();
    if (auto const* set = std::get_if<bool*>(&option.target)) {
        if (last != "true" && last != "false") {
            return fail(Errno::einval, "", name + " takes no value");
        }
        **set = last == "true";
    } else if (auto const* target = std::get_if<std::string*>(&option.target)) {
        **target = last;
    } else if (auto const* maybe = std::get_if<std::optional<std::string>*>(&option.target)) {
        **maybe = last;
    } else if (auto const* list = std::get_if<std::vector<std::string>*>(&option.target)) {
        **list = values;
    } else if (auto const* number = std::get_if<unsigned*>(&option.target)) {
        auto const [end, code] = std::from_chars(last.data(), last.data() + last.size(), **number);
        if (code != std::errc{} || end != last.data() + last.size()) {
            return fail(Errno::einval, "", fmt::format("{} takes a number, not '{}'", name, last));
        }
    }
    return {};
}

// From the command line, or else from the settings.
Status settle_option(Command const& command, Option const& option,
                     std::vector<std::string> const& given, Settings& settings) {
    if (!given.empty()) {
        auto const stored = store_value(option, option.all_names().back(), given);
        if (!stored.has_value()) {
            return usage_error(command, stored.error().detail);
        }
        settings.note_flag(option, given);
        return {};
    }
    if (Setting const* const setting = settings.find(option)) {
        auto stored = store_value(option, setting->key, setting->values);
        return with_context(std::move(stored), [&] { return setting->source; });
    }
    return {};
}

Status store_operands(Command const& command, std::vector<std::string> const& words) {
    std::size_t at = 0;
    for (auto const& operand : command.operands) {
        std::size_t const left = words.size() - at;
        if (auto const* one = std::get_if<std::string*>(&operand.target)) {
            if (left == 0) {
                return usage_error(command, fmt::format("{} is missing; usage: {}", operand.name,
                                                        command.usage()));
            }
            **one = words[at++];
        } else if (auto const* maybe = std::get_if<std::optional<std::string>*>(&operand.target)) {
            if (left != 0) {
                **maybe = words[at++];
            }
        } else if (auto const* rest = std::get_if<std::vector<std::string>*>(&operand.target)) {
            if (left < operand.least) {
                return usage_error(command, fmt::format("{} is missing; usage: {}", operand.name,
                                                        command.usage()));
            }
            (*rest)->assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
            at = words.size();
        }
    }
    if (at < words.size()) {
        return usage_error(command, fmt::format("unexpected argument '{}'; usage: {}", words[at],
                                                command.usage()));
    }
    return {};
}

std::vector<std::string> option_names(std::span<Option const> options) {
    std::vector<std::string> names;
    for (auto const& option : options) {
        std::ranges::copy(option.all_names(), std::back_inserter(names));
    }
    return names;
}

// "-H=false", which docker takes for a flag, is "--human=false" for CLI11.
void spell_out_flag_values(std::span<Option const> options, std::span<std::string> words) {
    for (std::string& word : words) {
        if (word.size() < 4 || word[0] != '-' || word[1] == '-' || word[2] != '=') {
            continue;
        }
        for (auto const& option : options) {
            auto const names = option.all_names();
            bool const meant = std::ranges::find(names, word.substr(0, 2)) != names.end();
            if (meant && !option.takes_value() && names.back().starts_with("--")) {
                word.replace(0, 2, names.back());
                break;
            }
        }
    }
}

// What CLI11 made of the words.
struct Parsed {
    std::vector<std::vector<std::string>> values;  // of each option, in the order of the options
    std::vector<std::string> operands;
    std::vector<std::string> unknown;
};

// The fence around CLI11, which reports by exceptions.
Result<Parsed> parse_words(Command const& command, std::span<Option const> options,
                           std::vector<std::string> words) {
    Parsed parsed;
    parsed.values.resize(options.size());
    try {
        CLI::App app;
        app.set_help_flag();
        app.allow_extras();
        std::vector<CLI::Option*> handles;
        handles.reserve(options.size());
        for (std::size_t i = 0; i < options.size(); ++i) {
            handles.push_back(
                options[i].takes_value()
                    ? app.add_option(options[i].names, parsed.values[i])->allow_extra_args(false)
                    : app.add_flag(options[i].names));
        }
        app.add_option("operands", parsed.operands);
        std::ranges::reverse(words);  // CLI11 takes them from the back
        app.parse(std::move(words));
        for (std::size_t i = 0; i < options.size(); ++i) {
            if (!options[i].takes_value()) {
                parsed.values[i] = handles[i]->results();
            }
        }
        parsed.unknown = app.remaining();
        std::erase(parsed.unknown, "--");
    } catch (CLI::ArgumentMismatch const& error) {
        std::string const what = error.what();  // "--name: 1 required TEXT missing"
        return usage_error(command, what.substr(0, what.find(':')) + " takes a value");
    } catch (CLI::ParseError const& error) {
        std::string what = error.what();
        what.erase(std::ranges::find(what, '\n'), what.end());
        return usage_error(command, what);
    }
    return parsed;
}

}  // namespace

Command const* find_command(CommandTable const& table, std::string_view name) {
    auto const found = std::ranges::find_if(table, [&](Command const& command) {
        return command.name == name ||
               std::ranges::find(command.aliases, name) != command.aliases.end();
    });
    return found == table.end() ? nullptr : &*found;
}

std::vector<std::string> command_names(CommandTable const& table) {
    std::vector<std::string> names;
    for (auto const& command : table) {
        names.push_back(command.name);
        std::ranges::copy(command.aliases, std::back_inserter(names));
    }
    std::vector<std::string> groups;
    for (auto const& name : names) {
        if (auto const space = name.find(' '); space != std::string::npos) {
            groups.push_back(name.substr(0, space));
        }
    }
    std::ranges::copy(groups, std::back_inserter(names));
    std::ranges::sort(names);
    auto const repeated = std::ranges::unique(names);
    names.erase(repeated.begin(), repeated.end());
    return names;
}

std::vector<Command const*> group_commands(CommandTable const& table, std::string_view group) {
    std::vector<Command const*> commands;
    std::string const prefix = std::string{group} + ' ';
    for (auto const& command : table) {
        if (command.name.starts_with(prefix) ||
            std::ranges::any_of(command.aliases, [&](std::string const& alias) {
                return alias.starts_with(prefix);
            })) {
            commands.push_back(&command);
        }
    }
    return commands;
}

Result<CommandLine> find_command_words(CommandTable const& table,
                                       std::vector<Option> const& globals,
                                       std::span<std::string const> words) {
    std::size_t const at = count_leading_options(words, globals);
    CommandLine line;
    line.arguments.assign(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
    auto const rest = words.subspan(at);
    auto take_rest = [&](std::size_t command_words) {
        auto const behind = rest.subspan(command_words);
        line.arguments.insert(line.arguments.end(), behind.begin(), behind.end());
    };
    if (rest.empty()) {
        return line;
    }
    bool const is_group = !group_commands(table, rest[0]).empty();
    if (is_group && rest.size() > 1) {
        if (auto const* command = find_command(table, rest[0] + ' ' + rest[1])) {
            line.command = command;
            take_rest(2);
            return line;
        }
    }
    if (auto const* command = find_command(table, rest[0])) {
        line.command = command;
        take_rest(1);
        return line;
    }
    if (is_group && (rest.size() == 1 || is_option(rest[1]))) {
        line.group = rest[0];
        return line;
    }
    std::string const typed = is_group ? rest[0] + ' ' + rest[1] : rest[0];
    return fail(Errno::einval, "",
                fmt::format("no command '{}'{} (see 'oblea help')", typed,
                            did_you_mean(typed, command_names(table))));
}

Result<Outcome> parse_arguments(Command const& command, std::vector<Option> const& globals,
                                std::vector<std::string> arguments, Settings& settings) {
    std::vector<Option> options = command.options;
    options.insert(options.end(), globals.begin(), globals.end());

    if (command.options_end == Command::OptionsEnd::first_operand) {
        std::size_t const end = count_leading_options(arguments, options);
        if (end == arguments.size() || arguments[end] != "--") {
            arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(end), "--");
        }
    }
    auto const end_of_options = std::ranges::find(arguments, "--");
    if (std::any_of(arguments.begin(), end_of_options,
                    [](std::string const& word) { return word == "--help" || word == "-h"; })) {
        return Outcome::show_help;
    }

    spell_out_flag_values(options, std::span{arguments.begin(), end_of_options});
    Parsed const parsed = OBLEA_TRY(parse_words(command, options, std::move(arguments)));
    if (!parsed.unknown.empty()) {
        std::string const word = parsed.unknown.front().substr(0, parsed.unknown.front().find('='));
        return usage_error(command, fmt::format("unknown option '{}'{}", word,
                                                did_you_mean(word, option_names(options))));
    }
    for (std::size_t i = 0; i < options.size(); ++i) {
        OBLEA_TRY(settle_option(command, options[i], parsed.values[i], settings));
    }
    OBLEA_TRY(store_operands(command, parsed.operands));
    return Outcome::run;
}

}  // namespace oblea::tools
