// SPDX-License-Identifier: MIT
// What the kernel tells of a process or a thread in /proc/PID/stat.
// Spec: proc_pid_stat(5), which numbers the fields.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace oblea::base {

inline constexpr int kStatState = 3;  // 'R' when it could run, 'Z' when it has ended, ...
inline constexpr int kStatStart = 22;
inline constexpr int kStatExitCode = 52;  // as waitpid(2) has it

// The field of that number, 3 or more, of "PID (NAME) STATE ...", where the name may have anything
// in it. nullopt: there is none. Pure.
[[nodiscard]] std::optional<std::string_view> stat_field(std::string_view stat, int field);

// The same of a process now, by its number, or of a thread, as "PID/task/TID". nullopt: there is no
// such process any more, or it cannot be seen.
[[nodiscard]] std::optional<std::string> process_stat(std::string const& process, int field);

}  // namespace oblea::base
