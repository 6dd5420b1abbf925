// SPDX-License-Identifier: MIT
// Random numbers of tests, from a seed that the test prints (CAPTURE) and OBLEA_SEED sets.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace oblea::test {

// OBLEA_SEED, or a new seed at each run.
inline std::uint64_t random_seed() {
    char const* const chosen = std::getenv("OBLEA_SEED");
    if (chosen != nullptr && *chosen != '\0') {
        return std::stoull(chosen);
    }
    return std::random_device{}();
}

class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    // 0 to bound - 1.
    std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
    // Once in `times`.
    bool one_in(std::uint64_t times) { return below(times) == 0; }
    template <typename Container>
    auto const& pick(Container const& from) {
        return from[below(from.size())];
    }

private:
    std::mt19937_64 engine_;
};

}  // namespace oblea::test
