// SPDX-License-Identifier: MIT
#include "tools/cli/run_program.h"

#include "tools/cli/help_text.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/mount_helper.h"
#include "tools/commands/commands.h"
#include "tools/mount/successor.h"
#include "tools/overlay/served_overlay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <span>

namespace oblea::tools {

namespace {

std::string program_name(std::vector<std::string> const& words) {
    if (words.empty()) {
        return "oblea";
    }
    std::string const& path = words.front();
    return path.substr(path.rfind('/') + 1);
}

// A file that happens to be opened as descriptor 1 or 2 must not receive our texts.
void fill_standard_descriptors() {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (::fcntl(fd, F_GETFD) < 0) {
            static_cast<void>(::open("/dev/null", O_RDWR));  // takes the lowest free number
        }
    }
}

// Results that could not be written are a failure, whatever the command thinks.
int flush_output(Context const& context, int status) {
    std::FILE* const out = context.streams().out;
    bool const failed_before = std::ferror(out) != 0;
    if (std::fflush(out) == 0 && !failed_before) {
        return status;
    }
    context.error("standard output cannot be written");
    return status == exit_code::kSuccess ? exit_code::kFailure : status;
}

int run_command(Context& context, Command const& command) {
    // All parallel work of the process is done by one pool of threads.
    std::optional<tbb::global_control> bound;
    if (context.globals.jobs != 0) {
        bound.emplace(tbb::global_control::max_allowed_parallelism, context.globals.jobs);
    }
    auto const status = command.run(context);
    if (status.has_value()) {
        return flush_output(context, *status);
    }
    if (status.error().code == Errno::ecanceled && Interrupt::signal_number() != 0) {
        context.error("interrupted");
        return exit_code::kSignalBase + Interrupt::signal_number();
    }
    context.error(status.error());
    return flush_output(context, command.failure_exit);
}

// What `oblea --version`, `oblea --help` and `oblea` alone stand for; other options come to the
// help command, which complains of them.
std::vector<std::string> words_without_command(std::vector<std::string> const& arguments) {
    auto has = [&](std::string_view word) {
        return std::ranges::find(arguments, word) != arguments.end();
    };
    if (has("--version") || has("-v")) {
        return {"version"};
    }
    std::vector<std::string> words{"help"};
    if (!has("--help") && !has("-h")) {
        words.insert(words.end(), arguments.begin(), arguments.end());
    }
    return words;
}

std::vector<Option> all_options(CommandTable const& table, std::vector<Option> const& globals) {
    std::vector<Option> options = globals;
    for (Command const& command : table) {
        options.insert(options.end(), command.options.begin(), command.options.end());
    }
    return options;
}

int run_words(Context& context, std::vector<std::string> const& words) {
    CommandTable const table = command_table();
    auto const globals = global_options(context.globals);
    // What is wrong with the words themselves is told as they ask for it.
    bool const wants_json = std::ranges::find(words, "--json") != words.end();
    context.globals.json = wants_json;
    auto const line = find_command_words(table, globals, words);
    if (!line.has_value()) {
        context.error(line.error().detail);
        return exit_code::kUsage;
    }
    if (!line->group.empty()) {
        context.print(group_text(table, line->group));
        return flush_output(context, exit_code::kSuccess);
    }
    if (line->command == nullptr) {
        return run_words(context, words_without_command(line->arguments));
    }
    context.globals.json = false;
    auto settings = read_settings(all_options(table, globals));
    if (settings.has_value()) {
        context.settings = *std::move(settings);
    }
    auto const outcome =
        parse_arguments(*line->command, globals, line->arguments, context.settings);
    if (!outcome.has_value()) {
        context.globals.json = wants_json;
        context.error(outcome.error().detail);
        return line->command->usage_exit;
    }
    if (*outcome == Outcome::show_help) {
        context.print(command_text(*line->command, globals));
        return flush_output(context, exit_code::kSuccess);
    }
    // Help is to be had all the same.
    if (!settings.has_value() && line->command->name != "help") {
        context.error(settings.error());
        return line->command->usage_exit;
    }
    return run_command(context, *line->command);
}

int run_mount_helper(Context& context, std::vector<std::string> const& words) {
    auto const translated = translate_mount_helper(std::span{words}.subspan(1));
    if (!translated.has_value()) {
        context.error(translated.error().detail);
        return exit_code::kFailure;  // mount(8): 1 is incorrect invocation
    }
    auto const& mount_words = *translated;
    return mount_words.has_value() ? run_words(context, *mount_words) : exit_code::kSuccess;
}

// The program that podman and buildah name as mount_program.
int run_overlay(Context& context, std::vector<std::string> words) {
    std::span const arguments = std::span{words}.subspan(1);
    auto const asks = [&](std::string_view word) {
        return std::ranges::find(arguments, word) != arguments.end();
    };
    if (asks("--version") || asks("-V")) {
        // The first line in the form in which they show it.
        context.line("oblea-overlay: version " OBLEA_VERSION);
        context.line("FUSE library version " OBLEA_LIBFUSE_VERSION);
        return flush_output(context, exit_code::kSuccess);
    }
    words.front() = "overlay";
    return run_words(context, words);
}

}  // namespace

int run_program(std::vector<std::string> words, Streams streams) {
    fill_standard_descriptors();
    Context context{streams};
    if (is_successor(words)) {
        return run_successor(words, ServedOverlay::adopt);
    }
    std::string const name = program_name(words);
    if (name == "mount.oblea" || name == "mount.fuse.oblea") {
        return run_mount_helper(context, words);
    }
    if (name == "oblea-overlay") {
        return run_overlay(context, words);
    }
    if (!words.empty()) {
        words.erase(words.begin());
    }
    return run_words(context, words);
}

}  // namespace oblea::tools
