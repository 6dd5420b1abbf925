// SPDX-License-Identifier: MIT
// Names without a domain, as podman resolves them where its settings say how, and as docker does
// otherwise: "debian" is docker.io/library/debian.
//
// Pure. Spec: containers-registries.conf(5) "Short-Name Aliasing", "short-name-mode".
#pragma once
#include "store/image/reference.h"
#include "tools/registry/conf/registries_conf.h"

#include <string_view>
#include <vector>

namespace oblea::registry {

enum class Terminal { no, yes };  // whether somebody can be asked

struct ShortName {
    // What the name may stand for, never empty. Each has a tag or a digest.
    std::vector<store::Reference> candidates;
    // Which of several it is: the first that can be had, or what a user chooses.
    enum class Choice { first_found, by_user } choice = Choice::first_found;
};

// Errors: EINVAL for what is no name, for an alias that stands for none, and for one of several
// registries where the settings want somebody to be asked and nobody is there.
Result<ShortName> resolve_short_name(RegistriesConf const& conf, std::string_view typed,
                                     Terminal terminal);

}  // namespace oblea::registry
