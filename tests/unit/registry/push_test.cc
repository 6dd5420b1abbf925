// SPDX-License-Identifier: MIT
// Pushing: what is planned, and the protocol of uploads against servers with ways of their own.
#include "store/image/manifest.h"
#include "tests/unit/registry/mock_registry.h"
#include "tools/registry/client/push_blob.h"
#include "tools/registry/copy/referred.h"
#include "tools/registry/push_plan.h"

#include <atomic>

using namespace oblea;
using namespace oblea::registry;
using test::MockRegistry;
using Outcome = PushedBlob::Outcome;

namespace {

std::string const kUploads = "/v2/demo/blobs/uploads/";

store::Digest digest_of(std::string_view text) {
    return base::sha256(text);
}

std::string blob_of(std::size_t bytes) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
        text[i] = static_cast<char>((i * 2654435761U) >> 13U);
    }
    return text;
}

// A registry that takes one upload, in the ways that its members choose.
struct UploadRegistry {
    MockRegistry server;
    HttpClient http{HttpOptions{}};
    test::ClientLog log;
    std::string got;
    std::string content = blob_of(300'000);
    std::string location = "/upload/1?state=a%2Fb";  // of the first answer
    std::size_t cut_at = 0;                          // the first PATCH ends here; 0: never
    std::size_t body_max = 0;                        // larger ones get 413; 0: none does
    std::atomic<int> begun{0};
    std::atomic<int> patches{0};
    std::string final_query;

    void start() {
        server.get("/v2/", [](auto const&, auto&) {});
        server.post(kUploads, [this](auto const&, auto& response) {
            ++begun;
            got.clear();
            response.status = 202;
            response.set_header("Location", location);
        });
        server.patch("/upload/1", [this](auto const& request, auto& response, auto const& reader) {
            take(request, response, reader);
        });
        server.get("/upload/1", [this](auto const&, auto& response) {
            response.status = 204;
            if (!got.empty()) {
                response.set_header("Range", "0-" + std::to_string(got.size() - 1));
            }
        });
        server.put("/upload/1", [this](httplib::Request const& request, auto& response) {
            final_query =
                request.get_param_value("state") + ' ' + request.get_param_value("digest");
            response.status = digest_of(got) == digest_of(content) ? 201 : 400;
        });
        server.start();
    }

    void take(httplib::Request const& request, httplib::Response& response,
              httplib::ContentReader const& reader) {
        int const number = ++patches;
        std::size_t const bytes = std::stoul(request.get_header_value("Content-Length"));
        if (body_max != 0 && bytes > body_max) {
            response.status = 413;
            return;
        }
        auto const range = request.get_header_value("Content-Range");
        if (!range.empty() && std::stoul(range) != got.size()) {
            response.status = 416;
            return;
        }
        std::size_t const limit = number == 1 && cut_at != 0 ? cut_at : SIZE_MAX;
        reader([&](char const* data, std::size_t count) {
            got.append(data, std::min(count, limit - got.size()));
            return got.size() < limit;
        });
        response.status = got.size() < limit ? 202 : 503;
        response.set_header("Location", "/upload/1?state=" + std::to_string(number));
    }

    Result<PushedBlob> push(std::vector<std::string> mount_from = {}) {
        auto options = test::client_options(log);
        options.access = ClientOptions::Access::push;
        Connection connection{http, test::endpoint_of(server.host()), std::move(options)};
        BlobUpload const upload{
            .digest = digest_of(content),
            .bytes = content.size(),
            .open = [this](std::uint64_t offset) -> Result<std::unique_ptr<base::ByteSource>> {
                auto const rest = std::string_view{content}.substr(offset);
                return std::make_unique<base::MemorySource>(base::bytes_of(rest));
            },
            .mount_from = std::move(mount_from)};
        return push_blob(connection, upload);
    }
};

LayerState layer_state(std::string_view name, std::string_view media_type, bool exists) {
    bool const tar = media_type == store::media_type::kOciLayer;
    std::string const diff = std::string{name} + " diff";
    return {.layer = {.diff_id = digest_of(diff),
                      .blob = digest_of(tar ? diff : std::string{name} + " blob"),
                      .blob_bytes = 1,
                      .media_type = std::string{media_type}},
            .blob_exists = exists};
}

}  // namespace

TEST_CASE("a blob that is there is not sent", "[registry][push]") {
    UploadRegistry registry;
    registry.server.get("/v2/demo/blobs/" + digest_of(registry.content).to_string(),
                        [](auto const&, auto&) {});
    registry.start();
    auto const pushed = registry.push();
    REQUIRE(pushed.has_value());
    CHECK(pushed->outcome == Outcome::present);
    CHECK(registry.begun == 0);
}

TEST_CASE("a blob is uploaded to where the registry says", "[registry][push]") {
    UploadRegistry registry;
    SECTION("relative") {}
    SECTION("absolute") {
        registry.location = registry.server.url(registry.location);
    }
    registry.start();
    auto const pushed = registry.push();
    REQUIRE(pushed.has_value());
    CHECK(pushed->outcome == Outcome::uploaded);
    CHECK(registry.got == registry.content);
    // With the query of the last answer.
    CHECK(registry.final_query == "1 " + digest_of(registry.content).to_string());
}

TEST_CASE("an upload goes on where it was cut", "[registry][push]") {
    UploadRegistry registry;
    registry.cut_at = 100'000;
    registry.start();
    auto const pushed = registry.push();
    REQUIRE(pushed.has_value());
    CHECK(registry.got == registry.content);
    CHECK(registry.begun == 1);
    CHECK(registry.patches == 2);
    CHECK(registry.log.sleeps.size() == 1);
}

TEST_CASE("a proxy that refuses large bodies gets small ones", "[registry][push]") {
    UploadRegistry registry;
    registry.content = blob_of(40U << 20U);
    registry.body_max = 20U << 20U;
    registry.start();
    REQUIRE(registry.push().has_value());
    CHECK(registry.got == registry.content);
    CHECK(registry.patches == 4);
}

TEST_CASE("a blob is mounted where the registry lets one, else uploaded", "[registry][push]") {
    auto const [status, outcome] = GENERATE(table<int, Outcome>({
        {201, Outcome::mounted},
        {202, Outcome::uploaded},
        {405, Outcome::uploaded},
    }));
    CAPTURE(status);
    UploadRegistry registry;
    std::atomic<int> mounts{0};
    registry.server.post(kUploads,
                         [&, status = status](httplib::Request const& request, auto& response) {
                             bool const mount = request.has_param("mount");
                             mounts += mount ? 1 : 0;
                             response.status = mount ? status : 202;
                             response.set_header("Location", "/upload/1?state=m");
                         });
    registry.start();
    auto const pushed = registry.push({"library/base"});
    REQUIRE(pushed.has_value());
    CHECK(pushed->outcome == outcome);
    CHECK(mounts == 1);
    CHECK((outcome == Outcome::mounted || registry.got == registry.content));
}

TEST_CASE("an upload without a place, or with other bytes at the end, fails", "[registry][push]") {
    UploadRegistry registry;
    SECTION("no place") {
        registry.location = "";
    }
    SECTION("no http") {
        registry.location = "ftp://127.0.0.1/x";
    }
    SECTION("other bytes") {
        registry.server.put("/upload/1", [](auto const&, auto& response) {
            response.status = 400;
            response.set_content(R"({"errors":[{"code":"DIGEST_INVALID","message":"bad"}]})",
                                 "application/json");
        });
    }
    registry.start();
    CHECK_FALSE(registry.push().has_value());
}

TEST_CASE("the range of an upload is understood in its forms", "[registry][push]") {
    auto const [field, bytes] = GENERATE(table<std::string, std::uint64_t>(
        {{"0-99", 100}, {"bytes=0-99", 100}, {"0-0", 0}, {"", 0}, {"5-9", 0}, {"0-x", 0}}));
    CAPTURE(field);
    CHECK(parse_upload_range(field) == bytes);
}

TEST_CASE("an image is pushed as it came as long as that is possible", "[registry][push]") {
    using From = LayerPlan::From;
    using Manifest = PushPlan::Manifest;
    using store::Compression;
    auto const gzip = store::media_type::kOciLayerGzip;
    auto const zstd = store::media_type::kOciLayerZstd;
    auto const tar = store::media_type::kOciLayer;
    LayerPlan const blob{.from = From::blob};
    LayerPlan const new_gzip{.from = From::compressed, .compression = Compression::gzip};
    LayerPlan const new_zstd{.from = From::compressed, .compression = Compression::zstd};

    SECTION("all blobs are there") {
        auto const plan = plan_push(
            true, {layer_state("a", gzip, true), layer_state("b", zstd, true)}, std::nullopt);
        CHECK(plan.manifest == Manifest::as_it_came);
        CHECK(plan.layers == std::vector{blob, blob});
    }
    SECTION("a tar is made again from its recipe") {
        auto const plan = plan_push(
            true, {layer_state("a", gzip, true), layer_state("b", tar, false)}, std::nullopt);
        CHECK(plan.manifest == Manifest::as_it_came);
        CHECK(plan.layers[1] == LayerPlan{.from = From::tar});
    }
    SECTION("a blob was dropped") {
        auto const plan = plan_push(
            true, {layer_state("a", gzip, false), layer_state("b", zstd, true)}, std::nullopt);
        CHECK(plan.manifest == Manifest::made_anew);
        CHECK(plan.layers == std::vector{new_gzip, blob});
    }
    SECTION("there never was a manifest") {
        auto const plan = plan_push(false, {layer_state("a", tar, false)}, std::nullopt);
        CHECK(plan.manifest == Manifest::made_anew);
        CHECK(plan.layers == std::vector{new_gzip});
    }
    SECTION("another compression is wanted") {
        auto const plan = plan_push(
            true, {layer_state("a", gzip, true), layer_state("b", zstd, true)}, Compression::zstd);
        CHECK(plan.manifest == Manifest::made_anew);
        CHECK(plan.layers == std::vector{new_zstd, blob});
    }
    SECTION("the compression that it has is wanted") {
        auto const plan = plan_push(true, {layer_state("a", zstd, true)}, Compression::zstd);
        CHECK(plan.manifest == Manifest::as_it_came);
    }
}

TEST_CASE("layers are mounted from repositories of the same registry", "[registry][push]") {
    store::Images images;
    store::ImageLayer const layer = layer_state("a", store::media_type::kOciLayerGzip, true).layer;
    store::Image image;
    image.id = digest_of("image");
    image.layers = {layer};
    image.names = {"docker.io/library/base:1", "docker.io/library/base:2", "docker.io/me/app:1",
                   "quay.io/other/base:1"};
    images.put(image);
    auto const target = store::Reference::parse("me/app:2").value();
    CHECK(mount_candidates(images, target, layer.blob) == std::vector<std::string>{"library/base"});
    CHECK(mount_candidates(images, target, digest_of("none")).empty());
}

TEST_CASE("what a manifest refers to is copied, artifacts and indexes too", "[registry][copy]") {
    std::string const digest = digest_of("x").to_string();
    std::string const other = digest_of("y").to_string();
    auto const descriptor = [](std::string const& name, char const* type) {
        return R"({"mediaType":")" + std::string{type} + R"(","digest":")" + name +
               R"(","size":7})";
    };
    auto const layer = descriptor(other, "application/x");
    auto const manifest =
        parse_referred(R"({"config":)" + descriptor(digest, "application/y") + R"(,"layers":[)" +
                           layer + "," + layer + "," +
                           descriptor(digest_of("z").to_string(),
                                      "application/vnd.oci.image.layer.nondistributable.v1.tar") +
                           "]}",
                       "m");
    REQUIRE(manifest.has_value());
    CHECK(manifest->blobs == std::vector<ReferredBlob>{{digest_of("x"), 7}, {digest_of("y"), 7}});
    auto const index = parse_referred(R"({"manifests":[)" + layer + "]}", "i");
    REQUIRE(index.has_value());
    CHECK(index->manifests == std::vector<ReferredBlob>{{digest_of("y"), 7}});
    for (char const* const wrong :
         {"", "[]", "{}", R"({"config":{},"layers":[]})", R"({"manifests":7})",
          R"({"manifests":[{"digest":"sha256:x","size":1}]})"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_referred(wrong, "m").has_value());
    }
}
