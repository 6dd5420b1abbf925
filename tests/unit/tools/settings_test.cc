// SPDX-License-Identifier: MIT
#include "tools/cli/settings.h"

#include "tests/support/catch.h"
#include "tools/cli/command_line.h"

using namespace oblea::tools;

namespace {

struct Fixture {
    unsigned jobs = 0;
    bool verify = false;
    std::string progress = "auto";
    std::vector<std::string> stores;
    std::vector<std::string> limits;
    std::vector<Option> options{
        {.names = "-j,--jobs", .value_name = "N", .help = "", .target = &jobs, .config = "jobs"},
        {.names = "--verify",
         .value_name = "",
         .help = "",
         .target = &verify,
         .config = "mount.verify"},
        {.names = "--progress",
         .value_name = "KIND",
         .help = "",
         .target = &progress,
         .choices = {"auto", "plain"},
         .config = "progress"},
        {.names = "--store",
         .value_name = "DIR",
         .help = "",
         .target = &stores,
         .config = "stores"},
        {.names = "--limit",
         .value_name = "NAME=NUMBER",
         .help = "",
         .target = &limits,
         .config = "limits",
         .fields = {"entries", "depth"}},
    };
    Settings settings;

    Fixture() { settings.add_known(options); }

    std::string error(std::string const& toml) {
        auto const read = settings.read_toml(toml, "oblea.toml");
        return read.has_value() ? "" : read.error().message();
    }

    std::string parse(std::vector<std::string> const& words) {
        Command command;
        command.name = "mount";
        command.options = options;
        auto const parsed = parse_arguments(command, {}, words, settings);
        return parsed.has_value() ? "" : parsed.error().message();
    }
};

}  // namespace

TEST_CASE("a file sets options, in tables and lists", "[tools][settings]") {
    Fixture f;
    REQUIRE(f.error("jobs = 3\nstores = ['/a', '/b']\n[mount]\nverify = true\n"
                    "[limits]\ndepth = 9\n") == "");
    REQUIRE(f.parse({}) == "");
    CHECK(f.jobs == 3);
    CHECK(f.verify);
    CHECK(f.stores == std::vector<std::string>{"/a", "/b"});
    CHECK(f.limits == std::vector<std::string>{"depth=9"});
    CHECK(f.settings.find("mount.verify")->source == "oblea.toml:4");
    CHECK(f.settings.find("progress") == nullptr);
}

TEST_CASE("the command line wins over the environment, and that over files", "[tools][settings]") {
    Fixture f;
    REQUIRE(f.error("jobs = 3\nprogress = 'plain'\nstores = '/a'\n") == "");
    f.settings.read_environment([](std::string const& name) -> std::string {
        return name == "OBLEA_JOBS"           ? "4"
               : name == "OBLEA_STORES"       ? "/c::/d"
               : name == "OBLEA_MOUNT_VERIFY" ? "true"
                                              : "";
    });
    REQUIRE(f.parse({"-j5"}) == "");
    CHECK(f.jobs == 5);
    CHECK(f.progress == "plain");
    CHECK(f.stores == std::vector<std::string>{"/c", "/d"});
    CHECK(f.verify);
    CHECK(f.settings.find("jobs")->source == "--jobs");
    CHECK(f.settings.find("stores")->source == "OBLEA_STORES");
    CHECK(f.settings.find("progress")->source == "oblea.toml:2");
}

TEST_CASE("a later file wins for its keys only", "[tools][settings]") {
    Fixture f;
    REQUIRE(f.settings.read_toml("jobs = 3\nprogress = 'plain'\n", "one").has_value());
    REQUIRE(f.settings.read_toml("jobs = 4\n", "two").has_value());
    CHECK(f.settings.find("jobs")->source == "two:1");
    CHECK(f.settings.find("progress")->source == "one:2");
}

TEST_CASE("what a file must not say is told with its line", "[tools][settings]") {
    Fixture f;
    auto const [toml, message] = GENERATE(table<std::string, std::string>({
        {"jbos = 3", "oblea.toml:1: no key 'jbos'; did you mean 'jobs'?"},
        {"\n[mount]\nverfy = true",
         "oblea.toml:3: no key 'mount.verfy'; did you mean 'mount.verify'?"},
        {"[limits]\nentires = 1", "oblea.toml:2: no key 'limits.entires'; did you mean 'entries'?"},
        {"[other]\nx = 1", "oblea.toml:1: no key 'other'"},
        {"\njobs = 'many'", "oblea.toml:2: jobs is a number"},
        {"[mount]\nverify = 1", "oblea.toml:2: mount.verify is true or false"},
        {"progress = 1", "oblea.toml:1: progress is text, in quotes"},
        {"stores = [[1]]", "oblea.toml:1: stores is neither text nor number nor true or false"},
        {"limits = 3", "oblea.toml:1: limits is a table of numbers"},
    }));
    CHECK(f.error(toml) == message);
}

TEST_CASE("a file that is no TOML is told with its line", "[tools][settings]") {
    Fixture f;
    CHECK(f.error("jobs = 3\njobs =\n").starts_with("oblea.toml:2: "));
}

TEST_CASE("a value that the option does not take names its source", "[tools][settings]") {
    Fixture f;
    SECTION("of a file") {
        REQUIRE(f.error("\nprogress = 'loud'") == "");
        CHECK(f.parse({}) == "oblea.toml:2: progress takes one of auto, plain, not 'loud'");
    }
    SECTION("of the environment") {
        f.settings.read_environment(
            [](std::string const& name) -> std::string { return name == "OBLEA_JOBS" ? "x" : ""; });
        CHECK(f.parse({}) == "OBLEA_JOBS: jobs takes a number, not 'x'");
    }
    SECTION("of the command line, a field") {
        CHECK(f.parse({"--limit", "dephth=3"}) ==
              "mount: --limit knows no 'dephth'; did you mean 'depth'? (see 'oblea help mount')");
    }
}
