// SPDX-License-Identifier: MIT
#include "tools/mount/container_name.h"

#include <array>
#include <string_view>

namespace oblea::tools {
namespace {

constexpr std::array<std::string_view, 64> kAdjectives{
    "able",   "airy",    "amber",   "bold",   "brave",   "bright", "brisk",  "busy",
    "calm",   "candid",  "clever",  "crisp",  "curious", "daring", "deft",   "eager",
    "early",  "earnest", "fair",    "fleet",  "fond",    "frank",  "fresh",  "gentle",
    "glad",   "golden",  "hardy",   "honest", "humble",  "jolly",  "keen",   "kind",
    "lively", "loyal",   "lucid",   "lucky",  "mellow",  "merry",  "modest", "neat",
    "nimble", "noble",   "patient", "placid", "plucky",  "proud",  "quick",  "quiet",
    "ready",  "serene",  "sharp",   "silent", "sincere", "sober",  "steady", "sunny",
    "swift",  "tender",  "tidy",    "upbeat", "vivid",   "warm",   "wise",   "witty"};

constexpr std::array<std::string_view, 96> kSurnames{
    "abel",     "agnesi",  "ampere",        "babbage",  "banach",     "bardeen",    "bell",
    "boole",    "borg",    "bose",          "cajal",    "cantor",     "cassini",    "cauchy",
    "celsius",  "cerf",    "chandrasekhar", "clarke",   "codd",       "copernicus", "cori",
    "curie",    "darwin",  "diffie",        "dijkstra", "dirac",      "einstein",   "euclid",
    "euler",    "faraday", "fermat",        "fermi",    "feynman",    "franklin",   "galois",
    "gauss",    "germain", "goedel",        "goodall",  "hamilton",   "hamming",    "haslett",
    "hawking",  "hertz",   "hilbert",       "hodgkin",  "hooke",      "hopper",     "hubble",
    "hypatia",  "jemison", "joule",         "kepler",   "kilby",      "knuth",      "kovalevskaya",
    "lagrange", "lamarr",  "lamport",       "laplace",  "leavitt",    "leibniz",    "liskov",
    "lovelace", "maxwell", "mcclintock",    "meitner",  "mendel",     "mirzakhani", "morse",
    "napier",   "newton",  "nobel",         "noether",  "ochoa",      "pascal",     "pasteur",
    "perlman",  "planck",  "poincare",      "ptolemy",  "ramanujan",  "ride",       "riemann",
    "ritchie",  "rubin",   "salk",          "shannon",  "tereshkova", "tesla",      "thompson",
    "torvalds", "turing",  "volta",         "wiles",    "wu"};

}  // namespace

std::uint64_t container_name_count() {
    return kAdjectives.size() * kSurnames.size();
}

std::string container_name(std::uint64_t number) {
    std::uint64_t const pair = number % container_name_count();
    std::uint64_t const round = number / container_name_count();
    std::string name{kAdjectives[pair % kAdjectives.size()]};
    name += '_';
    name += kSurnames[pair / kAdjectives.size()];
    if (round > 0) {
        name += std::to_string(round);
    }
    return name;
}

}  // namespace oblea::tools
