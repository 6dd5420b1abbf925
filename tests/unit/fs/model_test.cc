// SPDX-License-Identifier: MIT
// Random sequences of operations, done to the union and to a plain folder; one at a time, and
// several in threads.
//
// OBLEA_SEED replays one sequence, or those of one seed in threads, which meet otherwise each time;
// OBLEA_MODEL_SEQUENCES sets how many are run.
#include "tests/support/catch.h"
#include "tests/unit/fs/model_sequence.h"
#include "tests/unit/fs/ordinary_user.h"

#include <cstdlib>
#include <deque>
#include <thread>

using namespace oblea;
using namespace oblea::test;

namespace {

// Every other sequence copies up by blocks, of which the files have several.
fs::UnionOptions options_for(std::uint64_t seed) {
    fs::UnionOptions options = test_options();
    if (seed % 2 == 0) {
        options.blocks = {.whole_up_to = 3 * (seed / 2 % 3),
                          .block_bytes = static_cast<std::uint32_t>(1 + seed / 6 % 8)};
    }
    return options;
}

// In two layers: what is beneath a part of the tree, which is its root or a folder ("t1/").
std::vector<store::LayerEntry> bottom_layer(LowerBuilder& b, std::string const& at) {
    return {dir(at + "a"),
            b.text_file(at + "a/a", "lower a/a"),
            b.text_file(at + "a/b", "lower a/b"),
            dir(at + "a/c"),
            b.text_file(at + "a/c/a", "deep one"),
            b.text_file(at + "a/c/b", "deep two"),
            dir(at + "b"),
            b.text_file(at + "b/a", "hidden later"),
            b.text_file(at + "b/c", "linked three times"),
            hard_link(at + "b/d", at + "b/c"),
            hard_link(at + "a/d", at + "b/c"),
            b.text_file(at + "d", "top")};
}

std::vector<store::LayerEntry> top_layer(LowerBuilder& b, std::string const& at) {
    return {whiteout(at + "b/a"),
            dir(at + "a/c"),
            b.text_file(at + "a/c/c", "second layer"),
            soft_link(at + "b/b", "nowhere"),
            dir(at + "c"),
            dir(at + "c/a"),
            dir(at + "c/a/b"),
            b.text_file(at + "c/b", "a pair"),
            hard_link(at + "c/c", at + "c/b")};
}

std::shared_ptr<MemoryLower> model_lower() {
    LowerBuilder b;
    b.add(bottom_layer(b, "")).add(top_layer(b, ""));
    return b.build();
}

constexpr unsigned kParts = 4;

Part part(unsigned number) {
    return {.own = fmt::format("t{}/", number),
            .shared = fmt::format("{}/t{}-", kSharedFolder, number),
            .number = number};
}

std::shared_ptr<MemoryLower> parts_lower() {
    LowerBuilder b;
    std::vector<store::LayerEntry> bottom{dir(kSharedFolder),
                                          b.text_file(kSharedFile, std::string(64, '.'))};
    std::vector<store::LayerEntry> top;
    for (unsigned i = 0; i < kParts; ++i) {
        auto const [own, shared, number] = part(i);
        bottom.push_back(dir("t" + std::to_string(number)));
        std::ranges::move(bottom_layer(b, own), std::back_inserter(bottom));
        std::ranges::move(top_layer(b, own), std::back_inserter(top));
        bottom.push_back(hard_link(own + "s0", kSharedFile));
        bottom.push_back(hard_link(shared + "s0", kSharedFile));
        bottom.push_back(b.text_file(shared + "a", "a lower file in the folder of all"));
        bottom.push_back(dir(shared + "b"));
        bottom.push_back(b.text_file(shared + "b/a", "and one below it"));
    }
    b.add(std::move(bottom)).add(std::move(top));
    return b.build();
}

std::uint64_t number_from(char const* variable, std::uint64_t otherwise) {
    char const* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

[[noreturn]] void give_up(std::uint64_t seed, std::string const& what) {
    FAIL("OBLEA_SEED=" << seed << (::geteuid() == 0 ? "" : " (not as root)") << "\n" << what);
    std::abort();
}

// Calls `run` with the seeds that the environment asks for, or `count` new ones.
template <typename Run>
void with_seeds(std::uint64_t count, Run const& run) {
    std::uint64_t const seed = number_from("OBLEA_SEED", 0);
    std::uint64_t const first = seed != 0 ? seed : std::random_device{}() | 1U;
    for (std::uint64_t i = 0; i < (seed != 0 ? 1 : count); ++i) {
        run(first + i);
    }
}

void run_sequences() {
    auto const lower = model_lower();
    with_seeds(number_from("OBLEA_MODEL_SEQUENCES", 40), [&](std::uint64_t seed) {
        Model model{lower, options_for(seed)};
        Sequence sequence{model, seed, {}};
        try {
            sequence.run(200);
        } catch (std::runtime_error const& error) {
            give_up(seed, sequence.log() + error.what());
        }
    });
}

// Each part does `steps`, all at the same time; what went wrong first.
std::string work_in_threads(std::deque<Sequence>& parts, int steps) {
    std::vector<std::string> failures(parts.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        threads.emplace_back([&, i] {
            try {
                parts[i].work(steps);
            } catch (std::runtime_error const& error) {
                failures[i] = fmt::format("part {}:\n{}{}", i, parts[i].log(), error.what());
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    auto const found = std::ranges::find_if_not(failures, &std::string::empty);
    return found == failures.end() ? "" : *found;
}

void run_in_threads() {
    auto const lower = parts_lower();
    // Half as many as of those alone, as each looks at all parts.
    with_seeds(number_from("OBLEA_MODEL_SEQUENCES", 40) / kParts / 2, [&](std::uint64_t seed) {
        Model model{lower, options_for(seed)};
        Sequence all{model, seed, {}};
        std::deque<Sequence> parts;
        for (unsigned i = 0; i < kParts; ++i) {
            parts.emplace_back(model, seed * kParts + i, part(i));
        }
        try {
            for (int round = 0; round < 4; ++round) {
                if (std::string const text = work_in_threads(parts, 50); !text.empty()) {
                    give_up(seed, text);
                }
                all.compare();
                if (round % 2 == 0) {
                    value_of(model.u->resume());
                } else {
                    std::ranges::for_each(parts, &Sequence::close_all);
                    model.u.remount_checked();
                }
                all.compare();
            }
        } catch (std::runtime_error const& error) {
            give_up(seed, error.what());
        }
    });
}

}  // namespace

TEST_CASE("the union answers as a plain folder does", "[fs][model]") {
    ::umask(0);
    run_sequences();
}

TEST_CASE("the union leaves what a plain folder does when its parts are changed at the same time",
          "[fs][model][threads]") {
    ::umask(0);
    run_in_threads();
}

TEST_CASE("the union answers as a plain folder does, without rights", "[fs][nobody]") {
    CHECK(run_as_nobody("[model]") == 0);
}
