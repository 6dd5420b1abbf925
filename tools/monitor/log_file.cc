// SPDX-License-Identifier: MIT
#include "tools/monitor/log_file.h"

#include "store/base/sys.h"
#include "tools/mount/rfc3339.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using nlohmann::json;

constexpr std::size_t kLineBytesMax = 16U << 10U;

}  // namespace

void LogWriter::write_line(LogStream stream, std::string_view line) {
    json const entry = {{"log", line},
                        {"stream", stream == LogStream::out ? "stdout" : "stderr"},
                        {"time", rfc3339_now_exact()}};
    std::string const text = entry.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
    static_cast<void>(sys::write_all(file_.get(), base::bytes_of(text)));
}

void LogWriter::add(LogStream stream, std::string_view bytes) {
    std::string& partial = partial_[stream == LogStream::out ? 0 : 1];
    partial += bytes;
    std::string_view rest = partial;
    for (;;) {
        auto const end = rest.find('\n');
        std::size_t const length = end != std::string_view::npos ? end + 1 : rest.size();
        if (end == std::string_view::npos && length < kLineBytesMax) {
            break;
        }
        std::size_t const piece = std::min(length, kLineBytesMax);
        write_line(stream, rest.substr(0, piece));
        rest.remove_prefix(piece);
    }
    partial = std::string{rest};
}

void LogWriter::finish() {
    for (LogStream const stream : {LogStream::out, LogStream::err}) {
        std::string& partial = partial_[stream == LogStream::out ? 0 : 1];
        if (!partial.empty()) {
            write_line(stream, partial);
            partial.clear();
        }
    }
}

std::optional<LogEntry> parse_log_line(std::string_view line) {
    json const entry = json::parse(line, nullptr, false);
    if (!entry.is_object()) {
        return std::nullopt;
    }
    auto const text = [&](char const* key) {
        return entry.contains(key) && entry[key].is_string() ? entry[key].get<std::string>()
                                                             : std::string{};
    };
    return LogEntry{.stream = text("stream") == "stderr" ? LogStream::err : LogStream::out,
                    .text = text("log"),
                    .time = text("time")};
}

}  // namespace oblea::tools
