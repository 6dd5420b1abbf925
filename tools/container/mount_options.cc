// SPDX-License-Identifier: MIT
#include "tools/container/mount_options.h"

#include "store/image/json_fields.h"
#include "tools/container/run_config.h"
#include "tools/mount/volumes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>
#include <string>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;

constexpr char const* kOwner = "container.json";

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

// As docker has targets: without "." and "..", and without a slash at the end.
std::string clean(std::string const& target) {
    std::string path = std::filesystem::path{target}.lexically_normal().string();
    while (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
    return path;
}

struct MountFields {
    std::string type = "volume";
    std::string source;
    std::string target;
    bool read_only = false;
    bool no_copy = false;
    std::optional<std::string> size;
    std::optional<std::string> mode;
};

// "KEY", "KEY=true", "KEY=0".
Result<bool> truth(std::string const& key, std::optional<std::string> const& value) {
    bool const yes = !value.has_value() || *value == "true" || *value == "1";
    if (!yes && *value != "false" && *value != "0") {
        return fail(Errno::einval, "", fmt::format("invalid value for {}: {}", key, *value));
    }
    return yes;
}

Status set_field(MountFields& asked, std::string const& word) {
    auto const equals = word.find('=');
    std::string const key = word.substr(0, equals);
    bool const has_value = equals != std::string::npos;
    std::string const value = has_value ? word.substr(equals + 1) : "";
    if (key == "readonly" || key == "ro" || key == "volume-nocopy") {
        bool const yes = OBLEA_TRY(truth(key, has_value ? std::optional{value} : std::nullopt));
        (key == "volume-nocopy" ? asked.no_copy : asked.read_only) = yes;
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
    } else if (key == "volume-driver") {
        if (value != "local" && !value.empty()) {
            return fail(
                Errno::einval, "",
                fmt::format("error looking up volume plugin {0}: plugin \"{0}\" not found", value));
        }
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

Result<VolumeMount> volume_of(MountFields const& asked) {
    if (!asked.source.empty()) {
        OBLEA_TRY(check_volume_name(asked.source));
    }
    return VolumeMount{.name = asked.source,
                       .target = clean(asked.target),
                       .access = asked.read_only ? BindMount::Access::read_only
                                                 : BindMount::Access::read_write,
                       .copy = asked.no_copy ? VolumeMount::Copy::no : VolumeMount::Copy::yes,
                       .named = asked.source.empty() ? VolumeMount::Named::by_nobody
                                                     : VolumeMount::Named::by_user};
}

// What belongs to another type than the one that is asked for.
Status check_fields(MountFields const& asked) {
    if (asked.type != "tmpfs" && (asked.size.has_value() || asked.mode.has_value())) {
        return fail(Errno::einval, "",
                    fmt::format("cannot mix 'tmpfs-*' options with mount type '{}'", asked.type));
    }
    if (asked.type != "volume" && asked.no_copy) {
        return fail(Errno::einval, "",
                    fmt::format("cannot mix 'volume-*' options with mount type '{}'", asked.type));
    }
    return {};
}

// The modes of "NAME:TARGET:MODE,...".
Status set_modes(VolumeMount& mount, std::string_view typed, std::string_view modes) {
    auto const words = words_of(modes);
    for (std::string const& word : words) {
        if (word == "ro") {
            mount.access = BindMount::Access::read_only;
        } else if (word == "nocopy") {
            mount.copy = VolumeMount::Copy::no;
        } else if (word != "rw" && word != "z" && word != "Z") {
            return fail(
                Errno::einval, "",
                fmt::format("invalid volume specification: '{}': invalid mode: {}", typed, word));
        }
    }
    return {};
}

}  // namespace

Result<AskedMount> parse_volume_option(std::string_view text) {
    if (text.starts_with('/') && text.find(':') != std::string_view::npos) {
        return OBLEA_TRY(parse_bind_mount(text));
    }
    VolumeMount mount;
    std::string_view rest = text;
    if (auto const colon = text.find(':'); colon != std::string_view::npos) {
        mount.name = text.substr(0, colon);
        rest = text.substr(colon + 1);
        OBLEA_TRY(check_volume_name(mount.name));
    } else {
        mount.named = VolumeMount::Named::by_nobody;
    }
    auto const colon = rest.find(':');
    mount.target = rest.substr(0, colon);
    OBLEA_TRY(with_context(check_target("volume", mount.target), [&] {
        return fmt::format("invalid volume specification: '{}'", text);
    }));
    mount.target = clean(mount.target);
    if (colon != std::string_view::npos) {
        OBLEA_TRY(set_modes(mount, text, rest.substr(colon + 1)));
    }
    return mount;
}

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
    if (asked.type != "bind" && asked.type != "tmpfs" && asked.type != "volume") {
        return std::unexpected(wrong_mount(asked.type, "mount type unknown"));
    }
    OBLEA_TRY(check_target(asked.type, asked.target));
    OBLEA_TRY(check_fields(asked));
    if (asked.type == "bind") {
        return OBLEA_TRY(bind_of(asked));
    }
    if (asked.type == "tmpfs") {
        return OBLEA_TRY(tmpfs_of(asked));
    }
    return OBLEA_TRY(volume_of(asked));
}

std::vector<VolumeMount> plan_image_volumes(nlohmann::json const& volumes,
                                            std::set<std::string> targets) {
    std::vector<VolumeMount> list;
    for (auto const& [path, nothing] : volumes.items()) {
        std::string target = clean(path);
        if (target.starts_with('/') && target != "/" && targets.insert(target).second) {
            list.push_back(
                {.name = {}, .target = std::move(target), .named = VolumeMount::Named::by_nobody});
        }
    }
    return list;
}

nlohmann::json encode_volume(VolumeMount const& mount) {
    return {{"name", mount.name},
            {"target", mount.target},
            {"read_only", mount.access == BindMount::Access::read_only},
            {"copy", mount.copy == VolumeMount::Copy::yes},
            {"anonymous", mount.named == VolumeMount::Named::by_nobody}};
}

Result<VolumeMount> decode_volume(nlohmann::json const& object) {
    VolumeMount mount;
    mount.name = OBLEA_TRY(fields::text(object, "name", kOwner));
    mount.target = OBLEA_TRY(fields::text(object, "target", kOwner));
    OBLEA_TRY(check_volume_name(mount.name));
    if (OBLEA_TRY(fields::flag(object, "read_only", kOwner))) {
        mount.access = BindMount::Access::read_only;
    }
    if (!OBLEA_TRY(fields::flag(object, "copy", kOwner))) {
        mount.copy = VolumeMount::Copy::no;
    }
    if (OBLEA_TRY(fields::flag(object, "anonymous", kOwner))) {
        mount.named = VolumeMount::Named::by_nobody;
    }
    return mount;
}

nlohmann::json encode_tmpfs(TmpfsMount const& mount) {
    return {{"target", mount.target}, {"options", mount.options}};
}

Result<TmpfsMount> decode_tmpfs(nlohmann::json const& object) {
    TmpfsMount mount;
    mount.target = OBLEA_TRY(fields::text(object, "target", kOwner));
    mount.options = OBLEA_TRY(fields::texts(object, "options", kOwner));
    return mount;
}

}  // namespace oblea::tools
