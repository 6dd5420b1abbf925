// SPDX-License-Identifier: MIT
#include "tools/cli/confirm.h"

#include <string>

namespace oblea::tools {

bool confirm(Context const& context, std::string_view warning) {
    context.print(std::string{warning} + "\nAre you sure you want to continue? [y/N] ");
    std::fflush(context.streams().out);
    std::string answer;
    for (int c = 0; (c = std::fgetc(context.streams().in)) != EOF && c != '\n';) {
        answer += static_cast<char>(c);
    }
    return answer == "y" || answer == "Y";
}

}  // namespace oblea::tools
