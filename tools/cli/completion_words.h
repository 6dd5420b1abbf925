// SPDX-License-Identifier: MIT
// What all completion scripts offer, whatever the shell. Pure.
#pragma once
#include "tools/cli/command_line.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

// What an operand is completed with. Its name tells: IMAGE and FROM are images, CONTAINER is a
// container, VOLUME a volume, everything else may be a file.
enum class Offer { files, images, containers, volumes };
[[nodiscard]] Offer offer_of(Operand const& operand);
// Of the operands of a command, the first that is not files.
[[nodiscard]] Offer offer_of(Command const& command);

// The commands that print the names, for the scripts to run.
inline constexpr char const* kListImages =
    "oblea images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | grep -v '<none>'";
inline constexpr char const* kListContainers = "oblea ps -a --format '{{.Names}}' 2>/dev/null";

inline constexpr char const* kListVolumes = "oblea volume ls -q 2>/dev/null";

// "images", as the function of a script that lists them is called; empty for files.
[[nodiscard]] char const* offer_name(Offer offer);

struct SpokenCommand {
    std::string words;  // "images", "image ls"
    Command const* command = nullptr;
};
// Every name and alias of every command.
[[nodiscard]] std::vector<SpokenCommand> spoken_commands(CommandTable const& table);

// The first words there are, groups included, each with a summary.
struct FirstWord {
    std::string word;
    std::string summary;
};
[[nodiscard]] std::vector<FirstWord> first_words(CommandTable const& table);

}  // namespace oblea::tools
