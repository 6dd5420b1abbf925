// SPDX-License-Identifier: MIT
#include "store/base/buffer_bytes.h"
#include "tools/monitor/log_file.h"

#include "store/base/sys.h"
#include "tools/cli/filters.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_state.h"
#include "tools/output/human.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>
#include <thread>

namespace oblea::tools {

namespace {

namespace sys = base::sys;

struct LogsOptions {
    std::string name;
    std::string tail = "all";
    std::string since;
    std::string until;
    bool follow = false;
    bool timestamps = false;
};

constexpr auto kLookAgain = std::chrono::milliseconds{50};

// Complete lines of a file that may still grow.
class GrowingLines {
public:
    explicit GrowingLines(base::UniqueFd file) : file_(std::move(file)) {}

    // The next one; nullopt when there is none yet.
    Result<std::optional<std::string>> next() {
        for (;;) {
            if (auto const end = buffer_.find('\n', taken_); end != std::string::npos) {
                std::string line = buffer_.substr(taken_, end - taken_);
                taken_ = end + 1;
                return std::optional{std::move(line)};
            }
            buffer_.erase(0, taken_);
            taken_ = 0;
            std::vector<std::byte> more(base::kBufferBytes);
            std::size_t const count = OBLEA_TRY(sys::pread_full(file_.get(), more, offset_));
            if (count == 0) {
                return std::optional<std::string>{};
            }
            offset_ += count;
            buffer_ += base::text_of(base::ByteView{more}.first(count));
        }
    }

private:
    base::UniqueFd file_;
    std::string buffer_;
    std::size_t taken_ = 0;
    std::uint64_t offset_ = 0;
};

void show(Context const& context, LogsOptions const& options, LogEntry const& entry) {
    std::FILE* const stream =
        entry.stream == LogStream::out ? context.streams().out : context.streams().err;
    std::string const text = options.timestamps ? entry.time + ' ' + entry.text : entry.text;
    std::fwrite(text.data(), 1, text.size(), stream);
}

// How many of the last entries; nullopt: all.
Result<std::optional<std::size_t>> parse_tail(std::string const& text) {
    if (text == "all") {
        return std::optional<std::size_t>{};
    }
    if (text.empty() || text.size() > 9 ||
        text.find_first_not_of("0123456789") != std::string::npos) {
        return fail(Errno::einval, "", "--tail wants a number or all, not \"" + text + "\"");
    }
    return std::optional<std::size_t>{std::stoul(text)};
}

// Nothing where nothing was typed.
Result<std::optional<std::int64_t>> parse_bound(std::string const& name, std::string const& typed) {
    if (typed.empty()) {
        return std::optional<std::int64_t>{};
    }
    std::vector<std::string> const word{name + '=' + typed};
    Filters const filters = OBLEA_TRY(Filters::parse(word, {name}));
    return filters.time(name, std::time(nullptr));
}

Result<int> logs(Context& context, LogsOptions const& options) {
    auto const tail = OBLEA_TRY(parse_tail(options.tail));
    auto const since = OBLEA_TRY(parse_bound("since", options.since));
    auto const until = OBLEA_TRY(parse_bound("until", options.until));
    auto const store = OBLEA_TRY(open_store(context));
    Container const container = OBLEA_TRY(need_container(store, options.name));
    std::string const path = container.folder() + '/' + kContainerLog;
    auto file = OBLEA_TRY(sys::openat(store.root(), path.c_str(), O_RDONLY | O_CREAT));
    GrowingLines lines{std::move(file)};
    std::deque<LogEntry> kept;
    auto const drain = [&](auto const& take) -> Status {
        for (;;) {
            auto const line = OBLEA_TRY(lines.next());
            if (!line.has_value()) {
                return {};
            }
            auto entry = parse_log_line(*line);
            std::int64_t const time =
                entry.has_value() ? parse_rfc3339(entry->time).value_or(0) : 0;
            if (entry.has_value() && (!since.has_value() || time >= *since) &&
                (!until.has_value() || time <= *until)) {
                take(*std::move(entry));
            }
        }
    };
    OBLEA_TRY(drain([&](LogEntry entry) {
        kept.push_back(std::move(entry));
        if (tail.has_value() && kept.size() > *tail) {
            kept.pop_front();
        }
    }));
    for (LogEntry const& entry : kept) {
        show(context, options, entry);
    }
    while (options.follow) {
        // Asked before the last look: what was written before the end is seen.
        bool const goes_on = OBLEA_TRY(observe_state(store, container)).is_active();
        OBLEA_TRY(drain([&](LogEntry const& entry) { show(context, options, entry); }));
        std::fflush(context.streams().out);
        if (!goes_on) {
            break;
        }
        std::this_thread::sleep_for(kLookAgain);
    }
    return exit_code::kSuccess;
}

}  // namespace

Command logs_command() {
    auto options = std::make_shared<LogsOptions>();
    return {
        .name = "logs",
        .aliases = {"container logs"},
        .section = Command::Section::containers,
        .summary = "Show what a container wrote",
        .description = "Its standard output and errors, each to the stream that it was written to, "
                       "of all of its runs.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->name}},
        .options = {{.names = "-f,--follow",
                     .value_name = "",
                     .help = "Go on until the container ends",
                     .target = &options->follow},
                    {.names = "-n,--tail",
                     .value_name = "NUMBER",
                     .help = "Only so many of the last lines; default all",
                     .target = &options->tail},
                    {.names = "--since",
                     .value_name = "TIME",
                     .help = "Only what is later: a time, or an age like 10m",
                     .target = &options->since},
                    {.names = "--until",
                     .value_name = "TIME",
                     .help = "Only what is earlier: a time, or an age like 10m",
                     .target = &options->until},
                    {.names = "-t,--timestamps",
                     .value_name = "",
                     .help = "With the time before each line",
                     .target = &options->timestamps}},
        .examples = {{"oblea logs -f --tail 10 web", "The last ten lines, and what follows"}},
        .run = [options](Context& context) { return logs(context, *options); },
    };
}

}  // namespace oblea::tools
