// SPDX-License-Identifier: MIT
#include "tools/mount/command_plan.h"

#include "store/base/limits.h"
#include "store/image/json_fields.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
using nlohmann::json;

constexpr char const* kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr char const* kWhat = "the image's config";

std::string_view name_of(std::string_view assignment) {
    return assignment.substr(0, assignment.find('='));
}

void assign(std::vector<std::string>& environment, std::string assignment) {
    auto const same = std::ranges::find_if(
        environment, [&](std::string const& one) { return name_of(one) == name_of(assignment); });
    if (same != environment.end()) {
        *same = std::move(assignment);
    } else {
        environment.push_back(std::move(assignment));
    }
}

std::optional<std::string> callers(EnvironmentSources const& sources, std::string_view name) {
    auto const found = std::ranges::find_if(sources.caller, [&](std::string const& one) {
        return name_of(one) == name && one.size() > name.size();
    });
    return found != sources.caller.end() ? std::optional{*found} : std::nullopt;
}

}  // namespace

Result<ImageDefaults> parse_image_defaults(std::string_view config) {
    json const document = OBLEA_TRY(fields::parse_object(config, kWhat, limits::kConfigBytesMax));
    ImageDefaults defaults;
    json const* runtime = OBLEA_TRY(fields::object_if(document, "config", kWhat));
    if (runtime == nullptr) {
        return defaults;
    }
    defaults.env = OBLEA_TRY(fields::texts_if(*runtime, "Env", kWhat));
    defaults.entrypoint = OBLEA_TRY(fields::texts_if(*runtime, "Entrypoint", kWhat));
    defaults.command = OBLEA_TRY(fields::texts_if(*runtime, "Cmd", kWhat));
    defaults.workdir = OBLEA_TRY(fields::text_if(*runtime, "WorkingDir", kWhat)).value_or("");
    defaults.user = OBLEA_TRY(fields::text_if(*runtime, "User", kWhat)).value_or("");
    return defaults;
}

std::vector<std::string> plan_command(ImageDefaults const& image,
                                      std::vector<std::string> const& asked) {
    if (!asked.empty()) {
        return asked;
    }
    std::vector<std::string> command = image.entrypoint;
    command.insert(command.end(), image.command.begin(), image.command.end());
    return command.empty() ? std::vector<std::string>{"/bin/sh"} : command;
}

Result<std::vector<std::string>> plan_environment(EnvironmentSources const& sources) {
    std::vector<std::string> environment{kDefaultPath, "HOME=" + sources.home};
    if (auto term = callers(sources, "TERM")) {
        environment.push_back(*std::move(term));
    }
    for (std::string const& one : sources.image) {
        if (one.find('=') != std::string::npos) {
            assign(environment, one);
        }
    }
    for (std::string const& one : sources.asked) {
        if (name_of(one).empty()) {
            return fail(Errno::einval, "",
                        fmt::format("\"{}\" is no environment variable: NAME=VALUE, or NAME to "
                                    "hand yours on",
                                    one));
        }
        if (one.find('=') != std::string::npos) {
            assign(environment, one);
        } else if (auto own = callers(sources, one)) {
            assign(environment, *std::move(own));
        }
    }
    return environment;
}

}  // namespace oblea::tools
