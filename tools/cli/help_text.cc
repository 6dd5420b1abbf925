// SPDX-License-Identifier: MIT
#include "tools/cli/help_text.h"

#include "tools/output/plain_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace oblea::tools {

namespace {

constexpr std::size_t kTextWidth = 96;
constexpr std::size_t kOptionColumn = 28;
constexpr std::size_t kNameColumn = 21;

struct SectionTitle {
    Command::Section section;
    char const* title;
};
constexpr std::array kSections{
    SectionTitle{Command::Section::images, "Images"},
    SectionTitle{Command::Section::mounts, "Mounts"},
    SectionTitle{Command::Section::containers, "Containers"},
    SectionTitle{Command::Section::store, "Store"},
    SectionTitle{Command::Section::about, "About"},
};

// "  left          right", the right side wrapped in its column.
std::string two_columns(std::string const& left, std::string const& right, std::size_t column) {
    std::string text = "  " + left;
    std::size_t const width = display_width(text);
    text +=
        width + 2 <= column ? std::string(column - width, ' ') : '\n' + std::string(column, ' ');
    return text + wrap(right, kTextWidth - column, column) + '\n';
}

std::string option_left(Option const& option) {
    auto const names = option.all_names();
    std::string text =
        fmt::format("{}{}", names.front().starts_with("--") ? "    " : "", fmt::join(names, ", "));
    if (option.takes_value()) {
        text += ' ' + option.value_name;
    }
    return text;
}

std::string options_text(std::vector<Option> const& options) {
    std::string text;
    for (auto const& option : options) {
        text += two_columns(option_left(option), option.help, kOptionColumn);
    }
    return text;
}

// Each paragraph of a description, wrapped.
std::string paragraphs(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        std::size_t const end = std::min(text.find("\n\n"), text.size());
        result += wrap(text.substr(0, end), kTextWidth, 0) + "\n\n";
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    return result;
}

}  // namespace

std::string overview_text(CommandTable const& table, std::vector<Option> const& globals) {
    std::string text = "Usage: oblea [OPTIONS] COMMAND [ARGUMENTS...]\n\n"
                       "Stores container images by content and mounts them, without a daemon and "
                       "without root.\n";
    for (auto const& [section, title] : kSections) {
        std::string commands;
        for (auto const& command : table) {
            if (command.section == section) {
                commands += two_columns(command.name, command.summary, kNameColumn);
            }
        }
        if (!commands.empty()) {
            text += fmt::format("\n{}:\n", title) + commands;
        }
    }
    text += "\nGlobal options:\n" + options_text(globals);
    text += "\n'oblea help COMMAND' says more, with examples.\n";
    return text;
}

std::string command_text(Command const& command, std::vector<Option> const& globals) {
    std::string text = fmt::format("Usage: {}\n\n{}.\n\n", command.usage(), command.summary);
    text += paragraphs(command.description);
    if (!command.aliases.empty()) {
        text += fmt::format("Also: oblea {}\n\n", fmt::join(command.aliases, ", oblea "));
    }
    if (!command.operands.empty()) {
        text += "Arguments:\n";
        for (auto const& operand : command.operands) {
            text += two_columns(operand.name, operand.help, kOptionColumn);
        }
        text += '\n';
    }
    if (!command.options.empty()) {
        text += "Options:\n" + options_text(command.options) + '\n';
    }
    text += "Global options:\n" + options_text(globals);
    text += "\nExamples:\n";
    for (auto const& example : command.examples) {
        text += fmt::format("  {}\n      {}\n", example.command, example.meaning);
    }
    return text;
}

std::string group_text(CommandTable const& table, std::string_view group) {
    std::string text = fmt::format("Usage: oblea {} COMMAND\n\nCommands:\n", group);
    std::string const prefix = std::string{group} + ' ';
    for (auto const* command : group_commands(table, group)) {
        std::string name = command->name;
        for (auto const& alias : command->aliases) {
            if (!name.starts_with(prefix) && alias.starts_with(prefix)) {
                name = alias;
            }
        }
        text += two_columns(name.starts_with(prefix) ? name.substr(prefix.size()) : name,
                            command->summary, 14);
    }
    return text;
}

}  // namespace oblea::tools
