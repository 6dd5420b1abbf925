// SPDX-License-Identifier: MIT
#include "store/image/images.h"

#include "tests/support/catch.h"

using namespace oblea;
using namespace oblea::store;

namespace {

Digest digest_of(std::string_view text) {
    return base::sha256(text);
}

Image image_of(std::string_view text, std::vector<std::string> names) {
    Image image;
    image.id = digest_of(text);
    image.names = std::move(names);
    image.layers = {{digest_of("diff"), digest_of("blob"), 7, "application/x"}};
    image.size_bytes = 12;
    image.created = "2026-01-01T00:00:00Z";
    image.architecture = "amd64";
    image.os = "linux";
    image.imported = "2026-01-02T00:00:00Z";
    image.origin = "x.tar";
    return image;
}

constexpr char kDebian[] = "docker.io/library/debian:latest";
constexpr char kApp[] = "quay.io/a/app:1";

}  // namespace

TEST_CASE("images.json comes back as it was written", "[store][images]") {
    Images images;
    Image image = image_of("a", {kDebian, kApp});
    image.manifest = digest_of("manifest");
    image.parent = digest_of("parent");
    images.put(image);
    images.put(image_of("b", {}));
    auto const again = Images::parse(images.encode());
    REQUIRE(again.has_value());
    CHECK(again->encode() == images.encode());
    REQUIRE(again->all().size() == 2);
    CHECK(again->all()[0].names == std::vector<std::string>{kDebian, kApp});
    CHECK(again->all()[0].manifest == digest_of("manifest"));
    CHECK(again->all()[0].layers[0].blob_bytes == 7);
    CHECK_FALSE(again->all()[1].parent.has_value());
}

TEST_CASE("an origin that is no UTF-8 does not spoil images.json", "[store][images]") {
    Images images;
    Image image = image_of("a", {});
    image.origin = "/tmp/\xff.tar";
    images.put(image);
    CHECK(Images::parse(images.encode()).has_value());
}

TEST_CASE("images.json is taken strictly", "[store][images]") {
    Images one;
    one.put(image_of("a", {kDebian}));
    std::string const good = one.encode();
    auto const with = [&](std::string const& from, std::string const& to) {
        std::string text = good;
        auto const at = text.find(from);
        REQUIRE(at != std::string::npos);
        return text.replace(at, from.size(), to);
    };
    SECTION("newer versions and unknown fields are refused as such") {
        CHECK(Images::parse(with("\"version\": 1", "\"version\": 2")).error().code ==
              Errno::eopnotsupp);
        CHECK(Images::parse(with("\"os\"", "\"os.version\": \"1\", \"os\"")).error().code ==
              Errno::eopnotsupp);
        CHECK(Images::parse(with("\"images\"", "\"more\": 1, \"images\"")).error().code ==
              Errno::eopnotsupp);
    }
    SECTION("damage is damage") {
        std::string const id = digest_of("a").hex();
        for (auto const& [from, to] : std::vector<std::pair<std::string, std::string>>{
                 {"\"size_bytes\": 12", "\"size_bytes\": -1"},
                 {"\"size_bytes\": 12", "\"size_bytes\": \"12\""},
                 {"\"size_bytes\": 12", "\"size_bytes\": 1e300"},
                 {id, id.substr(1)},
                 {"library/debian:latest", "library/debian"},
                 {"docker.io/library/debian", "debian"},
                 {"\"docker.io/library/debian:latest\"", "7"},
                 {"\"media_type\"", "\"media_type\": 1, \"blob_bytes\""},
                 {"{", "["},
             }) {
            CAPTURE(from, to);
            CHECK(Images::parse(with(from, to)).error().code == Errno::euclean);
        }
        CHECK(Images::parse("").error().code == Errno::euclean);
        CHECK(Images::parse("{}").error().code == Errno::euclean);
        CHECK(Images::parse("[]").error().code == Errno::euclean);
        CHECK(Images::parse(good.substr(0, good.size() / 2)).error().code == Errno::euclean);
    }
    SECTION("an id or a name twice is damage") {
        auto const list = good.substr(good.find('[') + 1, good.rfind(']') - good.find('[') - 1);
        auto const twice = "{\"version\": 1, \"images\": [" + list + "," + list + "]}";
        CHECK(Images::parse(twice).error().detail.contains("listed twice"));
    }
}

TEST_CASE("a name moves to the image that is put last", "[store][images]") {
    Images images;
    images.put(image_of("a", {kDebian}));
    images.put(image_of("b", {kDebian, kApp}));
    CHECK(images.find(digest_of("a"))->names.empty());
    CHECK(images.find_name(kDebian)->id == digest_of("b"));

    SECTION("putting an image again keeps its other names and what was known of it") {
        Image again = image_of("b", {"docker.io/library/c:1"});
        again.origin = "elsewhere";
        images.put(again);
        REQUIRE(images.all().size() == 2);
        CHECK(images.find(digest_of("b"))->names.size() == 3);
        CHECK(images.find(digest_of("b"))->origin == "elsewhere");
    }
    SECTION("tag takes it back") {
        REQUIRE(images.tag(digest_of("a"), kDebian).has_value());
        CHECK(images.find_name(kDebian)->id == digest_of("a"));
        CHECK(images.find(digest_of("b"))->names == std::vector<std::string>{kApp});
        CHECK(images.tag(digest_of("x"), kDebian).error().code == Errno::enoent);
    }
    SECTION("untag and remove tell whether there was something") {
        CHECK(images.untag(kApp));
        CHECK_FALSE(images.untag(kApp));
        CHECK(images.remove(digest_of("b")));
        CHECK_FALSE(images.remove(digest_of("b")));
        CHECK(images.find_name(kDebian) == nullptr);
    }
}

TEST_CASE("what people type finds the image", "[store][images]") {
    Images images;
    Image debian = image_of("a", {kDebian});
    debian.manifest = digest_of("manifest");
    images.put(debian);
    images.put(image_of(
        "b", {kApp, "docker.io/library/" + digest_of("a").hex().substr(0, 6) + ":latest"}));
    std::string const hex = digest_of("a").hex();
    auto const found = [&](std::string const& typed) {
        CAPTURE(typed);
        auto const image = images.resolve(typed);
        REQUIRE(image.has_value());
        return (*image)->id;
    };
    for (std::string const& typed :
         {std::string{"debian"}, std::string{"debian:latest"}, std::string{"docker.io/debian"}, hex,
          "sha256:" + hex, hex.substr(0, 12), "sha256:" + hex.substr(0, 12),
          "debian@" + digest_of("manifest").to_string(),
          "debian:other@" + digest_of("manifest").to_string()}) {
        CHECK(found(typed) == digest_of("a"));
    }
    // A name goes before an id.
    CHECK(found(hex.substr(0, 6)) == digest_of("b"));
    CHECK(found("quay.io/a/app:1") == digest_of("b"));
}

TEST_CASE("what is no image is said in one line", "[store][images]") {
    Images images;
    auto const detail = [&](std::string const& typed) { return images.resolve(typed).error(); };
    CHECK(detail("x").code == Errno::enoent);
    CHECK(detail("x").detail == "No such image: x:latest");
    CHECK(detail(std::string(64, 'a')).code == Errno::enoent);
    CHECK(detail("X").code == Errno::einval);
    CHECK(detail("a b").detail.contains("invalid reference format"));
}

TEST_CASE("a prefix of several ids is refused with the candidates", "[store][images]") {
    Images images;
    // Among 17 ids two begin with the same digit.
    for (int i = 0; i < 17; ++i) {
        images.put(image_of(std::to_string(i), {}));
    }
    std::string digit;
    for (char const c : std::string{"0123456789abcdef"}) {
        int count = 0;
        for (Image const& image : images.all()) {
            count += image.id.hex().front() == c ? 1 : 0;
        }
        if (count > 1) {
            digit = c;
        }
    }
    auto const error = images.resolve(digit);
    REQUIRE_FALSE(error.has_value());
    CHECK(error.error().code == Errno::einval);
    CHECK(error.error().detail.contains("ambiguous image id"));
    CHECK(error.error().detail.contains("give more"));
}

TEST_CASE("images of shared stores come behind the own ones", "[store][images]") {
    Images images;
    images.put(image_of("own", {kDebian}));
    Images shared;
    shared.put(image_of("theirs", {kDebian, kApp}));
    shared.put(image_of("own", {"quay.io/a/same:1"}));
    images.add_shared(shared, "/shared");
    REQUIRE(images.all().size() == 2);
    CHECK(images.find_name(kDebian)->id == digest_of("own"));
    CHECK(images.find_name(kDebian)->store.empty());
    CHECK(images.find_name("quay.io/a/same:1")->id == digest_of("own"));
    CHECK(images.find_name(kApp)->id == digest_of("theirs"));
    CHECK(images.find_name(kApp)->store == "/shared");
}
