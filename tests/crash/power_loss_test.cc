// SPDX-License-Identifier: MIT
// Power loss: what an operation wrote and synced is recorded, and states are made of it that the
// disk may legally have afterwards.
#include "tests/crash/file_model.h"
#include "tests/crash/store_operations.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <set>

using namespace oblea::test;

namespace {

using Change = FileModel::Change;

struct Recording {
    std::vector<FsCall> calls;
    std::vector<std::string> reference;
};

Recording record(Archives const& archives, Operation const& operation, std::string const& base,
                 std::string const& store) {
    Recording recording;
    prepare_store(archives, operation, base);
    copy_tree(base, store);
    auto const traced =
        run_traced([&] { return operation.run(store); }, {.below = store, .record = true});
    REQUIRE(traced.end == TraceResult::End::exited);
    REQUIRE(traced.status == 0);
    CHECK(traced.unseen.empty());
    for (FsCall const& call : traced.calls) {
        if (call.result >= 0) {
            recording.calls.push_back(call);
        }
    }
    static_cast<void>(check_after(operation, store, {}, Happened::surely));
    recording.reference = collected_listing(store);
    return recording;
}

// Ways to choose what reached the disk by itself.
enum class Luck { none, all, half, most, names, contents, torn, any };
constexpr Luck kLucks[] = {Luck::none,  Luck::all,      Luck::half, Luck::most,
                           Luck::names, Luck::contents, Luck::torn, Luck::any};

FileModel::Fate fate_of(Luck luck, Change change, Random& random) {
    using Fate = FileModel::Fate;
    auto const if_so = [](bool whole) { return whole ? Fate::whole : Fate::lost; };
    constexpr std::array kTorn{Fate::half, Fate::zeros};
    constexpr std::array kAny{Fate::lost, Fate::whole, Fate::half, Fate::zeros};
    switch (luck) {
    case Luck::none:
        return Fate::lost;
    case Luck::all:
        return Fate::whole;
    case Luck::half:
        return if_so(random.one_in(2));
    case Luck::most:
        return if_so(!random.one_in(8));
    case Luck::names:
        return if_so(change == Change::name);
    case Luck::contents:
        return if_so(change == Change::data);
    case Luck::torn:
        return change == Change::name ? Fate::whole : random.pick(kTorn);
    case Luck::any:
        return change == Change::name ? if_so(random.one_in(2)) : random.pick(kAny);
    }
    return Fate::lost;
}

struct Tried {
    std::size_t different = 0;  // of the states
    std::string wrong = {};     // the first thing that does not hold; empty when all does
};

Tried try_states(Operation const& operation, Recording const& recording, std::string const& base,
                 std::string const& store, std::size_t states, Random& random) {
    copy_tree(base, store);
    FileModel const before{store};
    // Small operations have few states, and what held once need not be tried again.
    std::set<std::pair<Happened, oblea::base::Digest>> tried;
    for (std::size_t i = 0; i < states; ++i) {
        // The operation has returned in one of eight; that is when all of it must be there.
        std::size_t const cut =
            i % 8 == 0 ? recording.calls.size() : random.below(recording.calls.size() + 1);
        Happened const happened =
            cut == recording.calls.size() ? Happened::surely : Happened::perhaps;
        FileModel model = before;
        for (std::size_t call = 0; call < cut; ++call) {
            model.apply(recording.calls[call]);
        }
        Luck const luck = kLucks[random.below(std::size(kLucks))];
        auto const state =
            model.after_loss([&](Change change) { return fate_of(luck, change, random); });
        if (!tried.emplace(happened, state.fingerprint()).second) {
            continue;
        }
        std::filesystem::remove_all(store);
        state.write(store);
        std::string const wrong = check_after(operation, store, recording.reference, happened);
        if (!wrong.empty()) {
            return {tried.size(),
                    "state " + std::to_string(i) + ", after call " + std::to_string(cut) + " (" +
                        (cut == 0 ? ""
                                  : recording.calls[cut - 1].name + ' ' +
                                        recording.calls[cut - 1].path) +
                        "), luck " + std::to_string(static_cast<int>(luck)) + ": " + wrong};
        }
    }
    return {tried.size()};
}

std::size_t states_wanted(std::size_t usual) {
    char const* const wanted = std::getenv("OBLEA_STATES");
    return wanted != nullptr ? std::stoul(wanted) : usual;
}

}  // namespace

TEST_CASE("after a power loss at any moment the store works", "[crash][power]") {
    ::setenv("OBLEA_THREADS", "1", 1);
    TempDir const dir;
    Archives const archives{dir};
    std::uint64_t const seed = random_seed();
    CAPTURE(seed);
    Random random{seed};
    std::size_t different = 0;
    for (Operation const& operation : store_operations(archives)) {
        CAPTURE(operation.name);
        auto const recording = record(archives, operation, dir / "base", dir / "store");
        std::size_t const states = states_wanted(operation.name == "import" ? 120 : 30);
        auto const tried =
            try_states(operation, recording, dir / "base", dir / "store", states, random);
        CHECK(tried.wrong == "");
        different += tried.different;
        std::printf("%-24s %zu states after a power loss, %zu of them different\n",
                    operation.name.c_str(), states, tried.different);
        std::fflush(stdout);
        std::filesystem::remove_all(dir / "base");
    }
    std::printf("%zu different states in all\n", different);
}

TEST_CASE("a rename before the sync of what it renames is noticed", "[crash][power]") {
    ::setenv("OBLEA_THREADS", "1", 1);
    TempDir const dir;
    Archives const archives{dir};
    Random random{1};
    Operation const operation = store_operations(archives).front();
    auto recording = record(archives, operation, dir / "base", dir / "store");
    // The fault: staged files are not brought to disk before they get their names.
    auto const published = std::ranges::find_if(recording.calls, [](FsCall const& call) {
        return call.target.find("/objects/") != std::string::npos;
    });
    REQUIRE(published != recording.calls.end());
    recording.calls.erase(std::remove_if(recording.calls.begin(), published,
                                         [](FsCall const& call) {
                                             return call.name.find("sync") != std::string::npos;
                                         }),
                          published);
    auto const tried = try_states(operation, recording, dir / "base", dir / "store", 120, random);
    CHECK(tried.wrong != "");
}
