// SPDX-License-Identifier: MIT
#include "tools/container/container_usage.h"

#include "store/base/sys.h"
#include "store/base/text.h"
#include "tools/container/processes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr std::size_t kFileBytesMax = 1U << 20U;

std::string proc_file(pid_t pid, char const* name) {
    auto text =
        sys::read_file(AT_FDCWD, fmt::format("/proc/{}/{}", pid, name).c_str(), kFileBytesMax);
    return text.has_value() ? *std::move(text) : std::string{};  // gone, or not for us
}

std::uint64_t number_in(std::string_view text) {
    auto const first = text.find_first_of("0123456789");
    std::uint64_t number = 0;
    if (first != std::string_view::npos) {
        std::from_chars(text.data() + first, text.data() + text.size(), number);
    }
    return number;
}

// The number behind a key at the beginning of a line.
std::uint64_t value_of(std::string_view text, std::string_view key) {
    for (std::size_t at = text.find(key); at != std::string_view::npos;
         at = text.find(key, at + 1)) {
        if (at == 0 || text[at - 1] == '\n') {
            auto const end = text.find('\n', at);
            return number_in(text.substr(at + key.size(), end - at - key.size()));
        }
    }
    return 0;
}

ProcessUsage usage_of(pid_t pid) {
    constexpr std::uint64_t kKib = 1024;
    ProcessUsage usage = parse_process_stat(proc_file(pid, "stat"));
    std::uint64_t memory = value_of(proc_file(pid, "smaps_rollup"), "Pss:");
    if (memory == 0) {
        memory = value_of(proc_file(pid, "status"), "VmRSS:");
    }
    usage.memory_bytes = memory * kKib;
    std::string const io = proc_file(pid, "io");
    usage.read_bytes = value_of(io, "read_bytes:");
    usage.written_bytes = value_of(io, "write_bytes:");
    return usage;
}

}  // namespace

ProcessUsage ContainerUsage::sum() const {
    ProcessUsage all;
    for (auto const& [pid, usage] : processes) {
        all.cpu_ticks += usage.cpu_ticks;
        all.memory_bytes += usage.memory_bytes;
        all.read_bytes += usage.read_bytes;
        all.written_bytes += usage.written_bytes;
        all.threads += usage.threads;
    }
    return all;
}

std::uint64_t ContainerUsage::cpu_ticks_since(ContainerUsage const& earlier) const {
    std::uint64_t ticks = 0;
    for (auto const& [pid, usage] : processes) {
        auto const before = earlier.processes.find(pid);
        std::uint64_t const had = before == earlier.processes.end() ? 0 : before->second.cpu_ticks;
        ticks += usage.cpu_ticks > had ? usage.cpu_ticks - had : 0;
    }
    return ticks;
}

Result<ContainerUsage> measure_usage(pid_t init) {
    ContainerUsage usage;
    for (pid_t const pid : OBLEA_TRY(processes_beside(init))) {
        usage.processes[pid] = usage_of(pid);
    }
    usage.network = parse_network_devices(proc_file(init, "net/dev"));
    return usage;
}

NetworkUsage parse_network_devices(std::string_view text) {
    constexpr std::size_t kSentAt = 8;  // behind the eight numbers of what is received
    NetworkUsage usage;
    for (std::string_view const line : base::split(text, '\n')) {
        auto const colon = line.find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        std::string_view name = line.substr(0, colon);
        name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
        if (name == "lo") {
            continue;
        }
        std::vector<std::uint64_t> numbers;
        std::string_view rest = line.substr(colon + 1);
        for (auto at = rest.find_first_not_of(' '); at != std::string_view::npos;
             at = rest.find_first_not_of(' ')) {
            rest.remove_prefix(at);
            numbers.push_back(number_in(rest.substr(0, rest.find(' '))));
            rest.remove_prefix(std::min(rest.find(' '), rest.size()));
        }
        if (numbers.size() > kSentAt) {
            usage.received_bytes += numbers.front();
            usage.sent_bytes += numbers[kSentAt];
        }
    }
    return usage;
}

ProcessUsage parse_process_stat(std::string_view text) {
    // proc(5): the name, in parentheses, may hold anything; field 3 is the first behind it.
    constexpr std::size_t kUserTime = 14;
    constexpr std::size_t kSystemTime = 15;
    constexpr std::size_t kThreads = 20;
    ProcessUsage usage;
    auto const name_end = text.rfind(')');
    if (name_end == std::string_view::npos) {
        return usage;
    }
    text.remove_prefix(name_end + 1);
    for (std::size_t field = 3; field <= kThreads && !text.empty(); ++field) {
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        std::string_view const word = text.substr(0, text.find(' '));
        text.remove_prefix(word.size());
        if (field == kUserTime || field == kSystemTime) {
            usage.cpu_ticks += number_in(word);
        } else if (field == kThreads) {
            usage.threads = number_in(word);
        }
    }
    return usage;
}

std::uint64_t machine_memory_bytes() {
    auto const pages = ::sysconf(_SC_PHYS_PAGES);
    auto const page = ::sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0
               ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page)
               : 0;
}

}  // namespace oblea::tools
