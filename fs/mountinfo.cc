// SPDX-License-Identifier: MIT
#include "fs/mountinfo.h"

#include "store/base/sys.h"

#include <algorithm>
#include <ranges>

namespace oblea::fs {
namespace {

constexpr std::size_t kTableBytesMax = 64U << 20U;

// Space, tab, newline and backslash are written as \ooo.
std::string unescape(std::string_view text) {
    auto const is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
            is_octal(text[i + 2]) && is_octal(text[i + 3])) {
            int const value =
                (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
            plain += static_cast<char>(value);
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (auto&& part : line | std::views::split(' ')) {
        words.emplace_back(part.begin(), part.end());
    }
    return words;
}

// id parent major:minor root mount-point options [optional...] - type source super-options
std::optional<MountEntry> parse_line(std::string_view line) {
    auto const words = words_of(line);
    auto const dash = std::ranges::find(words, std::string_view{"-"});
    if (dash - words.begin() < 6 || words.end() - dash < 3) {
        return std::nullopt;
    }
    return MountEntry{.device = std::string{words[2]},
                      .mount_point = unescape(words[4]),
                      .options = std::string{words[5]},
                      .type = unescape(dash[1]),
                      .source = unescape(dash[2])};
}

}  // namespace

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
    std::vector<MountEntry> table;
    for (auto&& part : text | std::views::split('\n')) {
        if (auto entry = parse_line({part.begin(), part.end()})) {
            table.push_back(*std::move(entry));
        }
    }
    return table;
}

namespace {

Result<std::vector<MountEntry>> read_table(std::string const& path) {
    return parse_mountinfo(OBLEA_TRY(base::sys::read_file(AT_FDCWD, path.c_str(), kTableBytesMax)));
}

}  // namespace

Result<std::vector<MountEntry>> read_mountinfo() {
    return read_table("/proc/self/mountinfo");
}

Result<std::vector<MountEntry>> read_mountinfo(std::int64_t pid) {
    return read_table("/proc/" + std::to_string(pid) + "/mountinfo");
}

std::optional<MountEntry> top_mount_at(std::vector<MountEntry> const& table,
                                       std::string_view path) {
    for (MountEntry const& entry : table | std::views::reverse) {
        if (entry.mount_point == path) {
            return entry;
        }
    }
    return std::nullopt;
}

bool is_ours(MountEntry const& entry) {
    return entry.type == "fuse.oblea" || entry.type.starts_with("fuse.oblea-");
}

}  // namespace oblea::fs
