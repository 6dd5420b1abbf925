// SPDX-License-Identifier: MIT
#include "tools/cli/completion_words.h"
#include "tools/cli/help_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace oblea::tools {

namespace {

std::string option_words(std::vector<Option> const& options) {
    std::vector<std::string> words;
    for (auto const& option : options) {
        for (auto const& name : option.all_names()) {
            words.push_back(name);
        }
    }
    return fmt::format("{}", fmt::join(words, " "));
}

std::string first_words_text(CommandTable const& table) {
    std::string text;
    for (auto const& [word, summary] : first_words(table)) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

std::string choice_cases(CommandTable const& table, std::vector<Option> const& globals) {
    std::string text;
    auto add = [&](std::string const& command, Option const& option) {
        if (!option.choices.empty()) {
            for (auto const& name : option.all_names()) {
                text += fmt::format("        \"{}:{}\") words=\"{}\" ;;\n", command, name,
                                    fmt::join(option.choices, " "));
            }
        }
    };
    for (auto const& command : table) {
        for (auto const& option : command.options) {
            add(command.name, option);
        }
    }
    for (auto const& option : globals) {
        for (auto const& name : option.all_names()) {
            if (!option.choices.empty()) {
                text += fmt::format("        *\":{}\") words=\"{}\" ;;\n", name,
                                    fmt::join(option.choices, " "));
            }
        }
    }
    return text;
}

std::string command_cases(CommandTable const& table, std::vector<Option> const& globals) {
    std::string text;
    for (auto const& command : table) {
        text += fmt::format("        \"{}\"", command.name);
        for (auto const& alias : command.aliases) {
            text += fmt::format(" | \"{}\"", alias);
        }
        char const* const names = offer_name(offer_of(command));
        text += fmt::format(") name=\"{}\"; offer=\"{}\"; options=\"{} {}\" ;;\n", command.name,
                            names, option_words(command.options), option_words(globals));
    }
    return text;
}

std::string group_cases(CommandTable const& table) {
    std::string text;
    for (auto const& name : command_names(table)) {
        auto const commands = group_commands(table, name);
        if (commands.empty()) {
            continue;
        }
        std::string words;
        for (auto const& full : command_names(table)) {
            if (full.starts_with(name + ' ')) {
                words += (words.empty() ? "" : " ") + full.substr(name.size() + 1);
            }
        }
        text += fmt::format("        {}) words=\"{}\" ;;\n", name, words);
    }
    return text;
}

}  // namespace

std::string bash_completion(CommandTable const& table, std::vector<Option> const& globals) {
    return fmt::format(
        R"SCRIPT(# bash completion for oblea; written by 'oblea help --completion bash'
_oblea_images() {{
    {images}
}}
_oblea_containers() {{
    {containers}
}}
_oblea_volumes() {{
    {volumes}
}}
_oblea() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local first="${{COMP_WORDS[1]}}" second="${{COMP_WORDS[2]}}" name="" options="" words="" offer=""
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "{first_words} {globals}" -- "$current")
        return
    fi
    if ((COMP_CWORD == 2)); then
        case $first in
{groups}        esac
        if [[ -n $words ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
            [[ -z ${{COMPREPLY[*]}} ]] || return
            words=""
        fi
    fi
    local spoken
    for spoken in "$first $second" "$first"; do
        case $spoken in
{commands}        *) continue ;;
        esac
        break
    done
    case "$name:$previous" in
{choices}    esac
    if [[ -n $words ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    elif [[ -n $offer ]]; then
        # The colon of NAME:TAG splits words where it is in COMP_WORDBREAKS.
        local typed="$current" before=""
        if declare -F _get_comp_words_by_ref >/dev/null; then
            _get_comp_words_by_ref -n : -c typed
        fi
        [[ $typed == *:* && $COMP_WORDBREAKS == *:* ]] && before="${{typed%"${{typed##*:}}"}}"
        mapfile -t COMPREPLY < <(compgen -W "$(_oblea_$offer)" -- "$typed")
        COMPREPLY=("${{COMPREPLY[@]#"$before"}}")
    else
        compopt -o default
        COMPREPLY=()
    fi
}}
complete -F _oblea oblea
)SCRIPT",
        fmt::arg("first_words", first_words_text(table)), fmt::arg("images", kListImages),
        fmt::arg("containers", kListContainers), fmt::arg("volumes", kListVolumes),
        fmt::arg("globals", option_words(globals)), fmt::arg("groups", group_cases(table)),
        fmt::arg("commands", command_cases(table, globals)),
        fmt::arg("choices", choice_cases(table, globals)));
}

}  // namespace oblea::tools
