// SPDX-License-Identifier: MIT
#include "tools/cli/completion_words.h"

#include <algorithm>

namespace oblea::tools {

Offer offer_of(Operand const& operand) {
    if (operand.name == "IMAGE" || operand.name == "FROM") {
        return Offer::images;
    }
    if (operand.name == "VOLUME") {
        return Offer::volumes;
    }
    return operand.name == "CONTAINER" ? Offer::containers : Offer::files;
}

Offer offer_of(Command const& command) {
    for (auto const& operand : command.operands) {
        if (Offer const offer = offer_of(operand); offer != Offer::files) {
            return offer;
        }
    }
    return Offer::files;
}

char const* offer_name(Offer offer) {
    switch (offer) {
    case Offer::images:
        return "images";
    case Offer::containers:
        return "containers";
    case Offer::volumes:
        return "volumes";
    case Offer::files:
        break;
    }
    return "";
}

std::vector<SpokenCommand> spoken_commands(CommandTable const& table) {
    std::vector<SpokenCommand> spoken;
    for (auto const& command : table) {
        spoken.push_back({.words = command.name, .command = &command});
        for (auto const& alias : command.aliases) {
            spoken.push_back({.words = alias, .command = &command});
        }
    }
    return spoken;
}

std::vector<FirstWord> first_words(CommandTable const& table) {
    std::vector<FirstWord> words;
    for (auto const& name : command_names(table)) {
        if (name.find(' ') != std::string::npos) {
            continue;
        }
        Command const* const command = find_command(table, name);
        words.push_back(
            {.word = name,
             .summary = command == nullptr ? "Commands on " + name + 's' : command->summary});
    }
    return words;
}

}  // namespace oblea::tools
