// SPDX-License-Identifier: MIT
#include "tools/build/dockerfile/mount_options.h"

#include "store/base/checked.h"
#include "store/base/parse_number.h"
#include "tools/build/dockerfile/characters.h"
#include "tools/cli/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace oblea::tools::dockerfile {

namespace {

// RFC 4180: a field in quotes may hold commas, and quotes as two.
Result<std::vector<std::string>> split_fields(std::string_view line) {
    std::vector<std::string> fields{""};
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        char const c = line[i];
        if (c == '"' && quoted && line.substr(i + 1).starts_with('"')) {
            fields.back() += line[++i];
        } else if (c == '"' && (quoted || fields.back().empty())) {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            fields.emplace_back();
        } else {
            fields.back() += c;
        }
    }
    if (quoted) {
        return fail(Errno::einval, "", fmt::format("--mount={}: a quote is not closed", line));
    }
    return fields;
}

std::string with_suggestion(std::string message, std::string_view typed,
                            std::vector<std::string> const& known) {
    auto const meant = suggest(typed, known);
    return meant.has_value() ? message + fmt::format(" (did you mean {}?)", *meant)
                             : message + fmt::format(" (there are {})", fmt::join(known, ", "));
}

struct KeyName {
    std::string_view written;
    std::string_view meant;
};
constexpr std::array kKeys{KeyName{"type", "type"},
                           KeyName{"from", "from"},
                           KeyName{"source", "source"},
                           KeyName{"src", "source"},
                           KeyName{"target", "target"},
                           KeyName{"dst", "target"},
                           KeyName{"destination", "target"},
                           KeyName{"readonly", "readonly"},
                           KeyName{"ro", "readonly"},
                           KeyName{"readwrite", "readwrite"},
                           KeyName{"rw", "readwrite"},
                           KeyName{"required", "required"},
                           KeyName{"size", "size"},
                           KeyName{"id", "id"},
                           KeyName{"sharing", "sharing"},
                           KeyName{"mode", "mode"},
                           KeyName{"uid", "uid"},
                           KeyName{"gid", "gid"},
                           KeyName{"env", "env"}};

bool may_stand_alone(std::string_view key) {
    return key == "readonly" || key == "readwrite" || key == "required";
}

auto wrong_value(std::string_view key, std::string_view value, std::string_view expected) {
    return fail(
        Errno::einval, "",
        fmt::format("--mount: invalid value for {}: {}; expected {}", key, value, expected));
}

Result<bool> parse_truth(std::string_view key, std::optional<std::string> const& value) {
    constexpr std::array<std::string_view, 6> kTrue{"1", "t", "T", "true", "TRUE", "True"};
    constexpr std::array<std::string_view, 6> kFalse{"0", "f", "F", "false", "FALSE", "False"};
    if (!value.has_value() || std::ranges::find(kTrue, *value) != kTrue.end()) {
        return true;
    }
    if (std::ranges::find(kFalse, *value) == kFalse.end()) {
        return wrong_value(key, *value, "true or false");
    }
    return false;
}

Result<std::uint32_t> parse_number(std::string_view key, std::string_view value, int number_base) {
    auto const number = base::parse_number<std::uint32_t>(value, number_base);
    if (!number.has_value()) {
        return wrong_value(key, value, number_base == 8 ? "an octal number" : "a number");
    }
    return *number;
}

// "64m", "1.5GiB", "4096": units of 1024.
Result<std::uint64_t> parse_size(std::string_view text) {
    double number = 0;
    auto const [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    std::string unit = error == std::errc{} ? lower_case(without_spaces_around(text.substr(
                                                  static_cast<std::size_t>(end - text.data()))))
                                            : "?";
    constexpr std::string_view kUnits = "kmgtp";
    double factor = 1;
    if (!unit.empty() && kUnits.find(unit.front()) != std::string_view::npos) {
        factor = std::pow(1024.0, static_cast<double>(kUnits.find(unit.front()) + 1));
        unit.erase(0, unit.starts_with("i") ? 0 : 1);
        unit.erase(0, unit.starts_with("ib") ? 1 : 0);
    }
    constexpr double kSizeMax = 9e18;
    if ((!unit.empty() && unit != "b") || number < 0 || number * factor > kSizeMax) {
        return wrong_value("size", text, "a size such as 64m");
    }
    return static_cast<std::uint64_t>(number * factor);
}

enum class Access { by_type, read_only, read_write };

// The type first: it decides what the others may be, wherever it stands.
struct Plan {
    Mount mount;
    Access access = Access::by_type;
    bool has_sharing = false;
    bool has_id = false;
    bool has_required = false;
};

Result<Mount::Type> parse_type(std::string_view value) {
    std::string const type = lower_case(value);
    if (type == "bind") {
        return Mount::Type::bind;
    }
    if (type == "cache") {
        return Mount::Type::cache;
    }
    if (type == "tmpfs") {
        return Mount::Type::tmpfs;
    }
    if (type == "secret") {
        return Mount::Type::secret;
    }
    if (type == "ssh") {
        return fail(Errno::eopnotsupp, "",
                    "--mount=type=ssh: agents are not forwarded into builds; give the key as a "
                    "secret: --mount=type=secret,id=...");
    }
    return fail(Errno::einval, "",
                with_suggestion(fmt::format("unsupported mount type \"{}\"", value), type,
                                {"bind", "cache", "tmpfs", "secret"}));
}

Result<Mount::Sharing> parse_sharing(std::string_view value) {
    std::string const mode = lower_case(value);
    if (mode == "shared") {
        return Mount::Sharing::shared;
    }
    if (mode == "private") {
        return Mount::Sharing::private_;
    }
    if (mode == "locked") {
        return Mount::Sharing::locked;
    }
    return fail(Errno::einval, "",
                with_suggestion(fmt::format("unsupported sharing value \"{}\"", value), mode,
                                {"shared", "private", "locked"}));
}

Status apply(Plan& plan, std::string_view key, std::optional<std::string> const& value) {
    Mount& mount = plan.mount;
    std::string const text = value.value_or("");
    if (key == "type") {
        mount.type = OBLEA_TRY(parse_type(text));
    } else if (key == "from") {
        mount.from = text;
    } else if (key == "source") {
        mount.source = text;
    } else if (key == "target") {
        mount.target = text;
    } else if (key == "readonly") {
        plan.access = OBLEA_TRY(parse_truth(key, value)) ? Access::read_only : Access::read_write;
    } else if (key == "readwrite") {
        plan.access = OBLEA_TRY(parse_truth(key, value)) ? Access::read_write : Access::read_only;
    } else if (key == "required") {
        mount.required = OBLEA_TRY(parse_truth(key, value));
        plan.has_required = true;
    } else if (key == "size") {
        mount.size_bytes = OBLEA_TRY(parse_size(text));
    } else if (key == "id") {
        mount.id = text;
        plan.has_id = true;
    } else if (key == "sharing") {
        mount.sharing = OBLEA_TRY(parse_sharing(text));
        plan.has_sharing = true;
    } else if (key == "mode") {
        mount.mode = OBLEA_TRY(parse_number(key, text, 8));
    } else if (key == "uid") {
        mount.uid = OBLEA_TRY(parse_number(key, text, 10));
    } else if (key == "gid") {
        mount.gid = OBLEA_TRY(parse_number(key, text, 10));
    } else {
        mount.env = text;
    }
    return {};
}

std::string_view name_of(Mount::Type type) {
    switch (type) {
    case Mount::Type::bind:
        return "bind";
    case Mount::Type::cache:
        return "cache";
    case Mount::Type::tmpfs:
        return "tmpfs";
    case Mount::Type::secret:
        return "secret";
    }
    return "";
}

Status check(Plan const& plan) {
    Mount const& mount = plan.mount;
    std::string_view const type = name_of(mount.type);
    bool const is_secret = mount.type == Mount::Type::secret;
    bool const is_cache = mount.type == Mount::Type::cache;
    struct Rule {
        bool broken;
        std::string_view key;
    };
    bool const has_owner = is_secret || is_cache;
    for (Rule const& rule :
         {Rule{mount.mode.has_value() && !has_owner, "mode"},
          Rule{mount.uid.has_value() && !has_owner, "uid"},
          Rule{mount.gid.has_value() && !has_owner, "gid"},
          Rule{plan.has_sharing && !is_cache, "sharing"},
          Rule{mount.size_bytes != 0 && mount.type != Mount::Type::tmpfs, "size"},
          Rule{plan.has_required && !is_secret, "required"},
          Rule{mount.env.has_value() && !is_secret, "env"},
          Rule{!mount.from.empty() && (is_secret || mount.type == Mount::Type::tmpfs), "from"}}) {
        if (rule.broken) {
            return fail(Errno::einval, "",
                        fmt::format("--mount: a {} mount has no {}", type, rule.key));
        }
    }
    if (is_secret && mount.source.empty() && mount.target.empty() && mount.id.empty()) {
        return fail(Errno::einval, "", "--mount: a secret mount needs an id or a target");
    }
    if (is_secret && !mount.source.empty() && plan.has_id) {
        return fail(Errno::einval, "", "--mount: a secret mount has an id or a source, not both");
    }
    if (!is_secret && mount.target.empty()) {
        return fail(Errno::einval, "", fmt::format("--mount: a {} mount needs a target", type));
    }
    return {};
}

}  // namespace

Result<Run::MountOptions> parse_mount_options(std::string_view text) {
    Run::MountOptions options;
    for (std::string const& field : OBLEA_TRY(split_fields(text))) {
        auto const equals = field.find('=');
        std::string const written = lower_case(field.substr(0, equals));
        auto const key = std::ranges::find(kKeys, std::string_view{written}, &KeyName::written);
        if (key == kKeys.end()) {
            std::vector<std::string> known;
            for (KeyName const& one : kKeys) {
                known.emplace_back(one.written);
            }
            return fail(Errno::einval, "",
                        with_suggestion(fmt::format("unexpected key '{}' in '{}'", written, field),
                                        written, known));
        }
        std::optional<std::string> value;
        if (equals != std::string::npos) {
            value = field.substr(equals + 1);
        } else if (!may_stand_alone(key->meant)) {
            return fail(Errno::einval, "",
                        fmt::format("invalid field '{}' must be a key=value pair", field));
        }
        if (key->meant == "from" && value->find('$') != std::string::npos) {
            return fail(Errno::einval, "",
                        "'from' doesn't support variable expansion, define alias stage instead");
        }
        options.emplace_back(std::string{key->meant}, std::move(value));
    }
    return options;
}

Result<Mount> plan_mount(Run::MountOptions const& options, char escape, Lookup const& lookup) {
    Plan plan;
    for (auto const& [key, written] : options) {
        std::optional<std::string> value;
        if (written.has_value()) {
            value = OBLEA_TRY(expand_word(*written, escape, lookup));
        }
        OBLEA_TRY(apply(plan, key, value));
    }
    OBLEA_TRY(check(plan));
    Mount& mount = plan.mount;
    bool const written_to = mount.type == Mount::Type::cache || mount.type == Mount::Type::tmpfs;
    mount.read_only =
        plan.access == Access::by_type ? !written_to : plan.access == Access::read_only;
    auto const last_part = [](std::string const& path) {
        return path.substr(path.find_last_of('/') + 1);
    };
    if (mount.type == Mount::Type::secret) {
        if (mount.id.empty()) {
            mount.id = mount.source.empty() ? last_part(mount.target) : mount.source;
        }
        if (mount.target.empty() && !mount.env.has_value()) {
            mount.target = "/run/secrets/" + last_part(mount.id);
        }
    }
    if (mount.type == Mount::Type::cache && mount.id.empty()) {
        mount.id = mount.target;
    }
    return std::move(mount);
}

}  // namespace oblea::tools::dockerfile
