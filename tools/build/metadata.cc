// SPDX-License-Identifier: MIT
#include "tools/build/metadata.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace oblea::tools::build {

using nlohmann::json;

namespace {

std::vector<std::string> texts_of(json const& config, char const* key) {
    std::vector<std::string> list;
    auto const found = config.find(key);
    if (found != config.end() && found->is_array()) {
        for (json const& one : *found) {
            if (one.is_string()) {
                list.push_back(one.get<std::string>());
            }
        }
    }
    return list;
}

std::string text_of(json const& config, char const* key) {
    auto const found = config.find(key);
    return found != config.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

json& object_at(json& config, char const* key) {
    json& object = config[key];
    if (!object.is_object()) {
        object = json::object();
    }
    return object;
}

// Gives a variable its value in "Env", at the place that it had.
void set_variable(json& config, std::string const& name, std::string const& value) {
    json& env = config["Env"];
    if (!env.is_array()) {
        env = json::array();
    }
    for (json& one : env) {
        if (one.is_string() && one.get_ref<std::string const&>().starts_with(name + "=")) {
            one = name + "=" + value;
            return;
        }
    }
    env.push_back(name + "=" + value);
}

// As Go's %q shows a list of texts: ["a" "b"].
std::string quoted(std::vector<std::string> const& words) {
    std::vector<std::string> parts;
    std::ranges::transform(words, std::back_inserter(parts), [](std::string const& word) {
        return json(word).dump(-1, ' ', false, json::error_handler_t::replace);
    });
    return fmt::format("[{}]", fmt::join(parts, " "));
}

// "8000-8002/tcp" is three ports.
void expose(json& ports, std::string const& typed) {
    auto const slash = typed.find('/');
    std::string const protocol = slash == std::string::npos ? "tcp" : typed.substr(slash + 1);
    std::string const range = typed.substr(0, slash);
    auto const dash = range.find('-');
    // The parser has checked the numbers.
    unsigned const first = static_cast<unsigned>(std::stoul(range.substr(0, dash)));
    unsigned const last = dash == std::string::npos
                              ? first
                              : static_cast<unsigned>(std::stoul(range.substr(dash + 1)));
    for (unsigned port = first; port <= last; ++port) {
        ports[fmt::format("{}/{}", port, protocol)] = json::object();
    }
}

class Applier {
public:
    Applier(json& config, OwnCmd own_cmd)
        : config_(config), settings_(settings_of(config)), own_cmd_(own_cmd) {}

    std::string operator()(dockerfile::Env const& env) {
        std::string text = "ENV";
        for (dockerfile::Pair const& pair : env.pairs) {
            set_variable(config_, pair.name, pair.value);
            text += ' ' + pair.name + '=' + pair.value;
        }
        return text;
    }
    std::string operator()(dockerfile::Label const& label) {
        std::string text = "LABEL";
        for (dockerfile::Pair const& pair : label.pairs) {
            object_at(config_, "Labels")[pair.name] = pair.value;
            text += ' ' + pair.name + '=' + pair.value;
        }
        return text;
    }
    std::string operator()(dockerfile::Expose const& ports) {
        for (std::string const& port : ports.ports) {
            expose(object_at(config_, "ExposedPorts"), port);
        }
        return fmt::format("EXPOSE {}", fmt::join(ports.ports, " "));
    }
    std::string operator()(dockerfile::Cmd const& cmd) {
        auto const words = command_words(settings_, cmd.command);
        config_["Cmd"] = words;
        return "CMD " + quoted(words);
    }
    std::string operator()(dockerfile::Entrypoint const& entrypoint) {
        auto const words = command_words(settings_, entrypoint.command);
        config_["Entrypoint"] = words;
        if (words.empty()) {
            config_.erase("Entrypoint");
        }
        if (own_cmd_ == OwnCmd::no) {
            config_.erase("Cmd");
        }
        return "ENTRYPOINT " + quoted(words);
    }
    std::string operator()(dockerfile::Shell const& shell) {
        config_["Shell"] = shell.words;
        return fmt::format("SHELL [{}]", fmt::join(shell.words, " "));
    }
    std::string operator()(dockerfile::User const& user) {
        config_["User"] = user.user;
        return "USER " + user.user;
    }
    std::string operator()(dockerfile::Workdir const& workdir) {
        std::string const path = absolute_path(settings_.workdir, workdir.path);
        config_["WorkingDir"] = path;
        return "WORKDIR " + path;
    }
    std::string operator()(dockerfile::Volume const& volume) {
        for (std::string const& path : volume.paths) {
            object_at(config_, "Volumes")[path] = json::object();
        }
        return fmt::format("VOLUME [{}]", fmt::join(volume.paths, " "));
    }
    std::string operator()(dockerfile::Stopsignal const& stop) {
        config_["StopSignal"] = stop.signal;
        return "STOPSIGNAL " + stop.signal;
    }
    std::string operator()(dockerfile::Onbuild const& onbuild) {
        json& list = config_["OnBuild"];
        if (!list.is_array()) {
            list = json::array();
        }
        list.push_back(onbuild.trigger);
        return "ONBUILD " + onbuild.trigger;
    }
    std::string operator()(dockerfile::Maintainer const& maintainer) {
        return "MAINTAINER " + maintainer.name;
    }
    std::string operator()(dockerfile::Healthcheck const& check) {
        if (!check.command.has_value()) {
            config_["Healthcheck"] = {{"Test", {"NONE"}}};
            return "HEALTHCHECK NONE";
        }
        std::vector<std::string> test{
            check.command->form == dockerfile::Command::Form::shell ? "CMD-SHELL" : "CMD"};
        test.insert(test.end(), check.command->words.begin(), check.command->words.end());
        json object = {{"Test", test}};
        auto const add = [&](char const* key, std::int64_t value) {
            if (value != 0) {
                object[key] = value;
            }
        };
        add("Interval", check.interval_ns);
        add("Timeout", check.timeout_ns);
        add("StartPeriod", check.start_period_ns);
        add("StartInterval", check.start_interval_ns);
        add("Retries", check.retries);
        std::string const text =
            "HEALTHCHECK " + object.dump(-1, ' ', false, json::error_handler_t::replace);
        config_["Healthcheck"] = std::move(object);
        return text;
    }
    // Not metadata; never asked.
    std::string operator()(dockerfile::Arg const& /*arg*/) { return "ARG"; }
    std::string operator()(dockerfile::Run const& /*run*/) { return "RUN"; }
    std::string operator()(dockerfile::Copy const& /*copy*/) { return "COPY"; }
    std::string operator()(dockerfile::Add const& /*add*/) { return "ADD"; }

private:
    json& config_;
    RunSettings settings_;
    OwnCmd own_cmd_;
};

}  // namespace

RunSettings settings_of(json const& config) {
    RunSettings settings{.env = texts_of(config, "Env"),
                         .shell = texts_of(config, "Shell"),
                         .workdir = text_of(config, "WorkingDir"),
                         .user = text_of(config, "User")};
    if (settings.shell.empty()) {
        settings.shell = {"/bin/sh", "-c"};
    }
    return settings;
}

std::string apply_metadata(json& config, dockerfile::Instruction const& instruction,
                           OwnCmd own_cmd) {
    return std::visit(Applier{config, own_cmd}, instruction.what);
}

std::string absolute_path(std::string_view workdir, std::string_view path) {
    std::vector<std::string_view> parts;
    auto const add = [&](std::string_view text) {
        while (!text.empty()) {
            auto const end = std::min(text.find('/'), text.size());
            std::string_view const part = text.substr(0, end);
            text.remove_prefix(std::min(end + 1, text.size()));
            if (part == "..") {
                if (!parts.empty()) {
                    parts.pop_back();
                }
            } else if (!part.empty() && part != ".") {
                parts.push_back(part);
            }
        }
    };
    if (!path.starts_with('/')) {
        add(workdir);
    }
    add(path);
    return fmt::format("/{}", fmt::join(parts, "/"));
}

std::string nop_text(RunSettings const& settings, std::string_view text) {
    return fmt::format("{} #(nop) {}", fmt::join(settings.shell, " "), text);
}

std::vector<std::string> command_words(RunSettings const& settings,
                                       dockerfile::Command const& command) {
    if (command.form == dockerfile::Command::Form::exec) {
        return command.words;
    }
    std::vector<std::string> words = settings.shell;
    words.insert(words.end(), command.words.begin(), command.words.end());
    return words;
}

std::string run_text(std::vector<std::string> const& words,
                     std::vector<std::string> const& arguments, std::string const& more) {
    std::string text;
    if (!arguments.empty()) {
        text = fmt::format("|{} {} ", arguments.size(), fmt::join(arguments, " "));
    }
    text += fmt::format("{}", fmt::join(words, " "));
    if (!more.empty()) {
        text += fmt::format(" # {}", more);
    }
    return text;
}

}  // namespace oblea::tools::build
