// SPDX-License-Identifier: MIT
#include "tools/cli/mount_helper.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace oblea::tools {

namespace {

struct Translation {
    std::string_view option;
    std::string_view words;  // of oblea mount; empty: nothing to say
};

// What fstab may hold. Those without words are the default, or are for mount(8) and systemd.
constexpr std::array kOptions{
    Translation{"ro", "--read-only"}, Translation{"rw", ""},
    Translation{"suid", "--suid"},    Translation{"nosuid", ""},
    Translation{"dev", "--dev"},      Translation{"nodev", ""},
    Translation{"exec", ""},          Translation{"allow_other", "--allow-other"},
    Translation{"rm", "--rm"},        Translation{"noatime", ""},
    Translation{"nodiratime", ""},    Translation{"relatime", ""},
    Translation{"async", ""},         Translation{"defaults", ""},
    Translation{"auto", ""},          Translation{"noauto", ""},
    Translation{"user", ""},          Translation{"nouser", ""},
    Translation{"users", ""},         Translation{"owner", ""},
    Translation{"group", ""},         Translation{"nofail", ""},
    Translation{"_netdev", ""},       Translation{"verify", "--verify"},
};

constexpr std::array kOptionsWithValue{
    Translation{"upper=", "--upper"},
    Translation{"name=", "--name"},
    Translation{"root=", "--root"},
    Translation{"store=", "--store"},
    Translation{"pull=", "--pull"},
    Translation{"data=", "--data"},
    Translation{"comment=", ""},
    Translation{"x-", ""},
    Translation{"transport=", "--transport"},
};

enum class Unknown { error, ignore };

Status translate_option(std::string_view option, Unknown unknown, std::vector<std::string>& words) {
    auto const plain = std::ranges::find(kOptions, option, &Translation::option);
    if (plain != kOptions.end()) {
        if (!plain->words.empty()) {
            words.emplace_back(plain->words);
        }
        return {};
    }
    for (auto const& [prefix, word] : kOptionsWithValue) {
        if (option.starts_with(prefix)) {
            if (!word.empty()) {
                words.emplace_back(word);
                words.emplace_back(option.substr(prefix.size()));
            }
            return {};
        }
    }
    if (unknown == Unknown::ignore || option.empty()) {
        return {};
    }
    return fail(
        Errno::einval, "",
        fmt::format("mount option '{}' is not known; oblea takes ro, suid, dev, "
                    "allow_other, rm, verify, upper=DIR, name=NAME, root=DIR, store=DIR, pull=WHEN "
                    "and data=HOW",
                    option));
}

}  // namespace

Result<std::optional<std::vector<std::string>>>
translate_mount_helper(std::span<std::string const> arguments) {
    std::vector<std::string> operands;
    std::string options;
    bool dry_run = false;
    auto unknown = Unknown::error;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::string const& word = arguments[i];
        if (word == "-o" || word == "-t" || word == "-N") {
            if (++i == arguments.size()) {
                return fail(Errno::einval, "", fmt::format("{} takes a value", word));
            }
            if (word == "-o") {
                options += (options.empty() ? "" : ",") + arguments[i];
            }
        } else if (word.size() > 1 && word[0] == '-') {
            if (word.find_first_not_of("sfnv", 1) != std::string::npos) {
                return fail(Errno::einval, "", fmt::format("unknown option '{}'", word));
            }
            dry_run = dry_run || word.find('f') != std::string::npos;
            unknown = word.find('s') != std::string::npos ? Unknown::ignore : unknown;
        } else {
            operands.push_back(word);
        }
    }
    if (operands.size() != 2) {
        return fail(Errno::einval, "", "usage: mount.oblea IMAGE DIR [-o OPTIONS]");
    }
    std::vector<std::string> words{"mount"};
    std::string_view rest = options;
    while (!rest.empty()) {
        std::size_t const end = std::min(rest.find(','), rest.size());
        OBLEA_TRY(translate_option(rest.substr(0, end), unknown, words));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    words.insert(words.end(), {"--", operands[0], operands[1]});
    if (dry_run) {
        return std::nullopt;
    }
    return words;
}

}  // namespace oblea::tools
