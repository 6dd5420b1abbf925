// SPDX-License-Identifier: MIT
// What `oblea build` was asked for, checked and in the types that the build works with.
#pragma once
#include "store/image/platform.h"
#include "tools/build/scope.h"
#include "tools/container/build_run.h"

#include <map>
#include <string>
#include <vector>

namespace oblea::tools::build {

// --secret id=NAME[,src=FILE|,env=VARIABLE]; without either the variable or file of that name. The
// file's path is absolute.
// Errors: EINVAL.
Result<std::pair<std::string, SecretSource>> parse_secret(std::string_view typed);

enum class UseCache { no, yes };
enum class Network { default_, host, none };

struct BuildOptions {
    Variables arguments;  // --build-arg
    std::vector<std::pair<std::string, std::string>> labels;
    std::string target;
    store::Platform platform;  // of the result
    UseCache cache = UseCache::yes;
    std::vector<store::Digest> cache_from;  // images
    enum class Pull { missing, always, never } pull = Pull::missing;
    Network network = Network::default_;
    std::map<std::string, SecretSource> secrets;
};

}  // namespace oblea::tools::build
