// SPDX-License-Identifier: MIT
#include "tools/cli/completion_words.h"
#include "tools/cli/help_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace oblea::tools {

namespace {

// Within single quotes, in a specification of _arguments or _describe.
std::string escaped(std::string_view text) {
    std::string result;
    for (char const c : text) {
        if (c == '\'') {
            result += "'\\''";
        } else if (c == '[' || c == ']' || c == ':' || c == '\\') {
            result += '\\';
            result += c;
        } else {
            result += c;
        }
    }
    return result;
}

// "'(-a --all)'{-a,--all}'[help]:NAME:(choices)'"
std::string option_spec(Option const& option) {
    auto const names = option.all_names();
    std::string value;
    if (option.takes_value()) {
        value = fmt::format(":{}:{}", escaped(option.value_name),
                            option.choices.empty()
                                ? "_files"
                                : fmt::format("({})", fmt::join(option.choices, " ")));
    }
    bool const repeats = std::holds_alternative<std::vector<std::string>*>(option.target);
    std::string const help = fmt::format("[{}]{}", escaped(option.help), value);
    std::string const prefix = repeats ? "*" : fmt::format("({})", fmt::join(names, " "));
    if (names.size() == 1) {
        return fmt::format("'{}{}{}'", repeats ? "*" : "", names.front(), help);
    }
    return fmt::format("'{}'{{{}}}'{}'", prefix, fmt::join(names, ","), help);
}

std::string command_case(SpokenCommand const& spoken, std::vector<Option> const& globals) {
    bool const two = spoken.words.find(' ') != std::string::npos;
    // _arguments counts from behind the command's last word.
    std::string text = fmt::format(
        "    {})\n        shift {} words; (( CURRENT -= {} ))\n        _arguments -s",
        two ? '"' + spoken.words + '"' : '"' + spoken.words + " \"*", two ? 2 : 1, two ? 2 : 1);
    Command const& command = *spoken.command;
    for (auto const& list : {command.options, globals}) {
        for (auto const& option : list) {
            text += " \\\n            " + option_spec(option);
        }
    }
    Offer const offer = offer_of(command);
    std::string const names =
        offer == Offer::files ? "_files" : std::string{"_oblea_"} + offer_name(offer);
    return text + fmt::format(" \\\n            '*:{}:{}' ;;\n",
                              command.operands.empty() ? "argument"
                                                       : escaped(command.operands.back().name),
                              names);
}

std::string described(std::vector<FirstWord> const& words) {
    std::string text;
    for (auto const& [word, summary] : words) {
        text += fmt::format(" \\\n        '{}:{}'", word, escaped(summary));
    }
    return text;
}

std::string zsh_group_cases(CommandTable const& table) {
    std::string text;
    for (auto const& [group, summary] : first_words(table)) {
        std::vector<FirstWord> words;
        for (auto const& spoken : spoken_commands(table)) {
            if (spoken.words.starts_with(group + ' ')) {
                words.push_back({.word = spoken.words.substr(group.size() + 1),
                                 .summary = spoken.command->summary});
            }
        }
        if (!words.empty()) {
            text += fmt::format("    {}) commands=({}) ;;\n", group, described(words));
        }
    }
    return text;
}

}  // namespace

std::string zsh_completion(CommandTable const& table, std::vector<Option> const& globals) {
    std::string cases;
    for (auto const& spoken : spoken_commands(table)) {
        cases += command_case(spoken, globals);
    }
    return fmt::format(R"SCRIPT(#compdef oblea
# zsh completion for oblea; written by 'oblea help --completion zsh'
_oblea_images() {{
    local -a names
    names=(${{(f)"$({images})"}})
    compadd -a names
}}
_oblea_containers() {{
    local -a names
    names=(${{(f)"$({containers})"}})
    compadd -a names
}}
_oblea_volumes() {{
    local -a names
    names=(${{(f)"$({volumes})"}})
    compadd -a names
}}
_oblea() {{
    local -a commands
    if (( CURRENT == 2 )); then
        commands=({first})
        _describe command commands
        return
    fi
    if (( CURRENT == 3 )); then
        case $words[2] in
{groups}        esac
        if (( $#commands )); then
            _describe command commands
            return
        fi
    fi
    local spoken="$words[2] $words[3]"
    case $spoken in
{cases}    esac
}}
_oblea "$@"
)SCRIPT",
                       fmt::arg("images", kListImages), fmt::arg("containers", kListContainers),
                       fmt::arg("volumes", kListVolumes),
                       fmt::arg("first", described(first_words(table))),
                       fmt::arg("groups", zsh_group_cases(table)), fmt::arg("cases", cases));
}

}  // namespace oblea::tools
