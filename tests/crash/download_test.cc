// SPDX-License-Identifier: MIT
// A download that is cut by a kill or a power loss: what the next one takes for there is there.
#include "store/base/sys.h"
#include "tests/crash/file_model.h"
#include "tests/crash/store_operations.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"
#include "tools/registry/download/partial_blob.h"

#include <array>
#include <cstdio>
#include <filesystem>

using namespace oblea;
using namespace oblea::test;
using registry::PartialBlob;

namespace {

constexpr std::uint64_t kHalf = PartialBlob::kPartBytes / 2;
constexpr std::uint64_t kRest = 1000;

std::string random_text(std::size_t bytes) {
    Random random{1};
    std::string text(bytes, '\0');
    for (char& letter : text) {
        letter = static_cast<char>(random.below(256));
    }
    return text;
}

struct Bench {
    TempDir dir;
    std::string const content = random_text(PartialBlob::kPartBytes + kRest);
    std::string const boot = std::string(36, 'a');
    std::string const base = dir / "base";
    std::string const store = dir / "store";

    Bench() { std::filesystem::create_directories(base + "/tmp"); }

    [[nodiscard]] Result<std::unique_ptr<PartialBlob>> open(int root, std::string id) const {
        return PartialBlob::open({.root = root,
                                  .digest = base::sha256(std::string_view{content}),
                                  .bytes = content.size(),
                                  .boot_id = std::move(id)});
    }

    // Two parts, one of them in two pieces with the other between, as two connections bring them.
    [[nodiscard]] Status download() const {
        auto const root = OBLEA_TRY(base::sys::open(store, O_RDONLY | O_DIRECTORY));
        auto const blob = OBLEA_TRY(open(root.get(), boot));
        auto const all = base::bytes_of(std::string_view{content});
        OBLEA_TRY(blob->append(0, all.first(kHalf)));
        OBLEA_TRY(blob->append(1, all.subspan(PartialBlob::kPartBytes)));
        OBLEA_TRY(blob->make_durable());
        OBLEA_TRY(blob->append(0, all.subspan(kHalf, kHalf)));
        return blob->make_durable();
    }

    // The next boot looks at what is there.
    [[nodiscard]] Status look() const {
        auto const root = OBLEA_TRY(base::sys::open(store, O_RDONLY | O_DIRECTORY));
        OBLEA_TRY(open(root.get(), std::string(36, 'b')));
        return {};
    }

    TraceResult run(TraceOptions options) const {
        copy_tree(base, store);
        options.below = store;
        return run_traced([&] { return download().has_value() ? 0 : 1; }, options);
    }

    // The next process of a boot: what it finds is right, and it can go on.
    void expect_resumed(std::string const& id) const {
        auto const root = base::sys::open(store, O_RDONLY | O_DIRECTORY).value();
        auto const blob = open(root.get(), id).value();
        for (std::size_t part = 0; part < blob->parts(); ++part) {
            CAPTURE(part, blob->part_done(part));
            auto const begin = static_cast<std::size_t>(blob->part_begin(part));
            auto const done = static_cast<std::size_t>(blob->part_done(part));
            base::Bytes found(done);
            REQUIRE(base::sys::pread_full(blob->fd(), found, begin).value() == done);
            CHECK((base::text_of(found) == std::string_view{content}.substr(begin, done)));
            auto const rest = std::string_view{content}.substr(
                begin + done, static_cast<std::size_t>(blob->part_bytes(part)) - done);
            REQUIRE((rest.empty() || blob->append(part, base::bytes_of(rest)).has_value()));
        }
        CHECK(blob->verify().value());
        blob->remove();
        CHECK(std::filesystem::is_empty(store + "/tmp"));
    }
};

}  // namespace

TEST_CASE("killed at any system call, a download goes on where it was", "[crash][kill]") {
    Bench const bench;
    auto const whole = bench.run({});
    REQUIRE(whole.status == 0);
    std::size_t const points = whole.calls.size();
    std::printf("%-24s killed at %zu places\n", "download", points);
    CHECK(points >= 10);
    for (std::size_t i = 0; i < points; ++i) {
        CAPTURE(i, whole.calls[i].name, whole.calls[i].path);
        REQUIRE(bench.run({.kill_at = i}).end == TraceResult::End::killed);
        bench.expect_resumed(bench.boot);
    }
}

TEST_CASE("killed while it takes up what another boot has left, a download trusts no more of it",
          "[crash][kill]") {
    Bench const bench;
    // What was noted and not brought to disk before the power went: the end is zeros.
    copy_tree(bench.base, bench.store);
    {
        auto const root = base::sys::open(bench.store, O_RDONLY | O_DIRECTORY).value();
        auto const blob = bench.open(root.get(), bench.boot).value();
        auto const all = base::bytes_of(std::string_view{bench.content});
        REQUIRE(blob->append(0, all.first(kHalf)).has_value());
        REQUIRE(blob->make_durable().has_value());
        REQUIRE(blob->append(0, base::Bytes(kRest)).has_value());
    }
    copy_tree(bench.store, bench.base);
    auto const take_up = [&](TraceOptions options) {
        copy_tree(bench.base, bench.store);
        options.below = bench.store;
        return run_traced([&] { return bench.look().has_value() ? 0 : 1; }, options);
    };
    auto const whole = take_up({});
    REQUIRE(whole.status == 0);
    CHECK(whole.calls.size() >= 5);
    for (std::size_t i = 0; i < whole.calls.size(); ++i) {
        CAPTURE(i, whole.calls[i].name, whole.calls[i].path);
        REQUIRE(take_up({.kill_at = i}).end == TraceResult::End::killed);
        bench.expect_resumed(std::string(36, 'b'));
    }
}

TEST_CASE("after a power loss a download has what was brought to disk", "[crash][power]") {
    Bench const bench;
    auto const traced = bench.run({.record = true});
    REQUIRE(traced.status == 0);
    std::uint64_t const seed = random_seed();
    CAPTURE(seed);
    Random random{seed};
    constexpr std::size_t kStates = 40;
    for (std::size_t i = 0; i < kStates; ++i) {
        std::size_t const cut = random.below(traced.calls.size() + 1);
        CAPTURE(i, cut);
        copy_tree(bench.base, bench.store);
        FileModel model{bench.store};
        for (std::size_t call = 0; call < cut; ++call) {
            model.apply(traced.calls[call]);
        }
        std::filesystem::remove_all(bench.store);
        using Fate = FileModel::Fate;
        constexpr std::array kFates{Fate::lost, Fate::whole, Fate::half, Fate::zeros};
        model.after_loss([&](FileModel::Change) { return random.pick(kFates); }).write(bench.store);
        std::filesystem::create_directories(bench.store + "/tmp");
        bench.expect_resumed(std::string(36, 'b'));
    }
}
