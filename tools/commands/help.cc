// SPDX-License-Identifier: MIT
#include "tools/cli/help_text.h"

#include "tools/cli/context.h"
#include "tools/cli/run_program.h"
#include "tools/cli/suggest.h"
#include "tools/commands/commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

namespace oblea::tools {

namespace {

struct HelpOptions {
    std::vector<std::string> words;
    bool man = false;
    std::optional<std::string> completion;
};

Result<int> show_help(Context& context, HelpOptions const& options) {
    CommandTable const table = command_table();
    auto const globals = global_options(context.globals);
    if (options.completion.has_value()) {
        std::string const& shell = *options.completion;
        context.print(shell == "fish"  ? fish_completion(table, globals)
                      : shell == "zsh" ? zsh_completion(table, globals)
                                       : bash_completion(table, globals));
        return exit_code::kSuccess;
    }
    if (options.words.empty()) {
        context.print(options.man ? overview_man_page(table, globals)
                                  : overview_text(table, globals));
        return exit_code::kSuccess;
    }
    std::string const name = fmt::format("{}", fmt::join(options.words, " "));
    if (auto const* command = find_command(table, name)) {
        context.print(options.man ? command_man_page(*command, globals)
                                  : command_text(*command, globals));
        return exit_code::kSuccess;
    }
    if (!group_commands(table, name).empty()) {
        context.print(group_text(table, name));
        return exit_code::kSuccess;
    }
    return fail(Errno::einval, "",
                fmt::format("no command '{}'{}", name, did_you_mean(name, command_names(table))));
}

}  // namespace

Command help_command() {
    auto options = std::make_shared<HelpOptions>();
    return {
        .name = "help",
        .aliases = {},
        .section = Command::Section::about,
        .summary = "Show the help of oblea or of a command",
        .description = "Without a command it lists all commands. --man and --completion write what "
                       "is installed as man pages and for shells.",
        .operands = {{.name = "COMMAND",
                      .help = "The command, in one word or two (image ls)",
                      .target = &options->words,
                      .least = 0}},
        .options = {{.names = "--man",
                     .value_name = "",
                     .help = "Write the man page instead",
                     .target = &options->man},
                    {.names = "--completion",
                     .value_name = "SHELL",
                     .help = "Write the completion script of a shell instead",
                     .target = &options->completion,
                     .choices = {"bash", "fish", "zsh"}}},
        .examples = {{"oblea help mount", "Everything that mount can do"},
                     {"source <(oblea help --completion bash)", "Completion in this shell"}},
        .run = [options](Context& context) { return show_help(context, *options); },
    };
}

}  // namespace oblea::tools
