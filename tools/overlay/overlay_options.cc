// SPDX-License-Identifier: MIT
#include "tools/overlay/overlay_options.h"

#include "tools/cli/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace oblea::tools {

namespace {

std::unexpected<Error> refuse(std::string text) {
    return fail(Errno::einval, "", std::move(text));
}

Result<std::uint32_t> parse_id(std::string_view name, std::string_view text) {
    std::uint32_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return refuse(fmt::format("option {}: '{}' is not a number", name, text));
    }
    return value;
}

std::string unescaped(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            ++i;
        }
        result += text[i];
    }
    return result;
}

using Apply = Status (*)(OverlayOptions&, std::string_view value);

struct KnownOption {
    std::string_view name;
    std::string_view value;  // what is to be given; empty: a flag
    std::string_view help;   // a sentence without full stop
    Apply apply;
};

Status nothing(OverlayOptions& /*options*/, std::string_view /*value*/) {
    return {};
}

// A value that must be a number, and changes nothing.
Status any_number(OverlayOptions& /*options*/, std::string_view value) {
    OBLEA_TRY(parse_id("of this name", value));
    return {};
}

template <auto Member, auto Value>
Status set(OverlayOptions& options, std::string_view /*value*/) {
    options.*Member = Value;
    return {};
}

Status set_lower(OverlayOptions& options, std::string_view value) {
    options.lower = split_paths(value);
    std::erase(options.lower, std::string{});
    std::ranges::reverse(options.lower);
    return {};
}

Status set_users(OverlayOptions& options, std::string_view value) {
    options.owners.users.ranges = OBLEA_TRY(parse_owner_ranges(value));
    return {};
}

Status set_groups(OverlayOptions& options, std::string_view value) {
    options.owners.groups.ranges = OBLEA_TRY(parse_owner_ranges(value));
    return {};
}

Status set_squash_root(OverlayOptions& options, std::string_view /*value*/) {
    // The options for one id count more, whichever comes first.
    if (!options.owners.users.squashed.has_value()) {
        options.owners.users.squashed = 0;
    }
    if (!options.owners.groups.squashed.has_value()) {
        options.owners.groups.squashed = 0;
    }
    return {};
}

Status set_squash_user(OverlayOptions& options, std::string_view value) {
    options.owners.users.squashed = OBLEA_TRY(parse_id("squash_to_uid", value));
    return {};
}

Status set_squash_group(OverlayOptions& options, std::string_view value) {
    options.owners.groups.squashed = OBLEA_TRY(parse_id("squash_to_gid", value));
    return {};
}

Status set_fsync(OverlayOptions& options, std::string_view value) {
    options.durability = OBLEA_TRY(parse_id("fsync", value)) == 0
                             ? OverlayOptions::Durability::none
                             : OverlayOptions::Durability::as_asked;
    return {};
}

Status set_noxattrs(OverlayOptions& options, std::string_view value) {
    if (OBLEA_TRY(parse_id("noxattrs", value)) != 0) {
        options.xattrs = OverlayOptions::Xattrs::none;
    }
    return {};
}

Status set_noacl(OverlayOptions& options, std::string_view /*value*/) {
    if (options.xattrs == OverlayOptions::Xattrs::all) {
        options.xattrs = OverlayOptions::Xattrs::without_acls;
    }
    return {};
}

Status set_threaded(OverlayOptions& options, std::string_view value) {
    options.threads = OBLEA_TRY(parse_id("threaded", value)) == 0 ? 1 : 0;
    return {};
}

Status set_override(OverlayOptions& options, std::string_view value) {
    switch (OBLEA_TRY(parse_id("xattr_permissions", value))) {
    case 0:
        options.override_xattr.clear();
        return {};
    case 1:
        options.override_xattr = "security.fuseoverlayfs.override_stat";
        return {};
    case 2:
        options.override_xattr = "user.containers.override_stat";
        return {};
    default:
        return refuse("option xattr_permissions: 0, 1 and 2 are known");
    }
}

Status one_of(std::string_view name, std::string_view value,
              std::initializer_list<std::string_view> choices) {
    if (std::ranges::find(choices, value) != choices.end()) {
        return {};
    }
    std::string list;
    for (std::string_view const choice : choices) {
        list += fmt::format("{}{}", list.empty() ? "" : ", ", choice);
    }
    return refuse(fmt::format("option {}: '{}' is none of {}", name, value, list));
}

Status set_xino(OverlayOptions& /*options*/, std::string_view value) {
    return one_of("xino", value, {"off", "auto", "on"});
}

Status set_redirects(OverlayOptions& options, std::string_view value) {
    OBLEA_TRY(one_of("redirect_dir", value, {"on", "off", "follow", "nofollow"}));
    options.redirects = value == "nofollow" ? OverlayOptions::Redirects::ignored
                                            : OverlayOptions::Redirects::followed;
    return {};
}

Status refuse_plugins(OverlayOptions& /*options*/, std::string_view value) {
    if (value.empty()) {
        return {};
    }
    return refuse("option plugins: code of others is not loaded into this server; fetch the "
                  "layers before they are mounted");
}

using Options = OverlayOptions;

// In the order of the manual.
constexpr std::array kKnown{
    KnownOption{"lowerdir", "DIR:DIR...",
                "the folders below, the top first, up to a thousand; a colon in a name is written "
                "\\:, and relative ones mean the current folder",
                set_lower},
    KnownOption{"upperdir", "DIR",
                "the folder that takes the changes; without it the mount is read-only",
                [](Options& options, std::string_view value) -> Status {
                    options.upper = unescaped(value);
                    return {};
                }},
    KnownOption{"workdir", "DIR",
                "a folder on the same file system as upperdir, for what is on its way there",
                [](Options& options, std::string_view value) -> Status {
                    options.work = unescaped(value);
                    return {};
                }},
    KnownOption{"uidmapping", "STORED:SHOWN:COUNT...",
                "how users are shown who are stored as others", set_users},
    KnownOption{"gidmapping", "STORED:SHOWN:COUNT...", "the same for groups", set_groups},
    KnownOption{"squash_to_root", "",
                "everything is shown as root's, and a change of owner changes nothing",
                set_squash_root},
    KnownOption{"squash_to_uid", "UID", "everything is shown as this user's", set_squash_user},
    KnownOption{"squash_to_gid", "GID", "everything is shown as this group's", set_squash_group},
    KnownOption{"xattr_permissions", "0|1|2",
                "owner and mode are recorded in an extended attribute and not set: 1 in "
                "security.fuseoverlayfs.override_stat, 2 in user.containers.override_stat; lower "
                "folders that have it at their top are always read so",
                set_override},
    KnownOption{"static_nlink", "", "folders have a link count of 1, which needs no listing",
                set<&Options::folder_links, Options::FolderLinks::one>},
    KnownOption{"noacl", "", "access lists are neither shown nor taken", set_noacl},
    KnownOption{"noxattrs", "0|1", "no extended attributes at all", set_noxattrs},
    KnownOption{"volatile", "",
                "nothing waits for the disk: for layers that nobody wants back after a crash",
                set<&Options::durability, Options::Durability::none>},
    KnownOption{"fsync", "0|1", "0 is volatile", set_fsync},
    KnownOption{"redirect_dir", "on|off|follow|nofollow",
                "nofollow: renamed folders of lower layers are not followed; folders can be "
                "renamed in any case",
                set_redirects},
    KnownOption{"ro", "", "every change is refused",
                set<&Options::read_only, Options::ReadOnly::yes>},
    KnownOption{"rw", "", "the default", set<&Options::read_only, Options::ReadOnly::no>},
    KnownOption{"suid", "", "set-user-id programs have their effect; the default for root",
                set<&Options::suid, Options::Suid::yes>},
    KnownOption{"nosuid", "", "they have not", set<&Options::suid, Options::Suid::no>},
    KnownOption{"dev", "", "device nodes are devices", set<&Options::dev, Options::Dev::yes>},
    KnownOption{"nodev", "", "they are not; the default", set<&Options::dev, Options::Dev::no>},
    KnownOption{"exec", "", "the default", set<&Options::exec, Options::Exec::yes>},
    KnownOption{"noexec", "", "programs cannot be run", set<&Options::exec, Options::Exec::no>},
    KnownOption{"allow_other", "",
                "other users see the mount; the default for root, and an error where it is not "
                "permitted",
                set<&Options::access, Options::Access::allow_other>},
    KnownOption{"allow_root", "", "the same: the kernel checks permissions",
                set<&Options::access, Options::Access::allow_other>},
    KnownOption{"context", "LABEL",
                "the SELinux label of all files; without SELinux it means nothing",
                [](Options& options, std::string_view value) -> Status {
                    options.context = unescaped(value);
                    return {};
                }},
    KnownOption{"threaded", "0|1", "0: one thread only", set_threaded},
    KnownOption{"debug", "", "every request is printed, and the server stays in the foreground",
                set<&Options::debug, Options::Debug::yes>},
    KnownOption{"plugins", "", "refused", refuse_plugins},
    KnownOption{"xino", "off|auto|on", "taken; numbers are unique and stable in any case",
                set_xino},
    KnownOption{"timeout", "SECONDS",
                "taken; what the kernel knows stays right, since this server alone changes it",
                [](Options& /*options*/, std::string_view value) -> Status {
                    double seconds = 0;
                    auto const [end, error] =
                        std::from_chars(value.data(), value.data() + value.size(), seconds);
                    if (error != std::errc{} || end != value.data() + value.size()) {
                        return refuse(fmt::format("option timeout: '{}' is not a number", value));
                    }
                    return {};
                }},
    KnownOption{"fast_ino", "0|1", "taken; listings ask for numbers only where they must",
                any_number},
    KnownOption{"writeback", "0|1", "taken; writes reach the upper folder at once", any_number},
    KnownOption{"ino32_t", "", "taken; numbers of local file systems are small", nothing},
    KnownOption{"fsname", "NAME", "taken", nothing},
    KnownOption{"subtype", "NAME", "taken", nothing},
    KnownOption{"max_write", "BYTES", "taken", any_number},
    KnownOption{"max_read", "BYTES", "taken", any_number},
    KnownOption{"max_idle_threads", "COUNT", "taken", any_number},
    KnownOption{"max_threads", "COUNT", "taken", any_number},
    KnownOption{"metacopy", "on|off", "taken; layers of either kind are read", nothing},
    KnownOption{"index", "on|off", "taken; hard links are kept in any case", nothing},
    KnownOption{"nfs_export", "on|off", "taken", nothing},
    KnownOption{"uuid", "VALUE", "taken", nothing},
    KnownOption{"userxattr", "", "taken; the rights of the server decide", nothing},
};

// Of mount(8), FUSE and fstab: nothing to do, or done in any case.
constexpr std::array<std::string_view, 32> kMeaningless{"default_permissions",
                                                        "atime",
                                                        "noatime",
                                                        "diratime",
                                                        "nodiratime",
                                                        "relatime",
                                                        "norelatime",
                                                        "strictatime",
                                                        "lazytime",
                                                        "nolazytime",
                                                        "sync",
                                                        "async",
                                                        "dirsync",
                                                        "defaults",
                                                        "auto",
                                                        "noauto",
                                                        "nofail",
                                                        "_netdev",
                                                        "user",
                                                        "nouser",
                                                        "users",
                                                        "owner",
                                                        "group",
                                                        "auto_unmount",
                                                        "nonempty",
                                                        "kernel_cache",
                                                        "auto_cache",
                                                        "splice_read",
                                                        "splice_write",
                                                        "splice_move",
                                                        "clone_fd",
                                                        "big_writes"};

std::vector<std::string> known_names() {
    std::vector<std::string> names;
    for (KnownOption const& known : kKnown) {
        names.emplace_back(known.name);
    }
    names.insert(names.end(), kMeaningless.begin(), kMeaningless.end());
    return names;
}

Status apply_option(OverlayOptions& options, std::string const& text) {
    auto const equals = text.find('=');
    std::string_view const name = std::string_view{text}.substr(0, equals);
    bool const has_value = equals != std::string::npos;
    std::string_view const value = has_value ? std::string_view{text}.substr(equals + 1) : "";
    auto const known = std::ranges::find(kKnown, name, &KnownOption::name);
    if (known != kKnown.end()) {
        if (has_value != !known->value.empty() && name != "plugins" && name != "noatime") {
            return refuse(has_value ? fmt::format("option {} takes no value", name)
                                    : fmt::format("option {} needs a value: {}={}", name, name,
                                                  known->value));
        }
        return known->apply(options, value);
    }
    if (std::ranges::find(kMeaningless, name) != kMeaningless.end() || name.starts_with("x-")) {
        return {};
    }
    auto const meant = suggest(std::string{name}, known_names());
    return refuse(meant.has_value()
                      ? fmt::format("option '{}' is not known; did you mean '{}'?", name, *meant)
                      : fmt::format("option '{}' is not known", name));
}

}  // namespace

std::vector<std::string> split_options(std::string_view text) {
    std::vector<std::string> parts(1);
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if (c == '\\' && i + 1 < text.size()) {
            ++i;
            if (text[i] != ',') {
                parts.back() += c;
            }
            parts.back() += text[i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    std::erase(parts, std::string{});
    return parts;
}

std::vector<std::string> split_paths(std::string_view text) {
    std::vector<std::string> parts(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            parts.back() += text[++i];
        } else if (text[i] == ':') {
            parts.emplace_back();
        } else {
            parts.back() += text[i];
        }
    }
    return parts;
}

Result<std::vector<fs::OwnerRange>> parse_owner_ranges(std::string_view text) {
    std::vector<std::uint32_t> numbers;
    for (std::string const& part : split_paths(text)) {
        if (!part.empty()) {
            numbers.push_back(OBLEA_TRY(parse_id("uidmapping or gidmapping", part)));
        }
    }
    if (numbers.empty() || numbers.size() % 3 != 0) {
        return refuse(fmt::format(
            "'{}' is no map of owners: STORED:SHOWN:COUNT, repeated as often as needed", text));
    }
    std::vector<fs::OwnerRange> ranges;
    for (std::size_t i = 0; i < numbers.size(); i += 3) {
        ranges.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
    }
    return ranges;
}

Result<OverlayOptions> parse_overlay_options(std::vector<std::string> const& arguments) {
    OverlayOptions options;
    options.typed = arguments;
    for (std::string const& argument : arguments) {
        for (std::string const& option : split_options(argument)) {
            OBLEA_TRY(apply_option(options, option));
        }
    }
    if (options.lower.empty()) {
        return refuse("no folder below is named: -o lowerdir=DIR[:DIR...]");
    }
    if (!options.upper.empty() && options.work.empty()) {
        return refuse("upperdir needs a workdir beside it: -o workdir=DIR");
    }
    return options;
}

std::string describe_overlay_options() {
    std::string text;
    for (KnownOption const& known : kKnown) {
        text += fmt::format("{}{}{}{}: {}.", text.empty() ? "" : "\n\n", known.name,
                            known.value.empty() ? "" : "=", known.value, known.help);
    }
    text += "\n\nTaken without effect:";
    for (std::string_view const name : kMeaningless) {
        text += fmt::format(" {}", name);
    }
    return text + '.';
}

}  // namespace oblea::tools
