// SPDX-License-Identifier: MIT
#include "tools/container/mount_options.h"

#include "store/image/json_fields.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;

constexpr char const* kTmpfsOwner = "container.json";

constexpr std::array kFlags{"ro",    "rw",   "suid",   "nosuid", "dev",
                            "nodev", "exec", "noexec", "noatime"};
constexpr std::array kSettings{"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid"};
// The defaults, each with what takes it away.
constexpr std::array kDefaults{std::pair{"noexec", "exec"}, std::pair{"nosuid", "suid"},
                               std::pair{"nodev", "dev"}};

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        auto const comma = text.find(',');
        words.emplace_back(text.substr(0, comma));
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    return words;
}

bool is_tmpfs_option(std::string const& word) {
    auto const equals = word.find('=');
    if (equals == std::string::npos) {
        return std::ranges::find(kFlags, word) != kFlags.end();
    }
    return std::ranges::find(kSettings, word.substr(0, equals)) != kSettings.end() &&
           equals + 1 < word.size();
}

Error wrong_mount(std::string_view type, std::string const& why) {
    return {Errno::einval, "", fmt::format("invalid mount config for type \"{}\": {}", type, why)};
}

Status check_target(std::string_view type, std::string const& target) {
    if (target.empty()) {
        return std::unexpected(wrong_mount(type, "field Target must not be empty"));
    }
    if (!target.starts_with('/')) {
        return std::unexpected(wrong_mount(
            type, fmt::format("invalid mount path: '{}' mount path must be absolute", target)));
    }
    if (target == "/") {
        return std::unexpected(
            wrong_mount(type, "invalid specification: destination can't be '/'"));
    }
    return {};
}

// "64m", "64MB", "1G", "4096" as the kernel reads it.
std::optional<std::string> tmpfs_size(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (text.ends_with('b')) {
        text.pop_back();
    }
    std::string digits = text;
    if (!digits.empty() && std::string_view{"kmg"}.find(digits.back()) != std::string_view::npos) {
        digits.pop_back();
    }
    bool const right = !digits.empty() && digits.size() <= 18 &&
                       digits.find_first_not_of("0123456789") == std::string::npos;
    return right ? std::optional{text} : std::nullopt;
}

struct MountFields {
    std::string type = "volume";
    std::string source;
    std::string target;
    bool read_only = false;
    std::optional<std::string> size;
    std::optional<std::string> mode;
};

Status set_field(MountFields& asked, std::string const& word) {
    auto const equals = word.find('=');
    std::string const key = word.substr(0, equals);
    bool const has_value = equals != std::string::npos;
    std::string const value = has_value ? word.substr(equals + 1) : "";
    if (key == "readonly" || key == "ro") {
        bool const yes = !has_value || value == "true" || value == "1";
        if (!yes && value != "false" && value != "0") {
            return fail(Errno::einval, "", fmt::format("invalid value for {}: {}", key, value));
        }
        asked.read_only = yes;
        return {};
    }
    if (!has_value) {
        return fail(Errno::einval, "",
                    fmt::format("invalid field '{}' must be a key=value pair", word));
    }
    if (key == "type") {
        asked.type = value;
    } else if (key == "source" || key == "src") {
        asked.source = value;
    } else if (key == "target" || key == "destination" || key == "dst") {
        asked.target = value;
    } else if (key == "tmpfs-size") {
        asked.size = tmpfs_size(value);
        if (!asked.size.has_value()) {
            return fail(Errno::einval, "", fmt::format("invalid value for {}: {}", key, value));
        }
    } else if (key == "tmpfs-mode") {
        if (value.empty() || value.size() > 4 ||
            value.find_first_not_of("01234567") != std::string::npos) {
            return fail(Errno::einval, "", fmt::format("invalid value for {}: {}", key, value));
        }
        asked.mode = value;
    } else if (key != "bind-propagation" || (value != "rprivate" && value != "private")) {
        return fail(Errno::einval, "", fmt::format("unexpected key '{}' in '{}'", key, word));
    }
    return {};
}

Result<AskedMount> bind_of(MountFields const& asked) {
    if (asked.source.empty()) {
        return std::unexpected(wrong_mount(asked.type, "field Source must not be empty"));
    }
    return BindMount{.source = asked.source,
                     .target = asked.target,
                     .access = asked.read_only ? BindMount::Access::read_only
                                               : BindMount::Access::read_write};
}

Result<AskedMount> tmpfs_of(MountFields const& asked) {
    if (!asked.source.empty()) {
        return std::unexpected(wrong_mount(asked.type, "field Source must not be specified"));
    }
    TmpfsMount mount{.target = asked.target, .options = {"noexec", "nosuid", "nodev"}};
    if (asked.size.has_value()) {
        mount.options.push_back("size=" + *asked.size);
    }
    if (asked.mode.has_value()) {
        mount.options.push_back("mode=" + *asked.mode);
    }
    if (asked.read_only) {
        mount.options.emplace_back("ro");
    }
    return mount;
}

}  // namespace

Result<TmpfsMount> parse_tmpfs_mount(std::string_view text) {
    auto const colon = text.find(':');
    TmpfsMount mount{.target = std::string{text.substr(0, colon)}, .options = {}};
    OBLEA_TRY(check_target("tmpfs", mount.target));
    auto const words =
        words_of(colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1));
    for (std::string const& word : words) {
        if (!is_tmpfs_option(word)) {
            return fail(Errno::einval, "", fmt::format("invalid tmpfs option \"{}\"", word));
        }
    }
    for (auto const& [word, opposite] : kDefaults) {
        if (std::ranges::find(words, opposite) == words.end()) {
            mount.options.emplace_back(word);
        }
    }
    for (std::string const& word : words) {
        bool const is_so_anyway =
            word == "rw" || std::ranges::any_of(kDefaults, [&](auto const& one) {
                return word == one.first || word == one.second;
            });
        if (!is_so_anyway) {
            mount.options.push_back(word);
        }
    }
    return mount;
}

Result<AskedMount> parse_mount_option(std::string_view text) {
    MountFields asked;
    for (std::string const& word : words_of(text)) {
        OBLEA_TRY(set_field(asked, word));
    }
    if (asked.type == "volume") {
        return fail(Errno::einval, "",
                    fmt::format("\"{}\": named volumes do not exist here: write "
                                "type=bind,source=/FOLDER,target=/TARGET",
                                text));
    }
    if (asked.type != "bind" && asked.type != "tmpfs") {
        return std::unexpected(wrong_mount(asked.type, "mount type unknown"));
    }
    OBLEA_TRY(check_target(asked.type, asked.target));
    if (asked.type == "bind" && (asked.size.has_value() || asked.mode.has_value())) {
        return fail(Errno::einval, "", "cannot mix 'tmpfs-*' options with mount type 'bind'");
    }
    return asked.type == "bind" ? bind_of(asked) : tmpfs_of(asked);
}

nlohmann::json encode_tmpfs(TmpfsMount const& mount) {
    return {{"target", mount.target}, {"options", mount.options}};
}

Result<TmpfsMount> decode_tmpfs(nlohmann::json const& object) {
    TmpfsMount mount;
    mount.target = OBLEA_TRY(fields::text(object, "target", kTmpfsOwner));
    mount.options = OBLEA_TRY(fields::texts(object, "options", kTmpfsOwner));
    return mount;
}

}  // namespace oblea::tools
