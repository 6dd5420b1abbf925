// SPDX-License-Identifier: MIT
// Instructions that change an image's config and nothing else, and how history tells of all steps.
//
// The texts are those of docker's classic builder, where they are unambiguous: a step is found
// again by its text and the config that it gives (step_cache.h). Pure. Spec: OCI image-spec
// config.md; docker's image spec for Healthcheck, OnBuild and Shell.
#pragma once
#include "tools/build/dockerfile/dockerfile.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace oblea::tools::build {

// What an image's config says, as far as steps need it.
struct RunSettings {
    std::vector<std::string> env;
    std::vector<std::string> shell;  // with which shell forms run
    std::string workdir;             // "" as it stands, else absolute
    std::string user;
};
RunSettings settings_of(nlohmann::json const& config);

// Whether a CMD stood in this stage: an ENTRYPOINT drops one that was inherited.
enum class OwnCmd { no, yes };

// `instruction` is expanded, and neither ARG, RUN, COPY nor ADD. Changes `config` (the object of
// that name) and gives the text for the history. MAINTAINER changes nothing here.
std::string apply_metadata(nlohmann::json& config, dockerfile::Instruction const& instruction,
                           OwnCmd own_cmd);

// A path as WORKDIR and destinations have it: relative ones begin in `workdir`; without "." and
// "..", doubled and closing slashes.
std::string absolute_path(std::string_view workdir, std::string_view path);

// "/bin/sh -c #(nop) COPY file:... in /app ".
std::string nop_text(RunSettings const& settings, std::string_view text);
// The words that are run.
std::vector<std::string> command_words(RunSettings const& settings,
                                       dockerfile::Command const& command);
// The text of a RUN: "|1 A=b /bin/sh -c make". `arguments` are those of Scope::for_key(); `more` is
// the digest of what else it depends on, its mounts; may be empty.
std::string run_text(std::vector<std::string> const& words,
                     std::vector<std::string> const& arguments, std::string const& more);

}  // namespace oblea::tools::build
