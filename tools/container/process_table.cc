// SPDX-License-Identifier: MIT
#include "tools/container/process_table.h"

#include "store/base/text.h"
#include "tools/output/columns.h"
#include "tools/output/plain_text.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace oblea::tools {
namespace {

constexpr std::size_t kWidthMin = 20;  // docker's, of this table

// At most `most` words; the last one holds what is left.
std::vector<std::string_view> words_of(std::string_view line, std::size_t most) {
    std::vector<std::string_view> words;
    while (words.size() < most) {
        auto const begin = line.find_first_not_of(' ');
        if (begin == std::string_view::npos) {
            break;
        }
        line.remove_prefix(begin);
        auto const end = words.size() + 1 < most ? line.find(' ') : std::string_view::npos;
        words.push_back(line.substr(0, end));
        line.remove_prefix(words.back().size());
    }
    return words;
}

void add_line(std::string& text, std::span<std::string_view const> words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        text += one_line(std::string{words[i]});
        text += i + 1 < words.size() ? '\t' : '\n';
    }
}

}  // namespace

Result<std::string> select_processes(std::string_view listed, std::span<pid_t const> wanted) {
    std::string text;
    std::size_t columns = 0;
    std::size_t pid_at = 0;
    for (std::string_view const line : base::split(listed, '\n')) {
        if (columns == 0) {
            auto const titles = words_of(line, line.size());
            auto const found = std::ranges::find(titles, "PID");
            if (found == titles.end()) {
                break;
            }
            columns = titles.size();
            pid_at = static_cast<std::size_t>(found - titles.begin());
            add_line(text, titles);
            continue;
        }
        auto const words = words_of(line, columns);
        pid_t pid = 0;
        if (pid_at < words.size()) {
            std::string_view const number = words[pid_at];
            std::from_chars(number.data(), number.data() + number.size(), pid);
        }
        if (std::ranges::find(wanted, pid) != wanted.end()) {
            add_line(text, words);
        }
    }
    if (columns == 0) {
        return fail(Errno::einval, "", "Couldn't find PID field in ps output");
    }
    return align_columns(text, kWidthMin);
}

}  // namespace oblea::tools
