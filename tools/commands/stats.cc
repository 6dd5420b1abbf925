// SPDX-License-Identifier: MIT
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_rows.h"
#include "tools/container/container_usage.h"
#include "tools/mount/identifiers.h"
#include "tools/output/human.h"
#include "tools/template/rows.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

namespace oblea::tools {

namespace {

using Clock = std::chrono::steady_clock;
using templates::Record;

constexpr auto kSampleTime = std::chrono::seconds{1};

struct StatsOptions {
    std::vector<std::string> names;
    bool all = false;
    bool no_stream = false;
    bool no_trunc = false;
    std::string format;
};

struct Sample {
    Container container;
    std::string typed;
    pid_t init = 0;  // 0: it does not run
    bool own_network = false;
    ContainerUsage before = {};
    ContainerUsage now = {};
};

// What has ended meanwhile uses nothing any more.
ContainerUsage usage_of(Sample const& sample) {
    if (sample.init == 0) {
        return {};
    }
    auto measured = measure_usage(sample.init);
    return measured.has_value() ? *std::move(measured) : ContainerUsage{};
}

Result<Sample> sample_of(store::Store const& store, Container const& container,
                         std::string const& typed) {
    Sample sample{.container = container, .typed = typed, .init = 0, .own_network = false};
    ContainerState const state = OBLEA_TRY(observe_state(store, container));
    sample.init = state.has_processes() ? static_cast<pid_t>(state.init_pid) : 0;
    if (!container.run.empty()) {
        RunConfig const run = OBLEA_TRY(parse_run_config(container.run));
        sample.own_network = run.network != Network::host;
    }
    return sample;
}

Result<std::vector<Sample>> chosen(store::Store const& store, StatsOptions const& options) {
    std::vector<Sample> samples;
    for (std::string const& name : options.names) {
        Container const container = OBLEA_TRY(need_container(store, name));
        samples.push_back(OBLEA_TRY(sample_of(store, container, name)));
    }
    if (options.names.empty()) {
        ContainerRows const found = OBLEA_TRY(container_rows(store));
        for (ContainerRow const& row : found.rows) {
            Sample sample = OBLEA_TRY(sample_of(store, row.container, row.container.id));
            if (sample.init != 0 || options.all) {
                samples.push_back(std::move(sample));
            }
        }
    }
    return samples;
}

std::string percent(double part, double whole) {
    return fmt::format("{:.2f}%", whole > 0 ? part / whole * 100 : 0.0);
}

std::string pair(std::string const& first, std::string const& second) {
    return first + " / " + second;
}

Record record_of(Sample const& sample, Clock::duration passed, StatsOptions const& options) {
    ProcessUsage const sum = sample.now.sum();
    auto const seconds = std::chrono::duration<double>(passed).count();
    auto const cpu = static_cast<double>(sample.now.cpu_ticks_since(sample.before)) /
                     static_cast<double>(::sysconf(_SC_CLK_TCK));
    std::uint64_t const machine = sample.init != 0 ? machine_memory_bytes() : 0;
    // The machine's network counts what others use, too.
    NetworkUsage const network = sample.own_network ? sample.now.network : NetworkUsage{};
    std::string const& id = sample.container.id;
    Record record{.type = "*formatter.statsContext"};
    record.set("Container", sample.typed);
    record.set("ID", options.no_trunc ? id : id.substr(0, kShortIdLength));
    record.set("Name", sample.container.name);
    record.set("CPUPerc", percent(cpu, seconds));
    record.set("MemUsage", pair(human_size_binary(sum.memory_bytes), human_size_binary(machine)));
    record.set("MemPerc",
               percent(static_cast<double>(sum.memory_bytes), static_cast<double>(machine)));
    record.set("NetIO", pair(human_size(network.received_bytes), human_size(network.sent_bytes)));
    record.set("BlockIO", pair(human_size(sum.read_bytes), human_size(sum.written_bytes)));
    record.set("PIDs", std::to_string(sum.threads));
    return record;
}

templates::RowFormat row_format(StatsOptions const& options) {
    return {.format = options.format,
            .default_table = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
                             "{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
            .titles = {{"Container", "CONTAINER"},
                       {"ID", "CONTAINER ID"},
                       {"Name", "NAME"},
                       {"CPUPerc", "CPU %"},
                       {"MemUsage", "MEM USAGE / LIMIT"},
                       {"MemPerc", "MEM %"},
                       {"NetIO", "NET I/O"},
                       {"BlockIO", "BLOCK I/O"},
                       {"PIDs", "PIDS"}}};
}

Result<std::string> measure_once(store::Store const& store, StatsOptions const& options) {
    auto samples = OBLEA_TRY(chosen(store, options));
    auto const begin = Clock::now();
    for (Sample& sample : samples) {
        sample.before = usage_of(sample);
    }
    std::this_thread::sleep_for(kSampleTime);
    std::vector<Record> records;
    for (Sample& sample : samples) {
        sample.now = usage_of(sample);
        records.push_back(record_of(sample, Clock::now() - begin, options));
    }
    return templates::render_rows(row_format(options), records);
}

Result<int> stats(Context& context, StatsOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    bool const screen = !options.no_stream && ::isatty(STDOUT_FILENO) == 1;
    do {
        std::string const text = OBLEA_TRY(measure_once(store, options));
        context.print(screen ? "\033[H\033[2J" + text : text);
    } while (!options.no_stream);  // until the user has seen enough
    return exit_code::kSuccess;
}

}  // namespace

Command stats_command() {
    auto options = std::make_shared<StatsOptions>();
    return {
        .name = "stats",
        .aliases = {"container stats"},
        .section = Command::Section::containers,
        .summary = "Show what running containers use",
        .description =
            "Measures for a second, again and again until it is interrupted. The figures are those "
            "of the processes that live, from /proc: these containers have no cgroups. CPU % is "
            "of one processor; memory is each process's share, against all that the machine has; "
            "NET I/O is only told of a network of the container's own; PIDS counts threads.\n\n"
            "A format is a Go template over .Container, .ID, .Name, .CPUPerc, .MemUsage, .MemPerc, "
            ".NetIO, .BlockIO and .PIDs; 'table TEMPLATE' gives it a heading, 'json' prints one "
            "object a line.",
        .operands = {{.name = "CONTAINER",
                      .help = "Names or ids; default: all that run",
                      .target = &options->names,
                      .least = 0}},
        .options = {{.names = "-a,--all",
                     .value_name = "",
                     .help = "Also those that do not run",
                     .target = &options->all},
                    {.names = "--no-stream",
                     .value_name = "",
                     .help = "Only once",
                     .target = &options->no_stream},
                    {.names = "--no-trunc",
                     .value_name = "",
                     .help = "Whole ids",
                     .target = &options->no_trunc},
                    {.names = "--format",
                     .value_name = "FORMAT",
                     .help = "table, table TEMPLATE, json, or a Go template",
                     .target = &options->format}},
        .examples = {{"oblea stats --no-stream", "What all running containers use now"}},
        .run = [options](Context& context) { return stats(context, *options); },
    };
}

}  // namespace oblea::tools
