// SPDX-License-Identifier: MIT
#include "store/image/manifest.h"

#include "tests/support/catch.h"

#include <fmt/format.h>

using namespace oblea;
using namespace oblea::store;

namespace {

std::string const kDigest = "sha256:" + std::string(64, 'a');

std::string descriptor(std::string const& type, std::string const& more = "") {
    return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":3{}}})", type, kDigest, more);
}

std::string manifest(std::string const& config, std::string const& layer,
                     std::string const& more = "") {
    return fmt::format(R"({{"schemaVersion":2{},"config":{},"layers":[{}]}})", more,
                       descriptor(config), descriptor(layer));
}

std::string platform(std::string const& text) {
    auto const parsed = Platform::parse(text).value();
    return fmt::format(R"(,"platform":{{"os":"{}","architecture":"{}","variant":"{}"}})", parsed.os,
                       parsed.architecture, parsed.variant);
}

ImageIndex index_of(std::vector<std::string> const& platforms) {
    ImageIndex index;
    for (std::string const& text : platforms) {
        Descriptor entry;
        entry.media_type = media_type::kOciManifest;
        entry.artifact_type = "";
        if (!text.empty()) {
            entry.platform = text == "unknown/unknown" ? Platform{"unknown", "unknown", ""}
                                                       : Platform::parse(text).value();
        }
        entry.bytes = index.manifests.size();
        index.manifests.push_back(entry);
    }
    return index;
}

Errno code_of(std::string const& text, std::string_view declared = "") {
    auto const parsed = parse_manifest(text, declared, "m");
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error().code;
}

}  // namespace

TEST_CASE("manifests of both makers are read", "[store][manifest]") {
    auto const [config, layer, type] = GENERATE(table<std::string, std::string, std::string>({
        {media_type::kOciConfig, media_type::kOciLayerGzip, media_type::kOciManifest},
        {media_type::kOciConfig, media_type::kOciLayerZstd, media_type::kOciManifest},
        {media_type::kDockerConfig, "application/vnd.docker.image.rootfs.diff.tar.gzip",
         media_type::kDockerManifest},
        {media_type::kDockerConfig, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
         media_type::kDockerManifest},
    }));
    auto const text = manifest(config, layer, ",\"mediaType\":\"" + type + "\",\"x\":[1]");
    auto const parsed = parse_manifest(text, type, "m");
    REQUIRE(parsed.has_value());
    auto const& image = std::get<Manifest>(*parsed);
    CHECK(image.media_type == type);
    CHECK(image.layers.at(0).bytes == 3);
    // Without a media type it is what its descriptor says, and OCI's without that.
    auto const bare = parse_manifest(manifest(config, layer), type, "m");
    CHECK(std::get<Manifest>(*bare).media_type == type);
    CHECK(std::get<Manifest>(*parse_manifest(manifest(config, layer), "", "m")).media_type ==
          media_type::kOciManifest);
}

TEST_CASE("what is no image is refused by name", "[store][manifest]") {
    using namespace media_type;
    auto const artifact = manifest("application/vnd.cncf.helm.config.v1+json", kOciLayer);
    CHECK(code_of(artifact) == Errno::eopnotsupp);
    CHECK(parse_manifest(artifact, "", "m").error().detail.contains("vnd.cncf.helm"));
    CHECK(code_of(manifest(kOciConfig, kOciLayer, ",\"artifactType\":\"text/x\"")) ==
          Errno::eopnotsupp);
    CHECK(code_of(manifest(kOciConfig, std::string{kOciLayer} + "+gzip+encrypted")) ==
          Errno::eopnotsupp);
    CHECK(code_of(manifest(kOciConfig, "application/vnd.in-toto+json")) == Errno::eopnotsupp);
    CHECK(code_of(R"({"schemaVersion":1,"fsLayers":[]})") == Errno::eopnotsupp);
}

TEST_CASE("a document with two meanings is refused", "[store][manifest]") {
    using namespace media_type;
    CHECK(code_of(R"({"schemaVersion":2,"manifests":[],"layers":[]})") == Errno::ebadmsg);
    CHECK(code_of(manifest(kOciConfig, kOciLayer,
                           fmt::format(",\"mediaType\":\"{}\"", kOciIndex))) == Errno::ebadmsg);
    CHECK(
        code_of(manifest(kOciConfig, kOciLayer, fmt::format(",\"mediaType\":\"{}\"", kOciManifest)),
                kDockerManifest) == Errno::ebadmsg);
}

TEST_CASE("damaged manifests are refused", "[store][manifest]") {
    for (std::string const& text : {
             std::string{"[]"},
             std::string{"{"},
             std::string{"{}"},
             std::string{R"({"config":3})"},
             std::string{R"({"config":{}})"},
             manifest(media_type::kOciConfig, media_type::kOciLayer, ",\"layers\":3"),
             fmt::format(R"({{"config":{{"digest":"{}","size":-1}}}})", kDigest),
             fmt::format(R"({{"config":{{"digest":"{}"}}}})", kDigest),
             std::string{R"({"config":{"digest":"sha256:1","size":1}})"},
             std::string{R"({"manifests":{}})"},
         }) {
        CAPTURE(text);
        if (text.contains("layers\":3")) {
            continue;  // the later of two equal fields counts, and that is an array
        }
        CHECK(code_of(text) == Errno::einval);
    }
    CHECK(code_of(std::string(5 << 20, ' ')) == Errno::e2big);
    // Depth costs no stack.
    CHECK(code_of("{\"x\":" + std::string(2'000'000, '[')) == Errno::einval);
}

TEST_CASE("the first of the best manifests for a platform is chosen", "[store][manifest]") {
    auto const [wanted, offered, position] =
        GENERATE(table<std::string, std::vector<std::string>, int>({
            {"linux/amd64", {"linux/arm64", "linux/amd64", "linux/amd64"}, 1},
            {"linux/x86_64", {"windows/amd64", "linux/amd64"}, 1},
            {"linux/amd64", {"linux/amd64/v2", "linux/amd64"}, 1},
            {"linux/amd64/v3", {"linux/amd64", "linux/amd64/v4", "linux/amd64/v2"}, 2},
            {"linux/arm64", {"linux/arm/v7", "linux/arm64/v8"}, 1},
            {"linux/arm64", {"linux/arm/v6", "linux/arm/v7"}, 1},
            {"linux/arm/v7", {"linux/arm/v5", "linux/arm/v6"}, 1},
            {"linux/armhf", {"linux/arm/v6", "linux/arm"}, 1},
            {"linux/amd64", {"unknown/unknown", "linux/amd64"}, 1},
            {"linux/amd64", {"", "linux/amd64"}, 1},
            {"linux/s390x", {"linux/amd64", ""}, 1},
        }));
    CAPTURE(wanted, offered);
    ImageIndex const index = index_of(offered);
    auto const chosen = choose_platform(index, Platform::parse(wanted).value(), "i");
    REQUIRE(chosen.has_value());
    CHECK((*chosen)->bytes == static_cast<std::uint64_t>(position));
}

TEST_CASE("no manifest for the platform lists those that are there", "[store][manifest]") {
    ImageIndex const index =
        index_of({"linux/arm/v7", "linux/arm64", "linux/amd64/v2", "unknown/unknown"});
    auto const chosen = choose_platform(index, Platform::parse("linux/amd64").value(), "i");
    REQUIRE_FALSE(chosen.has_value());
    CHECK(chosen.error().code == Errno::enoent);
    CHECK(chosen.error().detail.contains("no matching manifest for linux/amd64"));
    CHECK(chosen.error().detail.contains("linux/arm/v7, linux/arm64, linux/amd64/v2"));
    CHECK_FALSE(chosen.error().detail.contains("unknown"));
    CHECK_FALSE(platform_rank({"linux", "arm", "v6"}, {"linux", "arm", "v7"}).has_value());
}

TEST_CASE("a platform is os/architecture", "[store][manifest]") {
    CHECK(Platform::parse("linux/aarch64/v8")->to_string() == "linux/arm64");
    CHECK(Platform::parse("linux/armel")->to_string() == "linux/arm/v6");
    for (char const* text : {"", "/", "linux/", "linux//x", "a/b/c/d", "linux/am d"}) {
        CAPTURE(text);
        CHECK_FALSE(Platform::parse(text).has_value());
    }
    CHECK(Platform::of_machine().os == "linux");
}

TEST_CASE("an index keeps annotations and platforms of its entries", "[store][manifest]") {
    auto const text =
        fmt::format(R"({{"schemaVersion":2,"manifests":[{}]}})",
                    descriptor(media_type::kOciManifest,
                               R"(,"annotations":{"org.opencontainers.image.ref.name":"a","n":3})" +
                                   platform("linux/arm64")));
    auto const index = parse_layout_index(text, "index.json");
    REQUIRE(index.has_value());
    CHECK(index->manifests.at(0).annotations.at(kRefNameAnnotation) == "a");
    CHECK(index->manifests.at(0).platform->architecture == "arm64");
    CHECK(std::holds_alternative<ImageIndex>(*parse_manifest(text, media_type::kOciIndex, "i")));
}

TEST_CASE("a config needs what the store relies on and may have anything else",
          "[store][manifest]") {
    std::string const good = fmt::format(
        R"({{"architecture":"amd64","os":"linux","created":null,"x":{{}},
            "rootfs":{{"type":"layers","diff_ids":["{}"]}},
            "history":[{{"created_by":"a"}},{{"empty_layer":true}}]}})",
        kDigest);
    auto const config = parse_config(good, "c");
    REQUIRE(config.has_value());
    CHECK(config->diff_ids.size() == 1);
    CHECK(config->history_layers == 1);
    CHECK(config->created.empty());
    for (auto const& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"\"architecture\"", "\"arch\""},
             {"\"os\"", "\"system\""},
             {"\"linux\"", "7"},
             {"\"linux\"", "\"\""},
             {"\"layers\"", "\"other\""},
             {"rootfs", "root"},
             {kDigest, "sha512:" + std::string(128, 'a')},
             {"[{", "[7,{"},
             {"true", "1"},
         }) {
        CAPTURE(from, to);
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        CHECK(parse_config(text, "c").error().code == Errno::einval);
    }
}

TEST_CASE("manifest.json of a docker archive is read", "[store][manifest]") {
    auto const images = parse_docker_manifest(
        R"([{"Config":"c.json","RepoTags":null,"Layers":["a/layer.tar"]},
            {"Config":"d.json","RepoTags":["x:1"],"Layers":null,"LayerSources":{}}])",
        "manifest.json");
    REQUIRE(images.has_value());
    CHECK(images->at(0).layers == std::vector<std::string>{"a/layer.tar"});
    CHECK(images->at(0).names.empty());
    CHECK(images->at(1).names == std::vector<std::string>{"x:1"});
    for (char const* text : {"{}", "[1]", "[{}]", R"([{"Config":"c","Layers":[1]}])",
                             R"([{"Config":"c","RepoTags":"x"}])", "["}) {
        CAPTURE(text);
        CHECK(parse_docker_manifest(text, "m").error().code == Errno::einval);
    }
}
