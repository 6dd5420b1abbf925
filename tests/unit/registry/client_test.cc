// SPDX-License-Identifier: MIT
// The client against servers that behave badly.
#include "store/base/limits.h"
#include "store/base/unique_fd.h"
#include "tests/unit/registry/mock_registry.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <functional>
#include <thread>

using namespace oblea;
using namespace oblea::registry;
using test::MockRegistry;

namespace {

std::string const kManifest = R"({"schemaVersion":2})";
constexpr char const* kManifestType = "application/vnd.oci.image.manifest.v1+json";
std::string const kManifestPath = "/v2/demo/manifests/latest";

// Bytes that differ everywhere, so that a wrong offset shows.
std::string blob_of(std::size_t bytes) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
        text[i] = static_cast<char>((i * 2654435761U) >> 13U);
    }
    return text;
}

struct Fixture {
    MockRegistry server;
    HttpClient http{HttpOptions{}};
    test::ClientLog log;

    RegistryClient client(std::optional<Credential> credential = std::nullopt) {
        auto options = test::client_options(log);
        options.credential = std::move(credential);
        return RegistryClient{http, test::endpoint_of(server.host()), std::move(options)};
    }
    void serve_ping() {
        server.get("/v2/", [](auto const&, auto&) {});
    }
};

Result<std::string> read_blob(RegistryClient& client, std::string const& content,
                              std::uint64_t bytes) {
    auto source = OBLEA_TRY(client.blob(base::sha256(std::string_view{content}), bytes));
    std::string text;
    std::vector<std::byte> buffer(7000);
    for (;;) {
        std::size_t const count = OBLEA_TRY(source->read(buffer));
        if (count == 0) {
            return text;
        }
        text += base::text_of(base::ByteView{buffer}.first(count));
    }
}

std::string blob_path(std::string const& content) {
    return "/v2/demo/blobs/" + base::sha256(std::string_view{content}).to_string();
}

// The first byte of "Range: bytes=N-"; 0 without.
std::size_t range_start(httplib::Request const& request) {
    auto const field = request.get_header_value("Range");
    return field.empty() ? 0 : std::stoul(field.substr(6));
}

// Sends `bytes` of the rest and then cuts the connection. httplib would serve ranges by itself: the
// header is hidden from it.
void send_cut(httplib::Response& response, std::string const& rest, std::size_t bytes) {
    response.set_content_provider(
        rest.size(), "application/octet-stream",
        [rest, bytes](std::size_t offset, std::size_t, httplib::DataSink& sink) {
            if (offset >= bytes) {
                return false;
            }
            return sink.write(rest.data() + offset, bytes - offset);
        });
}

}  // namespace

TEST_CASE("a manifest comes with its type and digest", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    f.server.get(kManifestPath, [](auto const& request, auto& response) {
        CHECK_THAT(request.get_header_value("Accept"), Catch::Matchers::Contains(kManifestType));
        response.set_header("Docker-Content-Digest",
                            base::sha256(std::string_view{kManifest}).to_string());
        response.set_header("Warning", R"(299 - "this tag goes away")");
        response.set_content(kManifest, std::string{kManifestType} + "; charset=utf-8");
    });
    f.server.start();
    auto client = f.client();
    for (int i = 0; i < 2; ++i) {
        auto const manifest = client.manifest("latest");
        REQUIRE(manifest.has_value());
        CHECK(manifest->bytes == kManifest);
        CHECK(manifest->media_type == kManifestType);
        CHECK(manifest->digest == base::sha256(std::string_view{kManifest}));
    }
    REQUIRE(f.log.warnings.size() == 1);
    CHECK(f.log.warnings[0] == f.server.host() + ": this tag goes away");
}

TEST_CASE("a rate limit is told once, when little of it is left", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    auto const [left, warnings] =
        GENERATE(table<int, std::size_t>({{76, 0}, {11, 0}, {10, 1}, {0, 1}}));
    CAPTURE(left);
    f.server.get(kManifestPath, [left = left](auto const&, auto& response) {
        response.set_header("RateLimit-Limit", "100;w=21600");
        response.set_header("RateLimit-Remaining", std::to_string(left) + ";w=21600");
        response.set_content(kManifest, kManifestType);
    });
    f.server.start();
    auto client = f.client();
    REQUIRE(client.manifest("latest").has_value());
    REQUIRE(client.manifest("latest").has_value());
    REQUIRE(f.log.warnings.size() == warnings);
    if (warnings == 1) {
        CHECK(f.log.warnings[0] == f.server.host() + ": " + std::to_string(left) +
                                       " of 100 pulls are left within 6 hour(s); 'oblea login' "
                                       "raises the limit");
    }
}

TEST_CASE("a manifest of another digest is refused", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    auto const digest = base::sha256(std::string_view{"something else"}).to_string();
    f.server.get(kManifestPath, [&](auto const&, auto& response) {
        response.set_header("Docker-Content-Digest", digest);
        response.set_content(kManifest, kManifestType);
    });
    f.server.get("/v2/demo/manifests/" + digest, [&](auto const&, auto& response) {
        response.set_content(kManifest, kManifestType);
    });
    f.server.start();
    auto client = f.client();
    for (std::string const& reference : {std::string{"latest"}, digest}) {
        auto const manifest = client.manifest(reference);
        REQUIRE_FALSE(manifest.has_value());
        CHECK(manifest.error().code == Errno::ebadmsg);
    }
}

TEST_CASE("a web page, an endless body and a huge header are refused", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    std::atomic<std::size_t> sent{0};
    f.server.get("/v2/demo/manifests/page", [](auto const&, auto& response) {
        response.set_content("<html>please log in</html>", "text/html; charset=utf-8");
    });
    f.server.get("/v2/demo/manifests/endless", [&](auto const&, auto& response) {
        response.set_chunked_content_provider(kManifestType,
                                              [&](std::size_t, httplib::DataSink& sink) {
                                                  std::string const piece(65536, ' ');
                                                  sent += piece.size();
                                                  return sink.write(piece.data(), piece.size());
                                              });
    });
    f.server.get("/v2/demo/manifests/header", [](auto const&, auto& response) {
        for (int i = 0; i < 100; ++i) {
            response.set_header("X-" + std::to_string(i), std::string(8000, 'x'));
        }
        response.set_content(kManifest, kManifestType);
    });
    f.server.start();
    auto client = f.client();
    auto const page = client.manifest("page");
    REQUIRE_FALSE(page.has_value());
    CHECK_THAT(page.error().message(), Catch::Matchers::Contains("web page"));
    auto const endless = client.manifest("endless");
    REQUIRE_FALSE(endless.has_value());
    CHECK(endless.error().code == Errno::e2big);
    CHECK(sent < 8 * limits::kManifestBytesMax);
    auto const header = client.manifest("header");
    REQUIRE_FALSE(header.has_value());
    CHECK(header.error().code == Errno::e2big);
}

TEST_CASE("a server in trouble is tried again, one that refuses is not", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    std::atomic<int> troubles{0};
    f.server.get(kManifestPath, [&](auto const&, auto& response) {
        int const trouble = troubles++;
        if (trouble == 0) {
            response.status = 500;
        } else if (trouble == 1) {
            response.status = 429;
            response.set_header("Retry-After", "7");
        } else {
            response.set_content(kManifest, kManifestType);
        }
    });
    f.server.get("/v2/demo/manifests/none",
                 [](auto const&, auto& response) { response.status = 404; });
    f.server.get("/v2/demo/manifests/limited", [](auto const&, auto& response) {
        response.status = 429;
        response.set_header("Retry-After", "3600");
        response.set_content(
            R"({"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit"}]})",
            "application/json");
    });
    f.server.start();
    auto client = f.client();
    REQUIRE(client.manifest("latest").has_value());
    REQUIRE(f.log.sleeps.size() == 2);
    CHECK(f.log.sleeps[1] == std::chrono::seconds{7});
    auto const none = client.manifest("none");
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().code == Errno::enoent);
    auto const limited = client.manifest("limited");
    REQUIRE_FALSE(limited.has_value());
    CHECK_THAT(
        limited.error().message(),
        Catch::Matchers::StartsWith("toomanyrequests: You have reached your pull rate limit"));
    CHECK(f.log.sleeps.size() == 2);
}

TEST_CASE("a blob goes on where its connection was cut", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    std::string const content = blob_of(100'000);
    enum class Ranges { honoured, ignored };
    auto const ranges = GENERATE(Ranges::honoured, Ranges::ignored);
    std::vector<std::size_t> starts;
    f.server.get(blob_path(content), [&](httplib::Request const& request, auto& response) {
        std::size_t const start = range_start(request);
        starts.push_back(start);
        const_cast<httplib::Request&>(request).ranges.clear();
        bool const whole = starts.size() == 3;
        std::size_t const from = ranges == Ranges::honoured ? start : 0;
        std::string const rest = content.substr(from);
        if (start > 0 && ranges == Ranges::honoured) {
            response.status = 206;
            response.set_header("Content-Range",
                                "bytes " + std::to_string(start) + "-99999/100000");
        }
        send_cut(response, rest, whole ? rest.size() : (from == 0 && start > 0 ? 60'000 : 30'000));
    });
    f.server.start();
    auto client = f.client();
    auto const read = read_blob(client, content, content.size());
    REQUIRE(read.has_value());
    CHECK(*read == content);
    CHECK(starts == std::vector<std::size_t>{0, 30'000, 60'000});
    CHECK(f.log.sleeps.size() == 2);
}

namespace {

// Answers with bytes of the test's choice, and hangs up.
class RawServer {
public:
    using Answer = std::function<std::string(std::string const& request)>;
    explicit RawServer(Answer answer) : answer_(std::move(answer)) {
        struct sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
        REQUIRE(::bind(socket_.get(), generic, size) == 0);
        REQUIRE(::listen(socket_.get(), 16) == 0);
        REQUIRE(::getsockname(socket_.get(), generic, &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread{[this] { run(); }};
    }
    RawServer(RawServer const&) = delete;
    RawServer& operator=(RawServer const&) = delete;
    ~RawServer() {
        ::shutdown(socket_.get(), SHUT_RDWR);  // accept() returns
        thread_.join();
    }
    [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

private:
    void run() {
        for (;;) {
            base::UniqueFd const peer{::accept(socket_.get(), nullptr, nullptr)};
            if (!peer.valid()) {
                return;
            }
            std::string request;
            std::array<char, 4096> buffer{};
            // A client that tries TLS first is sent away.
            while (request.find("\r\n\r\n") == std::string::npos && !request.starts_with('\x16')) {
                auto const count = ::recv(peer.get(), buffer.data(), buffer.size(), 0);
                if (count <= 0) {
                    break;
                }
                request.append(buffer.data(), static_cast<std::size_t>(count));
            }
            std::string const answer = request.starts_with("GET") ? answer_(request) : "";
            static_cast<void>(::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
        }
    }

    Answer answer_;
    base::UniqueFd socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int port_ = 0;
    std::thread thread_;
};

}  // namespace

TEST_CASE("a connection that is cut at any byte is one to try again", "[registry][client]") {
    std::string const content = blob_of(40);
    auto const answer_of = [](std::string const& type, std::string const& body) {
        return "HTTP/1.1 200 OK\r\nContent-Type: " + type +
               "\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\nConnection: close\r\n\r\n" + body;
    };
    std::string const manifest = answer_of(kManifestType, kManifest);
    std::string const blob = answer_of("application/octet-stream", content);
    std::atomic<std::size_t> cut_at{0};
    std::atomic<int> cuts{0};
    RawServer const server{[&](std::string const& request) {
        if (request.starts_with("GET /v2/ ")) {
            return answer_of("text/plain", "");
        }
        std::string const& whole =
            request.find("/manifests/") != std::string::npos ? manifest : blob;
        bool const cut = cuts++ % 2 == 0;
        return cut ? whole.substr(0, cut_at) : whole;
    }};
    HttpClient http{HttpOptions{}};
    test::ClientLog log;
    RegistryClient client{http, test::endpoint_of(server.host()), test::client_options(log)};
    for (cut_at = 0; cut_at < manifest.size(); ++cut_at) {
        CAPTURE(cut_at.load());
        cuts = 0;
        auto const got = client.manifest("latest");
        CAPTURE(got.has_value() ? "" : got.error().message());
        REQUIRE(got.has_value());
        CHECK(got->bytes == kManifest);
    }
    for (cut_at = 0; cut_at < blob.size(); ++cut_at) {
        CAPTURE(cut_at.load());
        cuts = 0;
        auto const got = read_blob(client, content, content.size());
        CAPTURE(got.has_value() ? "" : got.error().message());
        REQUIRE(got.has_value());
        CHECK(*got == content);
    }
}

TEST_CASE("a blob whose connection is always cut fails after some tries", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    std::string const content = blob_of(1000);
    f.server.get(blob_path(content), [&](httplib::Request const& request, auto& response) {
        const_cast<httplib::Request&>(request).ranges.clear();
        send_cut(response, content, 0);
    });
    f.server.start();
    auto client = f.client();
    auto const read = read_blob(client, content, content.size());
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == network_error::kReset);
    CHECK(f.log.sleeps.size() == 4);
}

TEST_CASE("a blob of another size is refused", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    std::string const content = blob_of(5000);
    f.server.get(blob_path(content), [&](auto const&, auto& response) {
        response.set_content(content, "application/octet-stream");
    });
    std::string const streamed = blob_of(5001);
    f.server.get(blob_path(streamed), [&](httplib::Request const& request, auto& response) {
        if (range_start(request) >= streamed.size()) {
            const_cast<httplib::Request&>(request).ranges.clear();
            response.status = 416;
            return;
        }
        const_cast<httplib::Request&>(request).ranges.clear();
        response.set_chunked_content_provider("application/octet-stream",
                                              [&](std::size_t, httplib::DataSink& sink) {
                                                  sink.write(streamed.data(), streamed.size());
                                                  sink.done();
                                                  return true;
                                              });
    });
    f.server.start();
    auto client = f.client();
    auto const [wanted, claimed] = GENERATE_COPY(table<std::string, std::uint64_t>(
        {{content, 4999}, {content, 5001}, {streamed, 5000}, {streamed, 5002}}));
    CAPTURE(wanted.size(), claimed);
    auto const read = read_blob(client, wanted, claimed);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == Errno::ebadmsg);
}

TEST_CASE("credentials do not follow a redirect to another server", "[registry][client]") {
    Fixture f;
    MockRegistry cdn;
    std::string const content = blob_of(100);
    std::atomic<int> carried{0};
    cdn.get("/cdn", [&](auto const& request, auto& response) {
        carried += request.has_header("Authorization") ? 1 : 0;
        response.set_content(content, "application/octet-stream");
    });
    cdn.start();
    f.server.get("/v2/", [](auto const&, auto&) {});
    f.server.get(blob_path(content), [&](auto const& request, auto& response) {
        if (request.get_header_value("Authorization") != "Basic dTpw") {
            response.status = 401;
            response.set_header("WWW-Authenticate", R"(Basic realm="r")");
            return;
        }
        response.set_redirect(cdn.url("/cdn?signature=x"), 307);
    });
    f.server.start();
    auto client = f.client(Credential{.username = "u", .password = Secret{"p"}});
    auto const read = read_blob(client, content, content.size());
    REQUIRE(read.has_value());
    CHECK(*read == content);
    CHECK(carried == 0);
    CHECK(cdn.requests().size() == 1);
}

TEST_CASE("redirects in a circle and to strange schemes end", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    f.server.get("/v2/demo/manifests/circle", [](auto const&, auto& response) {
        response.set_redirect("/v2/demo/manifests/circle", 302);
    });
    f.server.get("/v2/demo/manifests/file", [](auto const&, auto& response) {
        response.set_redirect("file:///etc/passwd", 302);
    });
    f.server.start();
    auto client = f.client();
    CHECK(client.manifest("circle").error().code == Errno::eloop);
    CHECK(client.manifest("file").error().code == Errno::einval);
}

TEST_CASE("tags are followed from page to page", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    f.server.get("/v2/demo/tags/list", [](auto const& request, auto& response) {
        auto const last = request.get_param_value("last");
        if (last.empty()) {
            response.set_header("Link", R"(</v2/demo/tags/list?last=b&n=2>; rel="next")");
            response.set_content(R"({"name":"demo","tags":["a","b"]})", "application/json");
        } else {
            response.set_content(R"({"name":"demo","tags":["c","bad tag"]})", "application/json");
        }
    });
    f.server.start();
    auto client = f.client();
    auto const tags = client.tags();
    REQUIRE(tags.has_value());
    CHECK(*tags == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("pages in a circle, to other servers, and what is no list end", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    auto const [link, body, code] = GENERATE(table<std::string, std::string, Errno>({
        {"</v2/demo/tags/list>; rel=next", R"({"tags":["a"]})", Errno::eloop},
        {"<http://127.0.0.1:1/x>; rel=next", R"({"tags":["a"]})", Errno::eloop},
        {"<file:///x>; rel=next", R"({"tags":["a"]})", Errno::einval},
        {"", "<html>", Errno::einval},
        {"", R"({"tags":"a"})", Errno::einval},
        {"", "[]", Errno::einval},
    }));
    CAPTURE(link, body);
    f.server.get("/v2/demo/tags/list", [&](auto const&, auto& response) {
        if (!link.empty()) {
            response.set_header("Link", link);
        }
        response.set_content(body, "application/json");
    });
    f.server.start();
    auto client = f.client();
    auto const tags = client.tags();
    REQUIRE_FALSE(tags.has_value());
    CHECK(tags.error().code == code);
}

namespace {

// A registry whose tokens hold for one request each, and their server.
struct TokenFixture : Fixture {
    std::atomic<int> issued{0};
    std::atomic<int> used{0};
    std::atomic<bool> deny{false};

    bool lets_in(httplib::Request const& request, httplib::Response& response) {
        bool const right =
            !deny && issued > used &&
            request.get_header_value("Authorization") == "Bearer token" + std::to_string(issued);
        if (!right) {
            response.status = 401;
            response.set_header("WWW-Authenticate",
                                "Bearer realm=\"" + server.url("/token") +
                                    R"(",service="s",scope="repository:demo:pull")");
            response.set_content(
                R"({"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]})",
                "application/json");
            return false;
        }
        used = issued.load();
        return true;
    }

    void serve() {
        auto const guard = [this](auto const& request, auto& response) {
            if (lets_in(request, response)) {
                response.set_content(kManifest, kManifestType);
            }
        };
        server.get("/v2/", guard);
        server.get(kManifestPath, guard);
        auto const issue = [this](auto const&, auto& response) {
            response.set_content(R"({"token":"token)" + std::to_string(++issued) +
                                     R"(","expires_in":1,"refresh_token":"identity"})",
                                 "application/json");
        };
        server.get("/token", issue);
        server.post("/token", issue);
        server.start();
    }
};

}  // namespace

TEST_CASE("a token that has expired is renewed unasked", "[registry][client]") {
    TokenFixture f;
    f.serve();
    auto client = f.client();
    for (int i = 1; i <= 3; ++i) {
        REQUIRE(client.manifest("latest").has_value());
        CHECK(f.issued == i);
    }
    auto const requests = f.server.requests();
    for (auto const& request : requests) {
        if (request.path == "/token") {
            CHECK_FALSE(request.has_header("Authorization"));
            CHECK(request.get_param_value("scope") == "repository:demo:pull");
            CHECK(request.get_param_value("service") == "s");
        }
    }
}

TEST_CASE("a token that expires in the middle of a blob is renewed", "[registry][client]") {
    TokenFixture f;
    std::string const content = blob_of(100'000);
    f.server.get(blob_path(content), [&](httplib::Request const& request, auto& response) {
        std::size_t const start = range_start(request);
        const_cast<httplib::Request&>(request).ranges.clear();
        if (!f.lets_in(request, response)) {
            return;
        }
        if (start > 0) {
            response.status = 206;
            response.set_header("Content-Range",
                                "bytes " + std::to_string(start) + "-99999/100000");
        }
        send_cut(response, content.substr(start), 40'000);
    });
    f.serve();
    auto client = f.client();
    auto const read = read_blob(client, content, content.size());
    REQUIRE(read.has_value());
    CHECK(*read == content);
    CHECK(f.issued == 3);
}

TEST_CASE("the type that a registry tells is taken with care", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    auto const [type, kept] = GENERATE(table<std::string, std::string>(
        {{"application/octet-stream", ""},
         {"text/plain; charset=utf-8", ""},
         {"", ""},
         {"Application/Vnd.OCI.Image.Manifest.v1+JSON; x=y", kManifestType},
         {"application/vnd.docker.distribution.manifest.v1+prettyjws",
          "application/vnd.docker.distribution.manifest.v1+prettyjws"}}));
    CAPTURE(type);
    f.server.get(kManifestPath, [&, served = type](auto const&, auto& response) {
        response.set_content(kManifest, served);
    });
    f.server.start();
    auto client = f.client();
    auto const manifest = client.manifest("latest");
    REQUIRE(manifest.has_value());
    CHECK(manifest->media_type == kept);
}

TEST_CASE("a registry that takes no token is asked a few times only", "[registry][client]") {
    TokenFixture f;
    f.deny = true;
    f.serve();
    auto client = f.client(Credential{.username = "u", .password = Secret{"topsecret"}});
    auto const manifest = client.manifest("latest");
    REQUIRE_FALSE(manifest.has_value());
    CHECK(manifest.error().code == Errno::eacces);
    CHECK_THAT(
        manifest.error().message(),
        Catch::Matchers::StartsWith("pull access denied for demo, repository does not exist"));
    CHECK_THAT(manifest.error().message(),
               !Catch::Matchers::Contains("topsecret") && !Catch::Matchers::Contains("token1"));
    CHECK(f.issued <= 3);
    CHECK(f.log.sleeps.empty());
}

TEST_CASE("an identity token is exchanged by a post, and one that comes is kept",
          "[registry][client]") {
    TokenFixture f;
    f.serve();
    auto client = f.client(Credential{.identity_token = Secret{"mine"}});
    REQUIRE(client.ping().has_value());
    bool posted = false;
    for (auto const& request : f.server.requests()) {
        if (request.method == "POST") {
            posted = true;
            CHECK(request.get_param_value("refresh_token") == "mine");
            CHECK(request.get_param_value("grant_type") == "refresh_token");
        }
    }
    CHECK(posted);
    CHECK(client.identity_token().reveal() == "identity");
}

TEST_CASE("without credentials a basic challenge says what to do", "[registry][client]") {
    Fixture f;
    f.server.get("/v2/.*", [](auto const&, auto& response) {
        response.status = 401;
        response.set_header("WWW-Authenticate", R"(Basic realm="r")");
    });
    f.server.start();
    auto client = f.client();
    CHECK_THAT(client.manifest("latest").error().message(),
               Catch::Matchers::Contains("no basic auth credentials"));
    auto wrong = f.client(Credential{.username = "u", .password = Secret{"wrongone"}});
    auto const refused = wrong.ping();
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message() == "unauthorized: incorrect username or password");
}

TEST_CASE("plain http is not spoken where TLS is demanded", "[registry][client]") {
    Fixture f;
    f.serve_ping();
    f.server.start();
    auto endpoint = test::endpoint_of(f.server.host());
    endpoint.security = Endpoint::Security::verified;
    RegistryClient client{f.http, endpoint, test::client_options(f.log)};
    auto const ping = client.ping();
    REQUIRE_FALSE(ping.has_value());
    CHECK_THAT(ping.error().message(),
               Catch::Matchers::Contains("http: server gave HTTP response to HTTPS client"));
    CHECK(f.server.requests().empty());
}

TEST_CASE("nobody listening is one clear line at once", "[registry][client]") {
    Fixture f;
    RegistryClient gone{f.http, test::endpoint_of("127.0.0.1:1"), test::client_options(f.log)};
    auto const ping = gone.ping();
    REQUIRE_FALSE(ping.has_value());
    CHECK(ping.error().message() == "cannot connect to 127.0.0.1:1: connection refused");
    CHECK(f.log.sleeps.empty());
}

TEST_CASE("an interrupt ends a request that gets no answer", "[registry][client]") {
    MockRegistry server;
    std::atomic<bool> cancel{false};
    server.get("/v2/.*", [&](auto const&, auto& response) {
        response.set_chunked_content_provider(kManifestType,
                                              [&](std::size_t, httplib::DataSink& sink) {
                                                  cancel = true;
                                                  return sink.write(" ", 1);
                                              });
    });
    server.start();
    HttpOptions options;
    options.cancel = &cancel;
    HttpClient http{options};
    test::ClientLog log;
    RegistryClient client{http, test::endpoint_of(server.host()), test::client_options(log)};
    CHECK(client.manifest("latest").error().code == Errno::ecanceled);
}
