// SPDX-License-Identifier: MIT
// What a container may take and do, as typed, as kept and as runtimes are told.
#include "tests/support/catch.h"
#include "tools/container/bundle.h"
#include "tools/container/capabilities.h"
#include "tools/container/cgroup.h"
#include "tools/container/name_service.h"
#include "tools/container/read_bundle.h"
#include "tools/container/resource_limits.h"
#include "tools/monitor/init_program.h"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace oblea;
using namespace oblea::tools;
using nlohmann::json;

namespace {

constexpr unsigned kProcessors = 4;
constexpr std::uint64_t kMegabyte = 1U << 20U;

using Wish = ResourceWishes;

Result<ResourceLimits>
planned(std::vector<std::pair<std::string Wish::*, std::string>> const& options,
        std::vector<std::string> ulimits = {}) {
    Wish wishes;
    for (auto const& [option, value] : options) {
        wishes.*option = value;
    }
    wishes.ulimits = std::move(ulimits);
    return plan_limits(wishes, kProcessors);
}

template <typename T>
std::string refusal(Result<T> const& result) {
    return result.has_value() ? "" : result.error().message();
}

bool has(std::vector<std::string> const& names, char const* name) {
    return std::ranges::find(names, name) != names.end();
}

}  // namespace

TEST_CASE("sizes are read as docker reads them", "[container][limits]") {
    auto const [typed, bytes] =
        GENERATE(table<std::string, std::uint64_t>({{"0", 0},
                                                    {"4096", 4096},
                                                    {"100b", 100},
                                                    {"64k", 65536},
                                                    {"64M", 64 * kMegabyte},
                                                    {"1.5g", 1536 * kMegabyte},
                                                    {"1GB", 1024 * kMegabyte},
                                                    {"1GiB", 1024 * kMegabyte}}));
    CAPTURE(typed);
    CHECK(parse_size(typed).value() == bytes);
    auto const wrong = GENERATE("", "m", "much", "-1", "1x", "1 k", "nan", "inf", "99999999t");
    CAPTURE(wrong);
    CHECK_THAT(refusal(parse_size(wrong)), Catch::Matchers::Contains("invalid size: '"));
}

TEST_CASE("limits hold together", "[container][limits]") {
    auto const memory = planned({{&Wish::memory, "64m"}, {&Wish::memory_swap, "96m"}});
    REQUIRE(memory.has_value());
    CHECK(memory->memory_bytes == 64 * kMegabyte);
    CHECK(memory->swap == ResourceLimits::Swap::limited);
    CHECK(memory->swap_bytes == 32 * kMegabyte);
    CHECK(memory->want_cgroup());
    CHECK(planned({{&Wish::memory, "64m"}, {&Wish::memory_swap, "-1"}})->swap ==
          ResourceLimits::Swap::unlimited);
    CHECK(planned({{&Wish::memory, "64m"}, {&Wish::memory_swap, "0"}})->swap ==
          ResourceLimits::Swap::as_memory);

    auto const processors = planned({{&Wish::cpus, "1.5"},
                                     {&Wish::cpu_shares, "512"},
                                     {&Wish::cpuset_cpus, "0-1,3"},
                                     {&Wish::pids_limit, "20"}});
    REQUIRE(processors.has_value());
    CHECK(processors->nano_cpus == 1'500'000'000);
    CHECK(processors->cpu_shares == 512);
    CHECK(processors->pids == 20);

    auto const own = planned({{&Wish::shm_size, "1m"}}, {"nofile=64:128", "core=-1"});
    REQUIRE(own.has_value());
    CHECK_FALSE(own->want_cgroup());
    CHECK(own->shm_bytes == kMegabyte);
    CHECK(own->ulimits ==
          std::vector<Ulimit>{{"nofile", 64, 128}, {"core", UINT64_MAX, UINT64_MAX}});
    CHECK_FALSE(planned({{&Wish::pids_limit, "-1"}})->want_cgroup());

    for (ResourceLimits const& limits : {*memory, *processors, *own}) {
        CHECK(decode_limits(json::parse(encode_limits(limits).dump())).value() == limits);
    }
}

TEST_CASE("limits that are none are refused in docker's words", "[container][limits]") {
    using Options = std::vector<std::pair<std::string Wish::*, std::string>>;
    auto const [options, part] = GENERATE(table<Options, std::string>(
        {{{{&Wish::memory, "1m"}}, "Minimum memory limit allowed is 6MB"},
         {{{&Wish::memory, "much"}}, "\"-m, --memory\" flag: invalid size: 'much'"},
         {{{&Wish::memory_swap, "64m"}}, "You should always set the Memory limit"},
         {{{&Wish::memory, "64m"}, {&Wish::memory_swap, "32m"}},
          "Minimum memoryswap limit should be larger"},
         {{{&Wish::cpus, "5"}}, "range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs"},
         {{{&Wish::cpus, "0.001"}}, "range of CPUs"},
         {{{&Wish::cpus, "-1"}}, "\"--cpus\" flag"},
         {{{&Wish::cpus, "nan"}}, "\"--cpus\" flag"},
         {{{&Wish::cpuset_cpus, "0-4"}},
          "Requested CPUs are not available - requested 0-4, available: 0-3"},
         {{{&Wish::cpuset_cpus, "2-1"}}, "Requested CPUs"},
         {{{&Wish::cpuset_cpus, "a"}}, "Requested CPUs"},
         {{{&Wish::pids_limit, "many"}}, "\"--pids-limit\" flag"},
         {{{&Wish::shm_size, "0"}}, "SHM size"}}));
    CAPTURE(part);
    CHECK_THAT(refusal(planned(options)), Catch::Matchers::Contains(part));

    auto const [ulimit, why] = GENERATE(table<std::string, std::string>(
        {{"nofile", "invalid ulimit argument: nofile"},
         {"nosuch=1", "invalid ulimit type: nosuch"},
         {"nofile=2:1", "soft limit must be less than or equal to hard limit: 2 > 1"},
         {"nofile=x", "NAME=SOFT[:HARD]"}}));
    CAPTURE(ulimit);
    CHECK_THAT(refusal(planned({}, {ulimit})), Catch::Matchers::Contains(why));
}

TEST_CASE("capabilities are docker's, but for what is added and dropped", "[container][limits]") {
    auto const usual = plan_capabilities({});
    REQUIRE(usual.has_value());
    CHECK_FALSE(has(*usual, "CAP_SYS_ADMIN"));
    CHECK(plan_capabilities({.add = {}, .drop = {"all"}})->empty());
    if (has(*usual, "CAP_CHOWN")) {
        CHECK_FALSE(has(*plan_capabilities({.add = {}, .drop = {"chown"}}), "CAP_CHOWN"));
        CHECK(*plan_capabilities({.add = {"CAP_CHOWN"}, .drop = {"ALL"}}) ==
              std::vector<std::string>{"CAP_CHOWN"});
        CHECK_FALSE(has(*plan_capabilities({.add = {"ALL"}, .drop = {"CHOWN"}}), "CAP_CHOWN"));
    }
    CHECK_THAT(refusal(plan_capabilities({.add = {"nosuch"}, .drop = {}})),
               Catch::Matchers::Contains("invalid CapAdd: unknown capability: \"CAP_NOSUCH\""));
    CHECK_THAT(refusal(plan_capabilities({.add = {}, .drop = {"nosuch"}})),
               Catch::Matchers::Contains("invalid CapDrop"));
}

TEST_CASE("hosts and name servers stand beside or in place of the machine's",
          "[container][names]") {
    NameService const asked{.hosts = {"db:10.0.0.1", "six=[::1]"},
                            .servers = {"9.9.9.9"},
                            .search = {"example.org", "example.net"},
                            .options = {"ndots:2"}};
    REQUIRE(check_name_service(asked).has_value());
    CHECK(hosts_text("127.0.0.1 localhost", "box", asked) ==
          "127.0.0.1 localhost\n127.0.1.1\tbox\n10.0.0.1\tdb\n::1\tsix\n");
    std::string const machine = "# mine\nnameserver 1.1.1.1\nsearch home\noptions edns0\n";
    CHECK(resolv_conf_text(machine, {}) == machine);
    CHECK(resolv_conf_text(machine, asked) ==
          "# mine\nnameserver 9.9.9.9\nsearch example.org example.net\noptions ndots:2\n");
    NameService nothing;
    nothing.search = {"."};
    CHECK(resolv_conf_text(machine, nothing) == "# mine\nnameserver 1.1.1.1\noptions edns0\n");
    CHECK(decode_name_service(json::parse(encode_name_service(asked).dump())).value() == asked);

    auto const host = GENERATE("db", "db:", ":1.2.3.4", "db:host-gateway", "db:1.2.3",
                               "a b:1.2.3.4", "a\nb:1.2.3.4");
    CAPTURE(host);
    NameService wrong;
    wrong.hosts = {host};
    CHECK_FALSE(check_name_service(wrong).has_value());
}

TEST_CASE("what is typed for resolv.conf stays in its line", "[container][names]") {
    CHECK_FALSE(check_name_service({.hosts = {}, .servers = {"name"}, .search = {}, .options = {}})
                    .has_value());
    CHECK_FALSE(check_name_service({.hosts = {}, .servers = {}, .search = {"a\nb"}, .options = {}})
                    .has_value());
    CHECK_FALSE(check_name_service({.hosts = {}, .servers = {}, .search = {}, .options = {""}})
                    .has_value());
}

TEST_CASE("the bundle tells limits, and oblea's own runtime reads them", "[container][limits]") {
    RunConfig config;
    config.command = {"serve"};
    config.limits.ulimits = {{"nofile", 64, 128}};
    config.limits.shm_bytes = kMegabyte;
    std::string const text = make_bundle_config({.config = config,
                                                 .root = "/root",
                                                 .hostname = "box",
                                                 .identity = {},
                                                 .capabilities = {"CAP_SYS_PTRACE"},
                                                 .files = {},
                                                 .cgroup = cgroup_path("id")});
    auto const document = json::parse(text);
    CHECK(document["linux"]["cgroupsPath"] == "/oblea/id");
    CHECK(text.find("size=1024k") != std::string::npos);
    auto const bundle = read_bundle(text);
    REQUIRE(bundle.has_value());
    REQUIRE(bundle->process.limits.size() == 1);
    CHECK(bundle->process.limits.front().soft == 64);
    CHECK(bundle->process.limits.front().hard == 128);
    CHECK(bundle->process.bounding == std::uint64_t{1} << *capability_number("CAP_SYS_PTRACE"));
    CHECK(below_init({"a", "b"}) == std::vector<std::string>{kInitInside, "--", "a", "b"});
}
