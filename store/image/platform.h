// SPDX-License-Identifier: MIT
// Platforms: "os/architecture[/variant]", and which of them runs on which.
//
// Names are GOOS and GOARCH. The rules of preference are containerd's (platforms.Only): the exact
// variant first, then the older ones that it can run.
#pragma once
#include "store/index/types.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::store {

struct Platform {
    std::string os;
    std::string architecture;
    std::string variant;

    // In normal form: x86_64 is amd64, aarch64 is arm64, armhf is arm/v7, and so on. Errors:
    // EINVAL.
    static Result<Platform> parse(std::string_view text);
    static Platform of_machine();

    // The same platform with aliases replaced and default variants left out.
    [[nodiscard]] Platform normalised() const;

    [[nodiscard]] std::string to_string() const;
    auto operator<=>(Platform const&) const = default;
};

// How well an image for `candidate` suits a machine that is `wanted`: 0 is exact, more is worse,
// none is not at all.
std::optional<unsigned> platform_rank(Platform const& wanted, Platform const& candidate);

}  // namespace oblea::store
