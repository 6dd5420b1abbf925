// SPDX-License-Identifier: MIT
#include "tools/cli/completion_words.h"
#include "tools/cli/help_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace oblea::tools {

namespace {

std::string in_quotes(std::string_view text) {
    std::string result = "'";
    for (char const c : text) {
        if (c == '\'' || c == '\\') {
            result += '\\';
        }
        result += c;
    }
    return result + '\'';
}

std::string option_line(std::string const& condition, Option const& option) {
    std::string text = "complete -c oblea" + condition;
    for (auto const& name : option.all_names()) {
        if (name.starts_with("--")) {
            text += " -l " + name.substr(2);
        } else {
            text += (name.size() == 2 ? " -s " : " -o ") + name.substr(1);
        }
    }
    if (option.takes_value()) {
        text += " -r";
    }
    if (!option.choices.empty()) {
        text += " -f -a " + in_quotes(fmt::format("{}", fmt::join(option.choices, " ")));
    }
    return text + " -d " + in_quotes(option.help) + '\n';
}

std::string command_lines(SpokenCommand const& spoken) {
    std::string const condition = " -n " + in_quotes("__oblea_is " + in_quotes(spoken.words));
    std::string text;
    std::size_t const space = spoken.words.find(' ');
    if (space != std::string::npos) {
        text += fmt::format("complete -c oblea -n {} -f -a {} -d {}\n",
                            in_quotes("__oblea_stands_behind " + spoken.words.substr(0, space)),
                            spoken.words.substr(space + 1), in_quotes(spoken.command->summary));
    }
    for (auto const& option : spoken.command->options) {
        text += option_line(condition, option);
    }
    Offer const offer = offer_of(*spoken.command);
    if (offer != Offer::files) {
        text +=
            fmt::format("complete -c oblea{} -f -a '(__oblea_{})'\n", condition, offer_name(offer));
    }
    return text;
}

}  // namespace

std::string fish_completion(CommandTable const& table, std::vector<Option> const& globals) {
    std::string text =
        fmt::format(R"(# fish completion for oblea; written by 'oblea help --completion fish'
function __oblea_is
    set -l words (commandline -opc)
    set -l last (math 1 + (count (string split ' ' -- $argv[1])))
    test (count $words) -ge $last; and test "$words[2..$last]" = "$argv[1]"
end
function __oblea_stands_behind
    set -l words (commandline -opc)
    test (count $words) -eq 2; and test "$words[2]" = "$argv[1]"
end
function __oblea_images
    {}
end
function __oblea_containers
    {}
end
function __oblea_volumes
    {}
end
)",
                    kListImages, kListContainers, kListVolumes);
    for (auto const& [word, summary] : first_words(table)) {
        text += fmt::format("complete -c oblea -n 'test (count (commandline -opc)) -eq 1' -f -a {} "
                            "-d {}\n",
                            word, in_quotes(summary));
    }
    for (auto const& option : globals) {
        text += option_line("", option);
    }
    for (auto const& spoken : spoken_commands(table)) {
        text += command_lines(spoken);
    }
    return text;
}

}  // namespace oblea::tools
