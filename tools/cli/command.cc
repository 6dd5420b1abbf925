// SPDX-License-Identifier: MIT
#include "tools/cli/command.h"

namespace oblea::tools {

std::vector<std::string> Option::all_names() const {
    std::vector<std::string> result;
    std::size_t start = 0;
    while (start <= names.size()) {
        std::size_t const end = std::min(names.find(',', start), names.size());
        result.push_back(names.substr(start, end - start));
        start = end + 1;
    }
    return result;
}

std::string Operand::usage() const {
    if (std::holds_alternative<std::string*>(target)) {
        return name;
    }
    if (std::holds_alternative<std::optional<std::string>*>(target)) {
        return '[' + name + ']';
    }
    return least == 0 ? '[' + name + "...]" : name + "...";
}

std::string Command::usage() const {
    std::string text = "oblea " + name;
    if (!options.empty()) {
        text += " [OPTIONS]";
    }
    for (auto const& operand : operands) {
        text += ' ' + operand.usage();
    }
    return text;
}

}  // namespace oblea::tools
