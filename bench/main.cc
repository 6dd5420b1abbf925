// SPDX-License-Identifier: MIT
// oblea-bench: see README.md. Ends with 0 whatever the figures are; only what could not be measured
// at all is an error.
#include "bench/report.h"
#include "bench/suites/suites.h"
#include "store/base/sys.h"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <thread>

namespace {

using namespace oblea;
using namespace oblea::bench;

struct CommandLine {
    Settings settings;
    std::vector<Suite> suites;
    std::string scratch = "/var/tmp";
    std::string json_file;
    std::string html_file;
};

std::uint64_t amount(std::string const& text) {
    auto const value = parse_amount(text);
    if (!value) {
        throw CLI::ValidationError{text, "takes a number, with K, M or G for units of 1024"};
    }
    return *value;
}

void add_amounts(CLI::App& app, std::string const& name, std::vector<std::uint64_t>& target,
                 std::string const& help) {
    app.add_option_function<std::vector<std::string>>(
           name,
           [&target](std::vector<std::string> const& texts) {
               for (std::string const& text : texts) {
                   target.push_back(amount(text));
               }
           },
           help)
        ->delimiter(',');
}

void add_amount(CLI::App& app, std::string const& name, std::uint64_t& target,
                std::string const& help) {
    app.add_option_function<std::string>(
        name, [&target](std::string const& text) { target = amount(text); }, help);
}

void add_options(CLI::App& app, CommandLine& line) {
    Settings& settings = line.settings;
    std::map<std::string, Settings::Size> const sizes{{"tiny", Settings::Size::tiny},
                                                      {"quick", Settings::Size::quick},
                                                      {"full", Settings::Size::full}};
    app.add_option("--size", settings.size,
                   "How much is done: tiny (does it work at all), quick, full")
        ->transform(CLI::CheckedTransformer(sizes))
        ->default_str("quick");
    app.add_option("--rounds", settings.rounds, "How often each subject gets its turn");
    app.add_option("--subjects", settings.subjects, "Only these, divided by commas")
        ->delimiter(',');
    add_amounts(app, "--layers", settings.layers, "Numbers of layers (lookup, walk, startup)");
    add_amounts(app, "--sizes", settings.sizes, "Sizes of files (copyup)");
    add_amount(app, "--touch", settings.touch_bytes, "How many bytes are written first (copyup)");
    add_amount(app, "--files", settings.files, "How many files the image has");
    app.add_option("--oblea", settings.oblea, "The program to measure; else the one beside this");
    app.add_option("--scratch", line.scratch, "A folder on a real disk to work in")
        ->capture_default_str();
    app.add_option("--json", line.json_file, "Write the results into this file too");
    app.add_option("--html", line.html_file, "Write a page with plots into this file");
}

void add_suites(CLI::App& app, CommandLine& line) {
    for (Suite const& suite : kSuites) {
        auto* command = app.add_subcommand(suite.name, suite.summary);
        command->fallthrough();
        command->callback([&line, suite] { line.suites.push_back(suite); });
    }
    auto* all = app.add_subcommand("all", "Every suite");
    all->fallthrough();
    all->callback([&line] { line.suites.assign(kSuites.begin(), kSuites.end()); });
    app.require_subcommand(1, 0);
}

std::string processor() {
    auto const text = base::sys::read_file(AT_FDCWD, "/proc/cpuinfo", std::size_t{1} << 20U);
    std::string const key = "model name\t: ";
    auto const at = text.has_value() ? text->find(key) : std::string::npos;
    return at == std::string::npos
               ? "unknown"
               : text->substr(at + key.size(), text->find('\n', at) - at - key.size());
}

Machine this_machine(Workspace const& space, Settings const& settings) {
    struct utsname system{};
    ::uname(&system);
    auto const version = output_of({settings.oblea, "--version"});
    return {{"kernel", static_cast<char const*>(system.release)},
            {"processors", std::to_string(std::thread::hardware_concurrency())},
            {"processor", processor()},
            {"disk", space.kind()},
            {"oblea", version.has_value() ? version->substr(0, version->find('\n')) : "unknown"}};
}

Status write_reports(CommandLine const& line, Results const& results, Machine const& machine) {
    auto const put = [](std::string const& path, std::string const& text) {
        return path.empty() ? Status{}
                            : base::sys::replace_file(AT_FDCWD, path.c_str(), text, 0644,
                                                      base::sys::Sync::no);
    };
    OBLEA_TRY(put(line.json_file, json_of(results, machine)));
    return put(line.html_file, html_of(results, machine));
}

Status measure(CommandLine const& line) {
    OBLEA_TRY(check_names(line.settings.subjects));
    Workspace space = OBLEA_TRY(Workspace::make(line.scratch));
    Bench bench{line.settings, space};
    Machine const machine = this_machine(space, line.settings);
    for (auto const& [name, value] : machine) {
        fmt::print("{}: {}\n", name, value);
    }
    Status ended;
    for (Suite const& suite : line.suites) {
        fmt::print(stderr, "oblea-bench: {}\n", suite.name);
        ended = suite.run(bench);
        if (!ended.has_value()) {
            break;
        }
    }
    // What was measured before a failure is worth seeing too.
    fmt::print("\n{}", table_of(bench.results()));
    OBLEA_TRY(write_reports(line, bench.results(), machine));
    return ended;
}

extern "C" void on_signal(int /*signal*/) {
    Bench::interrupt();
}

int run_bench(int argc, char** argv) {
    CommandLine line;
    CLI::App app{"Measures oblea beside kernel overlayfs and other unions, on the same tree in the "
                 "same run.",
                 "oblea-bench"};
    add_options(app, line);
    add_suites(app, line);
    CLI11_PARSE(app, argc, argv);
    if (line.settings.oblea.empty()) {
        line.settings.oblea =
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / "oblea";
    }
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    auto const measured = measure(line);
    if (!measured.has_value()) {
        fmt::print(stderr, "oblea-bench: {}\n", measured.error().message());
        return 1;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run_bench(argc, argv);
    } catch (std::exception const& error) {
        std::fputs("oblea-bench: ", stderr);
        std::fputs(error.what(), stderr);
        std::fputs("\n", stderr);
    }
    return 70;
}
