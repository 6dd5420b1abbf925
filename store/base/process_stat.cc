// SPDX-License-Identifier: MIT
#include "store/base/process_stat.h"

#include "store/base/sys.h"

#include <algorithm>

namespace oblea::base {

std::optional<std::string_view> stat_field(std::string_view stat, int field) {
    auto at = stat.rfind(')');
    for (int before = 2; at != std::string_view::npos && before < field; ++before) {
        at = stat.find(' ', at + 1);
    }
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    stat.remove_prefix(at + 1);
    return stat.substr(0, std::min(stat.find_first_of(" \n"), stat.size()));
}

std::optional<std::string> process_stat(std::string const& process, int field) {
    auto const stat = sys::read_file(AT_FDCWD, ("/proc/" + process + "/stat").c_str(), 4096);
    if (!stat.has_value()) {
        return std::nullopt;
    }
    auto const found = stat_field(*stat, field);
    return found.has_value() ? std::optional{std::string{*found}} : std::nullopt;
}

}  // namespace oblea::base
