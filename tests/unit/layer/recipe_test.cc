// SPDX-License-Identifier: MIT
#include "store/layer/recipe.h"

#include "store/layer/recipe_format.h"
#include "tests/support/catch.h"
#include "tests/unit/layer/layer_store.h"

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;

namespace {

class Told final : public RecipeVisitor {
public:
    Status literal(base::ByteView bytes) override {
        text += base::text_of(bytes);
        return {};
    }
    Status pack(std::uint64_t offset, std::uint64_t bytes) override {
        text += "<pack " + std::to_string(offset) + ' ' + std::to_string(bytes) + '>';
        return {};
    }
    Status object(Digest const& digest, std::uint64_t bytes) override {
        text += "<object " + digest.short_hex() + ' ' + std::to_string(bytes) + '>';
        return {};
    }
    std::string text;
};

struct Written {
    TempDir dir;
    base::UniqueFd file = base::sys::open(dir / "recipe", O_RDWR | O_CREAT).value();
    std::string expected;
    Written() {
        RecipeWriter writer{
            base::UniqueFd{base::sys::open(dir / "recipe", O_RDWR).value().release()}};
        std::string const literal(300'000, 'l');
        Digest const one = base::sha256("one");
        REQUIRE(writer.literal(base::bytes_of("head")).has_value());
        REQUIRE(writer.pack(0, 7).has_value());
        REQUIRE(writer.literal(base::bytes_of(literal)).has_value());
        REQUIRE(writer.object(one, 1'000'000).has_value());
        REQUIRE(writer.object(base::sha256("two"), 5).has_value());
        REQUIRE(writer.object(one, 1'000'000).has_value());
        REQUIRE(writer.finish(base::sha256("diff")).has_value());
        CHECK(writer.objects().size() == 2);
        expected = "head<pack 0 7>" + literal + "<object " + one.short_hex() + " 1000000><object " +
                   base::sha256("two").short_hex() + " 5><object " + one.short_hex() + " 1000000>";
    }
    std::string bytes() {
        return base::sys::read_file(AT_FDCWD, (dir / "recipe").c_str(), 1U << 20U).value();
    }
};

}  // namespace

TEST_CASE("a recipe tells again what it was told", "[layer][recipe]") {
    Written written;
    Told told;
    auto const summary = read_recipe(written.file.get(), told).value();
    CHECK(told.text == written.expected);
    CHECK(summary.diff_id == base::sha256("diff"));
    CHECK(summary.tar_bytes == 4 + 7 + 300'000 + 1'000'000 + 5 + 1'000'000);
    CHECK(summary.objects == 2);
}

TEST_CASE("a damaged recipe is never told", "[layer][recipe]") {
    Written written;
    std::string const whole = written.bytes();
    auto const outcome_of = [&](std::string const& bytes) {
        REQUIRE(base::sys::ftruncate(written.file.get(), 0).has_value());
        REQUIRE(base::sys::pwrite_all(written.file.get(), base::bytes_of(bytes), 0).has_value());
        Told told;
        auto outcome = read_recipe(written.file.get(), told);
        // zstd has bits in its frame header that mean nothing.
        CHECK((!outcome.has_value() || told.text == written.expected));
        return outcome;
    };
    REQUIRE(outcome_of(whole).has_value());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        REQUIRE(outcome_of(whole.substr(0, size)).error().code == Errno::euclean);
    }
    for (std::size_t bit = 0; bit < whole.size() * 8; bit += 3) {
        CAPTURE(bit);
        std::string flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        static_cast<void>(outcome_of(flipped));
    }
    CHECK_FALSE(outcome_of(whole + "x").has_value());
}

TEST_CASE("a recipe of a newer version is refused as such", "[layer][recipe]") {
    Written written;
    std::string bytes = written.bytes();
    bytes[recipe_format::kVersionAt] = 2;
    REQUIRE(base::sys::pwrite_all(written.file.get(), base::bytes_of(bytes), 0).has_value());
    CHECK(read_recipe_header(written.file.get()).error().code == Errno::eopnotsupp);
}
