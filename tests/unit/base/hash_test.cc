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

TEST_CASE("digests parse only in their exact form", "[base][hash]") {
    std::string const good = sha256("abc").to_string();
    CHECK(Digest::parse(good).value().to_string() == good);
    CHECK_FALSE(Digest::parse("sha512:" + good.substr(7)).has_value());
    CHECK_FALSE(Digest::parse(good.substr(0, 70)).has_value());
    CHECK_FALSE(Digest::parse(good + "0").has_value());
    CHECK_FALSE(Digest::parse("sha256:" + std::string(64, 'A')).has_value());
    CHECK_FALSE(Digest::parse("").has_value());
}
