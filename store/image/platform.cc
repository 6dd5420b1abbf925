// SPDX-License-Identifier: MIT
#include "store/image/platform.h"

#include "store/base/text.h"

#include <sys/utsname.h>

#include <algorithm>

namespace oblea::store {

namespace {

// N of "vN" or "N"; of an empty variant: `unset`.
std::optional<unsigned> variant_number(std::string_view variant, unsigned unset) {
    if (variant.empty()) {
        return unset;
    }
    if (variant.front() == 'v') {
        variant.remove_prefix(1);
    }
    if (variant.size() != 1 || variant.front() < '0' || variant.front() > '9') {
        return std::nullopt;
    }
    return static_cast<unsigned>(variant.front() - '0');
}

constexpr unsigned kArmDefault = 7;
constexpr unsigned kArmOldest = 5;
constexpr unsigned kArm64Default = 8;
constexpr unsigned kAmd64Default = 1;

std::optional<unsigned> rank_downwards(std::string const& wanted, std::string const& candidate,
                                       unsigned unset, unsigned oldest) {
    if (wanted == candidate) {
        return 0;
    }
    auto const from = variant_number(wanted, unset);
    auto const to = variant_number(candidate, unset);
    if (!from.has_value() || !to.has_value() || *to > *from || *to < oldest) {
        return std::nullopt;
    }
    return *from - *to;
}

}  // namespace

Platform Platform::normalised() const {
    Platform result{base::lowered(os), base::lowered(architecture), base::lowered(variant)};
    if (result.os == "macos") {
        result.os = "darwin";
    }
    std::string& arch = result.architecture;
    if (arch == "i386" || arch == "i486" || arch == "i586" || arch == "i686") {
        arch = "386";
        result.variant.clear();
    } else if (arch == "x86_64" || arch == "x86-64") {
        arch = "amd64";
    } else if (arch == "aarch64") {
        arch = "arm64";
    } else if (arch == "armhf") {
        arch = "arm";
        result.variant = "v7";
    } else if (arch == "armel") {
        arch = "arm";
        result.variant = "v6";
    } else if (arch == "armv7l" || arch == "armv6l" || arch == "armv5l") {
        result.variant = "v" + arch.substr(4, 1);
        arch = "arm";
    }
    if (!result.variant.empty() && result.variant.front() >= '0' && result.variant.front() <= '9') {
        result.variant.insert(0, 1, 'v');
    }
    if ((arch == "amd64" && result.variant == "v1") ||
        (arch == "arm64" && result.variant == "v8")) {
        result.variant.clear();
    }
    if (arch == "arm" && result.variant.empty()) {
        result.variant = "v7";
    }
    return result;
}

Result<Platform> Platform::parse(std::string_view text) {
    std::string parts[3];
    std::size_t count = 0;
    std::string_view rest = text;
    bool valid = true;
    for (; valid; ++count) {
        auto const slash = rest.find('/');
        auto const part = rest.substr(0, slash);
        valid = count < 3 && !part.empty() &&
                std::ranges::all_of(
                    part,
                    [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
                    });
        if (valid) {
            parts[count] = part;
        }
        if (slash == std::string_view::npos) {
            break;
        }
        rest.remove_prefix(slash + 1);
    }
    if (!valid || count == 0) {
        return fail(Errno::einval, "",
                    "not a platform: \"" + std::string{text} +
                        "\"; write it as os/architecture[/variant], for example linux/arm64");
    }
    return Platform{parts[0], parts[1], parts[2]}.normalised();
}

Platform Platform::of_machine() {
    struct utsname names = {};
    ::uname(&names);  // fails only for a bad pointer
    return Platform{"linux", names.machine, ""}.normalised();
}

std::string Platform::to_string() const {
    return os + '/' + architecture + (variant.empty() ? "" : "/" + variant);
}

std::optional<unsigned> platform_rank(Platform const& wanted, Platform const& candidate) {
    Platform const want = wanted.normalised();
    Platform const have = candidate.normalised();
    if (want.os != have.os) {
        return std::nullopt;
    }
    if (want.architecture == "arm64" && have.architecture == "arm") {
        // A 64-bit ARM runs the 32-bit ones too, all of them worse than any arm64.
        auto const rank = rank_downwards("v8", have.variant, kArmDefault, kArmOldest);
        return rank.has_value() ? std::optional{100 + *rank} : std::nullopt;
    }
    if (want.architecture != have.architecture) {
        return std::nullopt;
    }
    if (want.architecture == "arm") {
        return rank_downwards(want.variant, have.variant, kArmDefault, kArmOldest);
    }
    if (want.architecture == "arm64") {
        return rank_downwards(want.variant, have.variant, kArm64Default, kArm64Default);
    }
    if (want.architecture == "amd64") {
        return rank_downwards(want.variant, have.variant, kAmd64Default, kAmd64Default);
    }
    return want.variant == have.variant ? std::optional{0U} : std::nullopt;
}

}  // namespace oblea::store
