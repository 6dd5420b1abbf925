// SPDX-License-Identifier: MIT
// oblea-micro: the inner loops by themselves, with Google Benchmark (its options: --help).
// README.md says when to look at them: a mount that got slower, or a change of one of these loops.
#include "store/base/hash.h"
#include "store/index/merge.h"
#include "store/layer/tar_reader.h"
#include "tests/support/tree_builder.h"
#include "tests/unit/layer/tar_builder.h"

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <algorithm>
#include <random>

namespace {

using namespace oblea;
using benchmark::State;

constexpr int kFilesPerFolder = 50;

std::string file_name(int number) {
    return fmt::format("folder-{:04}/file-{:07}", number / kFilesPerFolder, number);
}

std::string text_of(int number) {
    return fmt::format("content {}", number);
}

// Every folder is in every layer; files are dealt out in turns.
store::Index dealt_layer(int files, int layers, int position) {
    std::vector<test::LayerEntry> entries;
    for (int i = 0; i < files; i += kFilesPerFolder) {
        entries.push_back(test::dir(fmt::format("folder-{:04}", i / kFilesPerFolder)));
    }
    for (int i = position; i < files; i += layers) {
        entries.push_back(test::file(file_name(i), text_of(i)));
    }
    return test::layer(std::move(entries), fmt::format("layer {}", position));
}

struct Stack {
    Stack(int files, int layers) {
        for (int i = 0; i < layers; ++i) {
            indexes.push_back(dealt_layer(files, layers, i));
        }
        for (store::Index const& index : indexes) {
            bottom_first.push_back(&index);
        }
    }
    std::vector<store::Index> indexes;
    std::vector<store::Index const*> bottom_first;
};

// --- index lookup: names in no order, by number of files and of layers ---

struct Question {
    store::InodeNo folder;
    std::string name;
};

std::vector<Question> questions(store::Index const& index, int files, char const* suffix) {
    std::vector<Question> all;
    for (int i = 0; i < files; ++i) {
        auto const path = test::path(file_name(i));
        auto const folder = test::value_of(
            index.resolve(test::path(fmt::format("folder-{:04}", i / kFilesPerFolder))));
        all.push_back({.folder = folder.value(), .name = fmt::format("file-{:07}{}", i, suffix)});
    }
    std::ranges::shuffle(all, std::mt19937{1});
    return all;
}

void look_up(State& state, char const* suffix) {
    auto const files = static_cast<int>(state.range(0));
    auto const layers = static_cast<int>(state.range(1));
    store::Index const index = test::merged(Stack{files, layers}.bottom_first);
    auto const asked = questions(index, files, suffix);
    std::size_t next = 0;
    for (auto _ : state) {
        Question const& question = asked[next];
        benchmark::DoNotOptimize(index.lookup(question.folder, question.name));
        next = next + 1 == asked.size() ? 0 : next + 1;
    }
}

void existing_names(State& state) {
    look_up(state, "");
}
BENCHMARK(existing_names)
    ->ArgNames({"files", "layers"})
    ->Args({1'000, 1})
    ->Args({100'000, 1})
    ->Args({100'000, 32});

void missing_names(State& state) {
    look_up(state, "-not");
}
BENCHMARK(missing_names)
    ->ArgNames({"files", "layers"})
    ->Args({1'000, 1})
    ->Args({100'000, 1})
    ->Args({100'000, 32});

// --- merge ---

void merge_layers(State& state) {
    auto const files = static_cast<int>(state.range(0));
    Stack const stack{files, static_cast<int>(state.range(1))};
    for (auto _ : state) {
        benchmark::DoNotOptimize(test::value_of(store::merge(stack.bottom_first)));
    }
    state.SetItemsProcessed(state.iterations() * files);
}
BENCHMARK(merge_layers)
    ->ArgNames({"files", "layers"})
    ->Args({10'000, 1})
    ->Args({10'000, 32})
    ->Args({100'000, 32})
    ->Unit(benchmark::kMillisecond);

// --- tar reading: headers and contents, nothing kept ---

class InPieces final : public base::ChunkSource {
public:
    explicit InPieces(base::ByteView bytes) : rest_(bytes) {}
    Result<base::ByteView> next() override {
        base::ByteView const piece = rest_.first(std::min(kPieceBytes, rest_.size()));
        rest_ = rest_.subspan(piece.size());
        return piece;
    }

private:
    static constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;
    base::ByteView rest_;
};

class Nowhere final : public store::LiteralSink {
public:
    Status literal(base::ByteView /*bytes*/) override { return {}; }
};

void read_tar(State& state) {
    constexpr int kMembers = 10'000;
    test::TarBuilder builder;
    std::string const body(static_cast<std::size_t>(state.range(0)), 'x');
    for (int i = 0; i < kMembers; ++i) {
        builder.file(file_name(i), body);
    }
    std::string const tar = builder.end();
    for (auto _ : state) {
        InPieces source{base::bytes_of(tar)};
        Nowhere nowhere;
        store::TarReader reader{source, nowhere};
        while (auto const member = test::value_of(reader.next())) {
            benchmark::DoNotOptimize(member->blob_bytes);
        }
    }
    state.SetItemsProcessed(state.iterations() * kMembers);
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(tar.size()));
}
BENCHMARK(read_tar)->ArgName("bytes")->Arg(0)->Arg(4'096)->Unit(benchmark::kMillisecond);

// --- hashing ---

template <typename Hash>
void hash_bytes(State& state, Hash const& hash) {
    std::vector<std::byte> const data(static_cast<std::size_t>(state.range(0)), std::byte{'h'});
    for (auto _ : state) {
        benchmark::DoNotOptimize(hash(base::ByteView{data}));
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void sha256(State& state) {
    hash_bytes(state, [](base::ByteView data) { return base::sha256(data); });
}
BENCHMARK(sha256)->ArgName("bytes")->Arg(64)->Arg(4'096)->Arg(1 << 20);

void xxh3_128(State& state) {
    hash_bytes(state, [](base::ByteView data) { return base::xxh3_128(data); });
}
BENCHMARK(xxh3_128)->ArgName("bytes")->Arg(64)->Arg(4'096)->Arg(1 << 20);

}  // namespace

BENCHMARK_MAIN();
