// SPDX-License-Identifier: MIT
#include "tools/cli/command_line.h"

#include "tests/support/catch.h"

using namespace oblea::tools;
using Catch::Matchers::Contains;

namespace {

// Commands of its own, so that the parser is tested and not what oblea happens to have.
struct Fixture {
    bool all = false;
    bool quiet = false;
    std::string format = "table";
    std::optional<std::string> filter;
    std::vector<std::string> env;
    std::string image;
    std::vector<std::string> command_words;
    std::optional<std::string> root;
    unsigned jobs = 0;
    bool help = false;
    Settings settings;
    std::vector<Option> globals{
        {.names = "--root", .value_name = "DIR", .help = "", .target = &root},
        {.names = "-j,--jobs", .value_name = "N", .help = "", .target = &jobs},
        {.names = "-h,--help", .value_name = "", .help = "", .target = &help},
    };
    CommandTable table{list(), run()};

    Command list() {
        Command command;
        command.name = "images";
        command.aliases = {"image ls"};
        command.options = {
            {.names = "-a,--all", .value_name = "", .help = "", .target = &all},
            {.names = "-q,--quiet", .value_name = "", .help = "", .target = &quiet},
            {.names = "--format",
             .value_name = "FORMAT",
             .help = "",
             .target = &format,
             .choices = {"table", "json"}},
        };
        command.operands = {{.name = "NAME", .help = "", .target = &filter}};
        return command;
    }

    Command run() {
        Command command;
        command.name = "chroot";
        command.options_end = Command::OptionsEnd::first_operand;
        command.options = {
            {.names = "-e,--env", .value_name = "X", .help = "", .target = &env},
            {.names = "-q,--quiet", .value_name = "", .help = "", .target = &quiet},
        };
        command.operands = {{.name = "IMAGE", .help = "", .target = &image},
                            {.name = "COMMAND", .help = "", .target = &command_words, .least = 0}};
        return command;
    }

    oblea::Result<Outcome> parse(std::vector<std::string> const& words) {
        auto line = find_command_words(table, globals, words);
        if (!line.has_value()) {
            return std::unexpected<oblea::Error>(line.error());
        }
        REQUIRE(line->command != nullptr);
        return parse_arguments(*line->command, globals, line->arguments, settings);
    }
    std::string error(std::vector<std::string> const& words) {
        auto const result = parse(words);
        return result.has_value() ? "" : result.error().detail;
    }
};

}  // namespace

TEST_CASE("options are read in all their forms", "[tools][command_line]") {
    Fixture f;
    SECTION("short, in a cluster") {
        REQUIRE(f.parse({"images", "-aq"}).has_value());
        CHECK(f.all);
        CHECK(f.quiet);
    }
    SECTION("long, with = and without, before and behind operands") {
        REQUIRE(f.parse({"images", "--format=json", "debian", "--all"}).has_value());
        CHECK(f.format == "json");
        CHECK(f.filter == "debian");
        CHECK(f.all);
        CHECK(!f.quiet);
    }
    SECTION("the last one counts") {
        REQUIRE(f.parse({"images", "--format", "json", "--format", "table"}).has_value());
        CHECK(f.format == "table");
    }
    SECTION("global ones before and behind the command") {
        REQUIRE(f.parse({"--root", "/a", "images", "-j2"}).has_value());
        CHECK(f.root == "/a");
        CHECK(f.jobs == 2);
    }
    SECTION("behind -- everything is an operand") {
        REQUIRE(f.parse({"images", "--", "-a"}).has_value());
        CHECK(f.filter == "-a");
        CHECK(!f.all);
    }
    SECTION("a lone - is an operand") {
        REQUIRE(f.parse({"images", "-"}).has_value());
        CHECK(f.filter == "-");
    }
}

TEST_CASE("commands of two words are found", "[tools][command_line]") {
    Fixture f;
    REQUIRE(f.parse({"image", "ls", "-q", "x"}).has_value());
    CHECK(f.quiet);
    CHECK(f.filter == "x");
    auto const group = find_command_words(f.table, f.globals, std::vector<std::string>{"image"});
    REQUIRE(group.has_value());
    CHECK(group->command == nullptr);
    CHECK(group->group == "image");
}

TEST_CASE("a command that runs another leaves its options alone", "[tools][command_line]") {
    Fixture f;
    REQUIRE(
        f.parse({"chroot", "-e", "A=1", "-qe", "B=2", "debian", "ls", "-e", "--help", "--", "-q"})
            .has_value());
    CHECK(f.env == std::vector<std::string>{"A=1", "B=2"});
    CHECK(f.quiet);
    CHECK(f.image == "debian");
    CHECK(f.command_words == std::vector<std::string>{"ls", "-e", "--help", "--", "-q"});
}

TEST_CASE("help needs nothing else to be right", "[tools][command_line]") {
    Fixture f;
    auto const outcome = f.parse({"chroot", "--help"});
    REQUIRE(outcome.has_value());
    CHECK(*outcome == Outcome::show_help);
}

TEST_CASE("mistakes are named, with what was meant", "[tools][command_line]") {
    Fixture f;
    CHECK_THAT(f.error({"imagse"}), Contains("no command 'imagse'; did you mean 'images'?"));
    CHECK_THAT(f.error({"image", "lss"}), Contains("did you mean 'image ls'?"));
    CHECK_THAT(f.error({"images", "--al"}),
               Contains("unknown option '--al'; did you mean '--all'?"));
    CHECK_THAT(f.error({"images", "--frobnicate=x"}), Contains("unknown option '--frobnicate' ("));
    CHECK_THAT(f.error({"images", "--format", "yaml"}),
               Contains("--format takes one of table, json, not 'yaml'"));
    CHECK_THAT(f.error({"images", "--format"}), Contains("--format takes a value"));
    CHECK_THAT(f.error({"images", "-j", "two"}), Contains("--jobs takes a number, not 'two'"));
    CHECK_THAT(f.error({"images", "-j", "-2"}), Contains("--jobs takes a number, not '-2'"));
    CHECK_THAT(f.error({"images", "a", "b"}), Contains("unexpected argument 'b'"));
    CHECK_THAT(f.error({"chroot"}), Contains("IMAGE is missing; usage: oblea chroot"));
    CHECK_THAT(f.error({"images", "--all=maybe"}), Contains("--all"));
}
