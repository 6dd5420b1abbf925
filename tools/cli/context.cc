// SPDX-License-Identifier: MIT
#include "tools/cli/context.h"

#include "store/layer/layer_limits.h"
#include "tools/output/plain_text.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cstring>

namespace oblea::tools {

namespace {

void write_text(std::FILE* stream, std::string_view text) {
    // A failing write is seen at the end, when the stream is flushed.
    static_cast<void>(std::fwrite(text.data(), 1, text.size(), stream));
}

std::vector<std::string> layer_limit_names() {
    std::vector<std::string> names;
    for (auto const& field : store::kLayerLimitFields) {
        names.emplace_back(field.name);
    }
    return names;
}

}  // namespace

bool is_terminal(std::FILE* stream) {
    return ::isatty(::fileno(stream)) != 0;
}

std::vector<Option> global_options(GlobalOptions& target) {
    return {
        {.names = "--root",
         .value_name = "DIR",
         .help = "The store; default: /var/lib/oblea for root and "
                 "~/.local/share/oblea for others",
         .target = &target.root,
         .config = "root"},
        {.names = "--store",
         .value_name = "DIR",
         .help = "A shared store to find images in, after the own one; repeatable",
         .target = &target.stores,
         .config = "stores"},
        {.names = "--layer-limit",
         .value_name = "NAME=NUMBER",
         .help = "What a layer that comes in may have: entries, depth (of paths), file_bytes, "
                 "layer_bytes, xattr_bytes (of a file), ratio (of compression); repeatable",
         .target = &target.limits,
         .config = "limits",
         .fields = layer_limit_names()},
        {.names = "--log-level",
         .value_name = "LEVEL",
         .help = "What to say on standard error: error, warning or info",
         .target = &target.log_level,
         .choices = {"error", "warning", "info"},
         .config = "log_level"},
        {.names = "-j,--jobs",
         .value_name = "N",
         .help = "Threads to work with; default: one for each processor",
         .target = &target.jobs,
         .config = "jobs"},
        {.names = "--json",
         .value_name = "",
         .help = "Errors and warnings as JSON, one object a line",
         .target = &target.json,
         .config = "json"},
        {.names = "-h,--help",
         .value_name = "",
         .help = "Show the help of the command",
         .target = &target.help},
    };
}

void Context::print(std::string_view text) const {
    write_text(streams_.out, text);
}

void Context::line(std::string_view text) const {
    write_text(streams_.out, std::string{text} + '\n');
}

void Context::write_message(std::string_view level, std::string_view message,
                            std::optional<Errno> code) const {
    // Where both streams are one, results that were printed before stand before. A failure to write
    // them is seen at the end.
    static_cast<void>(std::fflush(streams_.out));
    std::string line;
    if (globals.json) {
        nlohmann::ordered_json object = {{"level", level}, {"message", message}};
        if (code.has_value()) {
            char const* const name = ::strerrorname_np(static_cast<int>(*code));
            object["code"] = name == nullptr ? std::to_string(static_cast<int>(*code)) : name;
        }
        line = object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    } else {
        bool const named = level == "warning";
        line = (named ? "oblea: warning: " : "oblea: ") + one_line(message);
    }
    // One call, so that lines of several threads do not mix.
    write_text(streams_.err, line + '\n');
}

void Context::error(std::string_view message) const {
    write_message("error", message, std::nullopt);
}

void Context::error(Error const& error) const {
    write_message("error", error.message(), error.code);
}

void Context::warning(std::string_view message) const {
    if (globals.log_level != "error") {
        write_message("warning", message, std::nullopt);
    }
}

void Context::note(std::string_view message) const {
    if (globals.log_level == "info") {
        write_message("info", message, std::nullopt);
    }
}

}  // namespace oblea::tools
