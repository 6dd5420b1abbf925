// SPDX-License-Identifier: MIT
#include "tools/cli/context.h"

#include "tools/output/plain_text.h"

namespace oblea::tools {

namespace {

void write_text(std::FILE* stream, std::string_view text) {
    // A failing write is seen at the end, when the stream is flushed.
    static_cast<void>(std::fwrite(text.data(), 1, text.size(), stream));
}

void write_message(std::FILE* stream, std::string_view kind, std::string_view message) {
    // One call, so that lines of several threads do not mix.
    write_text(stream, "oblea: " + std::string{kind} + one_line(message) + '\n');
}

}  // namespace

std::vector<Option> global_options(GlobalOptions& target) {
    return {
        {.names = "--root",
         .value_name = "DIR",
         .help = "The store; default: OBLEA_ROOT, else /var/lib/oblea for root and "
                 "~/.local/share/oblea for others",
         .target = &target.root,
         .choices = {}},
        {.names = "--log-level",
         .value_name = "LEVEL",
         .help = "What to say on standard error: error, warning or info",
         .target = &target.log_level,
         .choices = {"error", "warning", "info"}},
        {.names = "-j,--jobs",
         .value_name = "N",
         .help = "Threads to work with; default: one for each processor",
         .target = &target.jobs,
         .choices = {}},
        {.names = "-h,--help",
         .value_name = "",
         .help = "Show the help of the command",
         .target = &target.help,
         .choices = {}},
    };
}

void Context::print(std::string_view text) const {
    write_text(streams_.out, text);
}

void Context::line(std::string_view text) const {
    write_text(streams_.out, std::string{text} + '\n');
}

void Context::error(std::string_view message) const {
    // Where both streams are one, results that were printed before stand before. A failure to write
    // them is seen at the end.
    static_cast<void>(std::fflush(streams_.out));
    write_message(streams_.err, "", message);
}

void Context::warning(std::string_view message) const {
    if (globals.log_level != "error") {
        write_message(streams_.err, "warning: ", message);
    }
}

void Context::note(std::string_view message) const {
    if (globals.log_level == "info") {
        write_message(streams_.err, "", message);
    }
}

}  // namespace oblea::tools
