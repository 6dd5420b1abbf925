// SPDX-License-Identifier: MIT
// Any text as a Dockerfile: it is parsed and expanded, or refused with a place, and always ends.
//
//   build/fuzz/bin/dockerfile_fuzz -max_len=600 CORPUS tests/golden/dockerfile
#include "tools/build/dockerfile/dockerfile.h"

#include <cstddef>
#include <cstdlib>

using namespace oblea;
using namespace oblea::tools::dockerfile;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void check(Instruction const& instruction, char escape) {
    require(instruction.lines.first >= 1 && instruction.lines.first <= instruction.lines.last);
    require(!keyword_of(instruction).empty() && !instruction.text.empty());
    auto const expanded = expand(instruction, escape, [](std::string_view name) {
        return name.size() % 2 == 0 ? std::optional<std::string>{"a b/c:\\*"} : std::nullopt;
    });
    if (expanded.has_value() && std::holds_alternative<Run>(expanded->what)) {
        auto const& run = std::get<Run>(expanded->what);
        require(run.mounts.size() == run.mount_options.size() && !run.command.words.empty());
    }
    if (auto const* onbuild = std::get_if<Onbuild>(&instruction.what); onbuild != nullptr) {
        static_cast<void>(parse_trigger(onbuild->trigger));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    std::string_view const text{reinterpret_cast<char const*>(data), size};
    auto const parsed = parse_dockerfile(text, "Dockerfile");
    if (!parsed.has_value()) {
        require(parsed.error().detail.starts_with("Dockerfile:"));
        return 0;
    }
    require(!parsed->stages.empty());
    for (Instruction const& instruction : parsed->global_args) {
        require(std::holds_alternative<Arg>(instruction.what));
        check(instruction, parsed->escape);
    }
    for (Stage const& stage : parsed->stages) {
        for (Instruction const& instruction : stage.instructions) {
            check(instruction, parsed->escape);
        }
    }
    return 0;
}
