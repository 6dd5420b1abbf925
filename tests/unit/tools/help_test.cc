// SPDX-License-Identifier: MIT
#include "tools/cli/help_text.h"

#include "tests/support/catch.h"
#include "tools/cli/context.h"
#include "tools/cli/run_program.h"

#include <algorithm>
#include <cstdlib>
#include <set>

using namespace oblea::tools;
using Catch::Matchers::Contains;

namespace {

std::string without_backslashes(std::string text) {
    std::erase(text, '\\');
    return text;
}

// The line that begins with `indent` and the option's names.
bool has_option_line(std::string const& help, Option const& option) {
    std::string const last = option.all_names().back();
    return help.find(last + ' ') != std::string::npos ||
           help.find(last + '\n') != std::string::npos;
}

struct Output {
    int status = 0;
    std::string out;
    std::string err;
};

// Runs the program in this process.
Output run(std::vector<std::string> words) {
    char* out = nullptr;
    char* err = nullptr;
    std::size_t out_size = 0;
    std::size_t err_size = 0;
    std::FILE* const out_stream = ::open_memstream(&out, &out_size);
    std::FILE* const err_stream = ::open_memstream(&err, &err_size);
    Output result;
    result.status = run_program(std::move(words), {.out = out_stream, .err = err_stream});
    std::fclose(out_stream);
    std::fclose(err_stream);
    result.out.assign(out, out_size);
    result.err.assign(err, err_size);
    std::free(out);
    std::free(err);
    return result;
}

}  // namespace

TEST_CASE("every command is described in full", "[tools][help]") {
    GlobalOptions values;
    auto const globals = global_options(values);
    for (auto const& command : command_table()) {
        CAPTURE(command.name);
        CHECK(!command.summary.empty());
        CHECK(command.summary.back() != '.');
        CHECK(!command.examples.empty());
        CHECK(command.run);
        std::string const help = command_text(command, globals);
        std::string const man = without_backslashes(command_man_page(command, globals));
        CHECK_THAT(help, Contains(command.usage()));
        CHECK_THAT(man, Contains(command.usage()));
        auto options = command.options;
        options.insert(options.end(), globals.begin(), globals.end());
        for (auto const& option : options) {
            CAPTURE(option.names);
            CHECK(!option.help.empty());
            CHECK(option.help.back() != '.');
            CHECK(has_option_line(help, option));
            for (auto const& name : option.all_names()) {
                CHECK_THAT(help, Contains(name));
                CHECK_THAT(man, Contains("fB" + name + "fR"));
            }
            CHECK(option.takes_value() != option.value_name.empty());
        }
        for (auto const& operand : command.operands) {
            CHECK(!operand.help.empty());
            CHECK_THAT(man, Contains(operand.help));
        }
        for (auto const& example : command.examples) {
            CHECK_THAT(help, Contains(example.command));
            CHECK_THAT(example.command, Contains("oblea "));
        }
    }
}

TEST_CASE("no word names two commands, and no letter two options", "[tools][help]") {
    GlobalOptions values;
    auto const globals = global_options(values);
    std::set<std::string> names;
    for (auto const& command : command_table()) {
        CAPTURE(command.name);
        CHECK(names.insert(command.name).second);
        for (auto const& alias : command.aliases) {
            CHECK(names.insert(alias).second);
        }
        std::set<std::string> options;
        for (auto const& list : {command.options, globals}) {
            for (auto const& option : list) {
                for (auto const& name : option.all_names()) {
                    CAPTURE(name);
                    CHECK(options.insert(name).second);
                }
            }
        }
    }
}

TEST_CASE("only the last operand may take what is left", "[tools][help]") {
    for (auto const& command : command_table()) {
        CAPTURE(command.name);
        for (std::size_t i = 0; i + 1 < command.operands.size(); ++i) {
            CHECK(!std::holds_alternative<std::vector<std::string>*>(command.operands[i].target));
        }
    }
}

TEST_CASE("the overview and the completion know every command", "[tools][help]") {
    GlobalOptions values;
    auto const globals = global_options(values);
    auto const table = command_table();
    auto const overview = overview_text(table, globals);
    auto const man = without_backslashes(overview_man_page(table, globals));
    auto const completion = bash_completion(table, globals);
    auto const fish = fish_completion(table, globals);
    auto const zsh = zsh_completion(table, globals);
    for (auto const& command : table) {
        CAPTURE(command.name);
        CHECK_THAT(overview, Contains("\n  " + command.name + ' '));
        CHECK_THAT(man, Contains("fB" + command.name + "fR"));
        CHECK_THAT(completion, Contains('"' + command.name + '"'));
        CHECK_THAT(fish, Contains(" -a " + command.name.substr(command.name.find(' ') + 1) + ' '));
        CHECK_THAT(zsh, Contains('"' + command.name));
        for (auto const& option : command.options) {
            std::string const name = option.all_names().back();
            CHECK_THAT(completion, Contains(name));
            CHECK_THAT(fish, Contains(name.substr(name.starts_with("--") ? 2 : 1)));
            CHECK_THAT(zsh, Contains(name));
        }
    }
}

TEST_CASE("lines of help fit a terminal", "[tools][help]") {
    GlobalOptions values;
    auto const globals = global_options(values);
    for (auto const& command : command_table()) {
        std::string const help = command_text(command, globals);
        std::size_t start = 0;
        while (start < help.size()) {
            std::size_t const end = help.find('\n', start);
            CAPTURE(help.substr(start, end - start));
            CHECK(end - start <= 110);
            start = end + 1;
        }
    }
}

TEST_CASE("the program says what it is, and what it does not know", "[tools][run]") {
    auto const version = run({"oblea", "version"});
    CHECK(version.status == 0);
    CHECK_THAT(version.out, Catch::Matchers::StartsWith("oblea "));
    CHECK(run({"oblea", "--version"}).out == version.out);
    CHECK(run({"oblea"}).out == run({"oblea", "help"}).out);
    CHECK(run({"oblea", "--help"}).out == run({"oblea", "help"}).out);
    CHECK(run({"oblea", "images", "--help"}).out == run({"oblea", "help", "images"}).out);
    CHECK(run({"oblea", "image", "ls", "-h"}).out == run({"oblea", "help", "images"}).out);
    CHECK_THAT(run({"oblea", "image"}).out, Contains("ls"));

    auto const unknown = run({"oblea", "verison"});
    CHECK(unknown.status == exit_code::kUsage);
    CHECK(unknown.out.empty());
    CHECK(unknown.err ==
          "oblea: no command 'verison'; did you mean 'version'? (see 'oblea help')\n");
    CHECK(run({"oblea", "--bogus"}).status == exit_code::kUsage);
    CHECK(run({"oblea", "images", "--bogus"}).status == exit_code::kUsage);
    CHECK(run({"oblea", "help", "nosuch"}).status == exit_code::kFailure);
}

TEST_CASE("oblea-overlay is a name of oblea overlay", "[tools][run]") {
    auto const overlay = run({"/usr/bin/oblea-overlay", "-o", "lowerdir=/no/such/folder", "b"});
    CHECK(overlay.status == exit_code::kFailure);
    CHECK_THAT(overlay.err, Contains("/no/such/folder") && Contains("No such file"));
    CHECK(run({"oblea-overlay", "--help"}).out == run({"oblea", "help", "overlay"}).out);
    CHECK(run({"oblea-overlay", "--version"}).out.starts_with("oblea-overlay: version "));
}

TEST_CASE("results that cannot be written are a failure", "[tools][run]") {
    std::FILE* const full = std::fopen("/dev/full", "w");
    REQUIRE(full != nullptr);
    char* err = nullptr;
    std::size_t err_size = 0;
    std::FILE* const err_stream = ::open_memstream(&err, &err_size);
    CHECK(run_program({"oblea", "version"}, {.out = full, .err = err_stream}) ==
          exit_code::kFailure);
    std::fclose(full);
    std::fclose(err_stream);
    CHECK_THAT(std::string(err, err_size), Contains("cannot be written"));
    std::free(err);
}
