// SPDX-License-Identifier: MIT
// What a container wrote, as lines of JSON: docker's json-file format.
//
// {"log":"text\n","stream":"stdout","time":"2026-01-31T12:00:00.123456789Z"}; a line of the
// container longer than 16 KiB takes several, of which only the last has the line break.
#pragma once
#include "store/base/unique_fd.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::tools {

inline constexpr char const* kContainerLog = "output.log";  // in the container's folder

enum class LogStream { out, err };

// Splits what comes into lines. A write that fails is not tried again: the container goes on.
class LogWriter {
public:
    explicit LogWriter(base::UniqueFd file) : file_(std::move(file)) {}
    void add(LogStream stream, std::string_view bytes);
    void finish();  // writes lines that have not ended

private:
    void write_line(LogStream stream, std::string_view line);
    base::UniqueFd file_;
    std::string partial_[2];
};

struct LogEntry {
    LogStream stream = LogStream::out;
    std::string text;
    std::string time;  // RFC 3339 with nanoseconds
};
// nullopt for a line that is none.
std::optional<LogEntry> parse_log_line(std::string_view line);

}  // namespace oblea::tools
