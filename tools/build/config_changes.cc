// SPDX-License-Identifier: MIT
#include "tools/build/config_changes.h"

#include "tools/build/metadata.h"
#include "tools/build/scope.h"

#include <fmt/format.h>

namespace oblea::tools::build {
namespace {

using dockerfile::Instruction;

template <typename... Kinds>
bool is_any_of(Instruction const& instruction) {
    return (std::holds_alternative<Kinds>(instruction.what) || ...);
}

// Those that docker takes.
bool is_change(Instruction const& instruction) {
    return is_any_of<dockerfile::Cmd, dockerfile::Entrypoint, dockerfile::Env, dockerfile::Expose,
                     dockerfile::Healthcheck, dockerfile::Label, dockerfile::Onbuild,
                     dockerfile::Stopsignal, dockerfile::User, dockerfile::Volume,
                     dockerfile::Workdir>(instruction);
}

Result<Instruction> parse_change(std::string const& text, nlohmann::json const& config) {
    Instruction instruction = OBLEA_TRY(dockerfile::parse_instruction(text));
    if (!is_change(instruction)) {
        return fail(Errno::einval, "",
                    fmt::format("{} is not a valid change command; there are CMD, ENTRYPOINT, ENV, "
                                "EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and "
                                "WORKDIR",
                                dockerfile::keyword_of(instruction)));
    }
    Scope const nothing{{}, {}};
    auto const env = settings_of(config).env;
    return dockerfile::expand(std::move(instruction), '\\',
                              [&](std::string_view name) { return nothing.find(name, env); });
}

}  // namespace

Status apply_config_changes(nlohmann::json& config, std::span<std::string const> instructions) {
    OwnCmd own_cmd = OwnCmd::no;
    for (std::string const& text : instructions) {
        Instruction const change = OBLEA_TRY(with_context(
            parse_change(text, config), [&] { return fmt::format("--change \"{}\"", text); }));
        own_cmd = is_any_of<dockerfile::Cmd>(change) ? OwnCmd::yes : own_cmd;
        apply_metadata(config, change, own_cmd);
    }
    return {};
}

}  // namespace oblea::tools::build
