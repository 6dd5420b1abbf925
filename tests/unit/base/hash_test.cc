// SPDX-License-Identifier: MIT
#include "store/base/hash.h"

#include "tests/support/catch.h"

using namespace oblea::base;

TEST_CASE("SHA-256 gives the vectors of FIPS 180-4", "[base][hash]") {
    CHECK(sha256("").to_string() ==
          "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256("abc").hex() ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a hasher starts anew after finish", "[base][hash]") {
    Sha256 hash;
    hash.update(bytes_of("a"));
    hash.update(bytes_of("bc"));
    CHECK(hash.finish() == sha256("abc"));
    CHECK(hash.finish() == sha256(""));
}

TEST_CASE("a copy of a hasher goes on from where the other one is", "[base][hash]") {
    Sha256 hash;
    hash.update(bytes_of("ab"));
    Sha256 copy{hash};
    copy.update(bytes_of("c"));
    CHECK(copy.finish() == sha256("abc"));
    CHECK(hash.finish() == sha256("ab"));
}

TEST_CASE("two hashers that take the same bytes give what each gives alone", "[base][hash]") {
    std::string text;
    for (unsigned i = 0; i < 100'000; ++i) {
        text += static_cast<char>(i * i >> 5U);
    }
    std::string_view const all{text};
    // Of the first one, before both: between two blocks, and inside one.
    auto const before = GENERATE(std::size_t{0}, std::size_t{64}, std::size_t{1}, std::size_t{512});
    auto const together = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64},
                                   std::size_t{65}, std::size_t{4096}, std::size_t{77'777});
    CAPTURE(before, together);
    Sha256 longer;
    Sha256 shorter;
    longer.update(bytes_of(all.substr(0, before)));
    Sha256::update_both(longer, shorter, bytes_of(all.substr(before, together)));
    Sha256::update_both(longer, shorter, bytes_of(all.substr(before + together, 1000)));
    longer.update(bytes_of(all.substr(before + together + 1000, 100)));
    CHECK(longer.finish() == sha256(all.substr(0, before + together + 1100)));
    CHECK(shorter.finish() == sha256(all.substr(before, together + 1000)));
}

TEST_CASE("two hashers count past 2^32 bits", "[base][hash]") {
    std::string const zeros(1U << 20U, '\0');
    Sha256 one;
    for (unsigned i = 0; i < 511; ++i) {
        one.update(bytes_of(zeros));
    }
    Sha256 other{one};
    Sha256 alone{one};
    Sha256::update_both(one, other, bytes_of(zeros));
    Sha256::update_both(one, other, bytes_of(zeros));
    alone.update(bytes_of(zeros));
    alone.update(bytes_of(zeros));
    Digest const digest = alone.finish();
    CHECK(one.finish() == digest);
    CHECK(other.finish() == digest);
}

TEST_CASE("digests parse only in their exact form", "[base][hash]") {
    std::string const good = sha256("abc").to_string();
    CHECK(Digest::parse(good).value().to_string() == good);
    CHECK_FALSE(Digest::parse("sha512:" + good.substr(7)).has_value());
    CHECK_FALSE(Digest::parse(good.substr(0, 70)).has_value());
    CHECK_FALSE(Digest::parse(good + "0").has_value());
    CHECK_FALSE(Digest::parse("sha256:" + std::string(64, 'A')).has_value());
    CHECK_FALSE(Digest::parse("").has_value());
}
