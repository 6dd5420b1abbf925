// SPDX-License-Identifier: MIT
#include "tools/cli/help_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace oblea::tools {

namespace {

// Text as troff takes it: no requests, no escapes, hyphens that can be copied.
std::string troff(std::string_view text) {
    std::string result;
    bool line_start = true;
    for (char const c : text) {
        if (line_start && (c == '.' || c == '\'')) {
            result += "\\&";
        }
        if (c == '\\') {
            result += "\\e";
        } else if (c == '-') {
            result += "\\-";
        } else {
            result += c;
        }
        line_start = c == '\n';
    }
    return result;
}

// A description's paragraphs; empty lines are paragraph requests.
std::string troff_paragraphs(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        std::size_t const end = std::min(text.find("\n\n"), text.size());
        result += troff(text.substr(0, end)) + '\n';
        text.remove_prefix(std::min(end + 2, text.size()));
        if (!text.empty()) {
            result += ".PP\n";
        }
    }
    return result;
}

std::string title(std::string name) {
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return fmt::format(".TH {} 1 \"\" \"oblea {}\" \"oblea\"\n", name, OBLEA_VERSION);
}

std::string option_items(std::vector<Option> const& options) {
    std::string text;
    for (auto const& option : options) {
        text += ".TP\n";
        std::string names;
        for (auto const& name : option.all_names()) {
            names += (names.empty() ? "\\fB" : ", \\fB") + troff(name) + "\\fR";
        }
        text += names;
        if (option.takes_value()) {
            text += " \\fI" + troff(option.value_name) + "\\fR";
        }
        text += '\n' + troff(option.help) + ".\n";
        if (!option.config.empty()) {
            text += fmt::format("Configured as \\fB{}\\fR in oblea.toml or \\fB{}\\fR in the "
                                "environment.\n",
                                troff(option.config), variable_of(option.config));
        }
    }
    return text;
}

std::string page_name(Command const& command) {
    std::string name = "oblea-" + command.name;
    std::ranges::replace(name, ' ', '-');
    return name;
}

}  // namespace

std::string overview_man_page(CommandTable const& table, std::vector<Option> const& globals) {
    std::string text = title("oblea");
    text += ".SH NAME\noblea \\- stores and mounts container images\n";
    text += ".SH SYNOPSIS\n\\fBoblea\\fR [OPTIONS] COMMAND [ARGUMENTS...]\n";
    text += ".SH DESCRIPTION\n"
            "Stores container images by content and mounts them with a copy\\-on\\-write layer, "
            "without a daemon and without root.\n";
    text += ".SH COMMANDS\n";
    for (auto const& command : table) {
        text += fmt::format(".TP\n\\fB{}\\fR\n{}. See \\fB{}\\fR(1).\n", troff(command.name),
                            troff(command.summary), troff(page_name(command)));
    }
    text += ".SH GLOBAL OPTIONS\n" + option_items(globals);
    text += ".SH FILES\n.TP\n/etc/oblea/oblea.toml, $XDG_CONFIG_HOME/oblea/oblea.toml\n"
            "Settings, as this page and those of the commands name them; the user's win over the "
            "machine's. \\fBoblea info\\fR shows each with where it comes from.\n";
    text += ".SH ENVIRONMENT\n.TP\n\\fBOBLEA_CONFIG\\fR\nA file to read in place of those "
            "two.\n";
    text +=
        ".SH EXIT STATUS\n.TP\n0\nSuccess.\n.TP\n1\nAn error, named on standard error.\n.TP\n2\n"
        "The command line is wrong.\n.TP\n70\nA fault of the program itself.\n.TP\n125\n"
        "\\fBoblea chroot\\fR itself failed; otherwise it passes on the status of the program "
        "that it ran.\n.TP\n130\nInterrupted.\n";
    return text;
}

std::string command_man_page(Command const& command, std::vector<Option> const& globals) {
    std::string text = title(page_name(command));
    text += fmt::format(".SH NAME\n{} \\- {}\n", troff(page_name(command)), troff(command.summary));
    text += fmt::format(".SH SYNOPSIS\n{}\n", troff(command.usage()));
    for (auto const& alias : command.aliases) {
        text += fmt::format(".br\noblea {} ...\n", troff(alias));
    }
    text += ".SH DESCRIPTION\n" + troff_paragraphs(command.description);
    if (!command.operands.empty()) {
        text += ".SH ARGUMENTS\n";
        for (auto const& operand : command.operands) {
            text += fmt::format(".TP\n\\fI{}\\fR\n{}.\n", troff(operand.name), troff(operand.help));
        }
    }
    if (!command.options.empty()) {
        text += ".SH OPTIONS\n" + option_items(command.options);
    }
    text += ".SH GLOBAL OPTIONS\n" + option_items(globals);
    text += ".SH EXAMPLES\n";
    for (auto const& example : command.examples) {
        text +=
            fmt::format(".TP\n\\fB{}\\fR\n{}\n", troff(example.command), troff(example.meaning));
    }
    text += ".SH SEE ALSO\n\\fBoblea\\fR(1)\n";
    return text;
}

}  // namespace oblea::tools
