// SPDX-License-Identifier: MIT
#include "tools/build/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace oblea::tools::build {

using dockerfile::Dockerfile;
using dockerfile::Instruction;
using dockerfile::Stage;

namespace {

std::string lower_case(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return text;
}

std::optional<std::size_t> as_number(std::string_view text) {
    std::size_t number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool const whole = error == std::errc{} && end == text.data() + text.size();
    return whole ? std::optional{number} : std::nullopt;
}

// The last of that name before `end`.
std::optional<std::size_t> stage_called(Dockerfile const& file, std::size_t end,
                                        std::string const& name) {
    std::string const wanted = lower_case(name);
    for (std::size_t i = end; i-- > 0;) {
        if (!file.stages[i].from.name.empty() && file.stages[i].from.name == wanted) {
            return i;
        }
    }
    return std::nullopt;
}

Result<std::size_t> find_target(Dockerfile const& file, std::string const& target) {
    if (target.empty()) {
        return file.stages.size() - 1;
    }
    if (auto const named = stage_called(file, file.stages.size(), target)) {
        return *named;
    }
    if (auto const number = as_number(target); number.has_value() && *number < file.stages.size()) {
        return *number;
    }
    return fail(Errno::einval, "",
                fmt::format("failed to reach build target {} in {}", target, file.file_name));
}

// What an instruction takes from, as written.
std::vector<std::string> sources_of(Instruction const& instruction) {
    std::vector<std::string> names;
    if (auto const* copy = std::get_if<dockerfile::Copy>(&instruction.what)) {
        names.push_back(copy->from);
    } else if (auto const* run = std::get_if<dockerfile::Run>(&instruction.what)) {
        for (auto const& options : run->mount_options) {
            for (auto const& [key, value] : options) {
                if (key == "from") {
                    names.push_back(value.value_or(""));
                }
            }
        }
    }
    std::erase(names, "");
    return names;
}

Result<StageBase> base_of(Dockerfile const& file, std::size_t own, Scope const& global) {
    Stage const& stage = file.stages[own];
    auto const lookup = [&](std::string_view name) { return global.find(name, {}); };
    auto const from = OBLEA_TRY(dockerfile::expand(stage.from, file.escape, lookup));
    if (from.image.empty()) {
        return fail(Errno::einval, "",
                    fmt::format("base name ({}) should not be blank", stage.from.image));
    }
    StageBase base;
    base.platform = from.platform;
    if (auto const earlier = stage_called(file, own, from.image)) {
        base.kind = StageBase::Kind::stage;
        base.stage = *earlier;
    } else if (from.image != "scratch") {
        base.kind = StageBase::Kind::image;
        base.image = from.image;
    }
    return base;
}

Result<StagePlan> plan_stage(Dockerfile const& file, std::size_t own, Scope const& global) {
    Stage const& stage = file.stages[own];
    StagePlan plan;
    plan.stage = own;
    plan.base = OBLEA_TRY(with_context(base_of(file, own, global),
                                       [&] { return dockerfile::place(file, stage.lines); }));
    std::set<std::size_t> needs;
    if (plan.base.kind == StageBase::Kind::stage) {
        needs.insert(plan.base.stage);
    }
    for (Instruction const& instruction : stage.instructions) {
        for (std::string const& name : sources_of(instruction)) {
            auto const earlier = OBLEA_TRY(with_context(find_stage(file, own, name), [&] {
                return dockerfile::place(file, instruction.lines);
            }));
            if (earlier.has_value()) {
                needs.insert(*earlier);
            }
        }
    }
    plan.needs.assign(needs.begin(), needs.end());
    return plan;
}

Status declare_globals(Dockerfile const& file, Scope& global) {
    for (Instruction const& instruction : file.global_args) {
        if (auto const* arg = std::get_if<dockerfile::Arg>(&instruction.what)) {
            OBLEA_TRY(with_context(declare_arguments(global, *arg, file.escape, {}),
                                   [&] { return dockerfile::place(file, instruction.lines); }));
        }
    }
    return {};
}

}  // namespace

Result<std::string> declare_arguments(Scope& scope, dockerfile::Arg const& arg, char escape,
                                      std::vector<std::string> const& env) {
    std::string text = "ARG";
    auto const lookup = [&](std::string_view name) { return scope.find(name, env); };
    for (auto const& one : arg.arguments) {
        std::optional<std::string> standard;
        if (one.value.has_value()) {
            standard = OBLEA_TRY(dockerfile::expand_word(*one.value, escape, lookup));
        }
        scope.declare(one.name, standard);
        text += ' ' + one.name + (standard.has_value() ? '=' + *standard : "");
    }
    return text;
}

Result<std::optional<std::size_t>> find_stage(Dockerfile const& file, std::size_t own,
                                              std::string const& from) {
    if (auto const named = stage_called(file, own, from)) {
        return named;
    }
    auto const number = as_number(from);
    if (number.has_value() && *number >= own) {
        return fail(Errno::einval, "",
                    fmt::format("invalid from flag value {}: refers to current build block or a "
                                "later one",
                                from));
    }
    return number;
}

Result<BuildPlan> plan_build(Dockerfile const& file, std::string const& target, Scope global) {
    OBLEA_TRY(declare_globals(file, global));
    std::size_t const last = OBLEA_TRY(find_target(file, target));
    BuildPlan plan{.global = std::move(global), .stages = {}, .steps = 0};
    std::set<std::size_t> wanted{last};
    // From the end: whoever needs a stage stands behind it.
    for (std::size_t i = last + 1; i-- > 0;) {
        if (!wanted.contains(i)) {
            continue;
        }
        plan.stages.push_back(OBLEA_TRY(plan_stage(file, i, plan.global)));
        wanted.insert(plan.stages.back().needs.begin(), plan.stages.back().needs.end());
    }
    std::ranges::reverse(plan.stages);
    plan.steps = file.global_args.size();
    for (StagePlan& stage : plan.stages) {
        stage.first_step = plan.steps + 1;
        plan.steps += 1 + file.stages[stage.stage].instructions.size();
    }
    return plan;
}

}  // namespace oblea::tools::build
