// SPDX-License-Identifier: MIT
#include "tests/unit/build/describe.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace oblea::tests {

using namespace tools::dockerfile;

namespace {

std::string in_quotes(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string list(std::vector<std::string> const& texts) {
    std::string result;
    for (std::string const& text : texts) {
        result += " " + in_quotes(text);
    }
    return result;
}

// " name=value" of a field that has something to say.
std::string field(std::string_view name, std::string const& value) {
    return value.empty() ? "" : fmt::format(" {}={}", name, in_quotes(value));
}
std::string field(std::string_view name, std::int64_t value) {
    return value == 0 ? "" : fmt::format(" {}={}", name, value);
}
std::string field(std::string_view name, bool value) {
    return value ? fmt::format(" {}", name) : "";
}

class Describer {
public:
    std::string operator()(Add const& add) const {
        std::string const unpack =
            add.unpack.has_value() ? (*add.unpack ? " unpack" : " unpack=false") : "";
        return transfer(add) + field("checksum", add.checksum) + unpack;
    }
    std::string operator()(Copy const& copy) const {
        return transfer(copy) + field("from", copy.from) + field("parents", copy.parents);
    }
    std::string operator()(Arg const& arg) const {
        std::string result;
        for (auto const& [name, value] : arg.arguments) {
            result += " " + in_quotes(name) + (value.has_value() ? "=" + in_quotes(*value) : "");
        }
        return result;
    }
    std::string operator()(Cmd const& cmd) const { return command(cmd.command); }
    std::string operator()(Entrypoint const& entry) const { return command(entry.command); }
    std::string operator()(Env const& env) const { return pairs(env.pairs); }
    std::string operator()(Label const& label) const { return pairs(label.pairs); }
    std::string operator()(Expose const& expose) const { return list(expose.ports); }
    std::string operator()(Healthcheck const& check) const {
        if (!check.command.has_value()) {
            return " none";
        }
        return command(*check.command) + field("interval", check.interval_ns) +
               field("timeout", check.timeout_ns) + field("start-period", check.start_period_ns) +
               field("start-interval", check.start_interval_ns) +
               field("retries", std::int64_t{check.retries});
    }
    std::string operator()(Maintainer const& one) const { return list({one.name}); }
    std::string operator()(Onbuild const& one) const { return list({one.trigger}); }
    std::string operator()(Run const& run) const {
        std::string result = command(run.command);
        if (run.script.has_value()) {
            result += field("script", heredoc_text(*run.script));
        }
        result += field("network", std::string{run.network == Run::Network::none   ? "none"
                                               : run.network == Run::Network::host ? "host"
                                                                                   : ""});
        result += field("insecure", run.security == Run::Security::insecure);
        for (auto const& options : run.mount_options) {
            result += "\n        mount";
            for (auto const& [key, value] : options) {
                result += " " + key + (value.has_value() ? "=" + in_quotes(*value) : "");
            }
        }
        for (Mount const& one : run.mounts) {
            result += "\n        planned" + mount(one);
        }
        return result;
    }
    std::string operator()(Shell const& shell) const { return list(shell.words); }
    std::string operator()(Stopsignal const& stop) const { return list({stop.signal}); }
    std::string operator()(User const& user) const { return list({user.user}); }
    std::string operator()(Volume const& volume) const { return list(volume.paths); }
    std::string operator()(Workdir const& workdir) const { return list({workdir.path}); }

private:
    static std::string command(Command const& command) {
        return (command.form == Command::Form::shell ? " shell" : " exec") + list(command.words);
    }
    static std::string pairs(std::vector<Pair> const& pairs) {
        std::string result;
        for (Pair const& pair : pairs) {
            result += fmt::format(" {}={}{}", in_quotes(pair.name), in_quotes(pair.value),
                                  pair.spaced ? " (spaced)" : "");
        }
        return result;
    }
    static std::string transfer(Transfer const& transfer) {
        std::string result = list(transfer.sources);
        for (Heredoc const& file : transfer.files) {
            result += fmt::format(" <<{}{}{}:{}", file.chomp ? "-" : "", in_quotes(file.name),
                                  file.expand ? "" : "(raw)", in_quotes(file.content));
        }
        result += " -> " + in_quotes(transfer.destination);
        result += field("chown", transfer.chown) + field("chmod", transfer.chmod) +
                  field("link", transfer.link);
        for (std::string const& pattern : transfer.exclude) {
            result += field("exclude", pattern);
        }
        return result;
    }
    static std::string mount(Mount const& mount) {
        constexpr std::string_view kTypes[]{"bind", "cache", "tmpfs", "secret"};
        constexpr std::string_view kSharings[]{"", "private", "locked"};
        std::string result = fmt::format(" {}", kTypes[static_cast<std::size_t>(mount.type)]);
        result += field("from", mount.from) + field("source", mount.source) +
                  field("target", mount.target) + field("id", mount.id) +
                  (mount.read_only ? " ro" : " rw") + field("required", mount.required) +
                  field("size", static_cast<std::int64_t>(mount.size_bytes)) +
                  field("sharing", std::string{kSharings[static_cast<std::size_t>(mount.sharing)]});
        if (mount.env.has_value()) {
            result += " env=" + in_quotes(*mount.env);
        }
        if (mount.mode.has_value()) {
            result += fmt::format(" mode={:o}", *mount.mode);
        }
        if (mount.uid.has_value()) {
            result += fmt::format(" uid={}", *mount.uid);
        }
        if (mount.gid.has_value()) {
            result += fmt::format(" gid={}", *mount.gid);
        }
        return result;
    }
};

std::string place_and_text(Lines const& lines, std::string const& text) {
    std::string const range = lines.first == lines.last
                                  ? fmt::format("{}", lines.first)
                                  : fmt::format("{}-{}", lines.first, lines.last);
    return fmt::format("{}: {}\n    ", range, in_quotes(text));
}

}  // namespace

std::string describe(Instruction const& instruction) {
    return place_and_text(instruction.lines, instruction.text) +
           std::string{keyword_of(instruction)} + std::visit(Describer{}, instruction.what) + "\n";
}

std::string describe(Result<Dockerfile> const& parsed) {
    if (!parsed.has_value()) {
        return "error: " + parsed.error().detail + "\n";
    }
    std::string text = parsed->escape == '\\' ? "" : fmt::format("escape {}\n", parsed->escape);
    for (Instruction const& instruction : parsed->global_args) {
        text += describe(instruction);
    }
    for (Stage const& stage : parsed->stages) {
        text += place_and_text(stage.lines, stage.text) + "FROM " + in_quotes(stage.from.image) +
                field("as", stage.from.name) + field("platform", stage.from.platform) + "\n";
        for (Instruction const& instruction : stage.instructions) {
            text += describe(instruction);
        }
    }
    for (std::string const& warning : parsed->warnings) {
        text += "warning: " + warning + "\n";
    }
    return text;
}

}  // namespace oblea::tests
