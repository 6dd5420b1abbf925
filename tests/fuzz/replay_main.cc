// SPDX-License-Identifier: MIT
// Runs a fuzz target in builds without a fuzzer: on every file of the folders and on the files that
// it is given, which are the corpus and what the fuzzer found earlier; then on OBLEA_FUZZ_RUNS
// (500) inputs that are changed at random, from OBLEA_SEED.
#include "tests/support/random.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kMutatedBytesMax = 64U << 10U;

Input read_input(std::filesystem::path const& file) {
    std::ifstream stream(file, std::ios::binary);
    std::vector<char> const text{std::istreambuf_iterator<char>(stream), {}};
    return {text.begin(), text.end()};
}

// Some bytes replaced, repeated, left out, or the beginning of another input behind the beginning
// of this one.
Input mutated(std::vector<Input> const& corpus, oblea::test::Random& random) {
    Input input = corpus[random.below(corpus.size())];
    for (std::size_t changes = 1 + random.below(8); changes > 0 && !input.empty(); --changes) {
        std::size_t const at = random.below(input.size());
        std::size_t const count = std::min(input.size() - at, 1 + random.below(64));
        auto const begin = input.begin() + static_cast<std::ptrdiff_t>(at);
        auto const end = begin + static_cast<std::ptrdiff_t>(count);
        switch (random.below(5)) {
        case 0:
            *begin = static_cast<std::uint8_t>(random.below(256));
            break;
        case 1:
            *begin ^= static_cast<std::uint8_t>(1U << random.below(8));
            break;
        case 2:
            input.erase(begin, end);
            break;
        case 3: {
            Input const copy(begin, end);
            input.insert(begin, copy.begin(), copy.end());
            break;
        }
        default: {
            Input const& other = corpus[random.below(corpus.size())];
            std::size_t const from = random.below(other.size() + 1);
            input.erase(begin, input.end());
            input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from),
                         other.end());
        }
        }
    }
    input.resize(std::min(input.size(), kMutatedBytesMax));
    return input;
}

std::vector<Input> read_corpus(int argc, char** argv) {
    std::vector<Input> corpus;
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) {
            corpus.push_back(read_input(argv[i]));
            continue;
        }
        for (auto const& entry : std::filesystem::directory_iterator(argv[i])) {
            corpus.push_back(read_input(entry.path()));
        }
    }
    return corpus;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<Input> const corpus = read_corpus(argc, argv);
    for (Input const& input : corpus) {
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    if (corpus.empty()) {
        return 1;
    }
    char const* const asked = std::getenv("OBLEA_FUZZ_RUNS");
    long const runs = asked == nullptr ? 500 : std::atol(asked);
    std::uint64_t const seed = oblea::test::random_seed();
    std::fprintf(stderr, "OBLEA_SEED=%llu\n", static_cast<unsigned long long>(seed));
    oblea::test::Random random{seed};
    for (long run = 0; run < runs; ++run) {
        Input const input = mutated(corpus, random);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%zu inputs, %ld changed ones\n", corpus.size(), runs);
    return 0;
}
