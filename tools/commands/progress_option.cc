// SPDX-License-Identifier: MIT
#include "tools/commands/progress_option.h"

namespace oblea::tools {

Option progress_option(std::string& target) {
    return {.names = "--progress",
            .value_name = "KIND",
            .help = "auto, tty (live lines), plain (a line per event), json (the same as JSON) or "
                    "none",
            .target = &target,
            .choices = {"auto", "tty", "plain", "json", "none"},
            .config = "progress"};
}

ProgressMode parse_progress_mode(std::string_view text) {
    if (text == "tty") {
        return ProgressMode::tty;
    }
    if (text == "plain") {
        return ProgressMode::plain;
    }
    if (text == "json") {
        return ProgressMode::json;
    }
    return text == "none" ? ProgressMode::none : ProgressMode::automatic;
}

}  // namespace oblea::tools
