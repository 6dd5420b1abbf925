// SPDX-License-Identifier: MIT
// Downloads that are cut, resumed and shared, and what is planned for them.
#include "tools/registry/download/downloads.h"

#include "store/base/boot_id.h"
#include "store/layer/layout.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/registry/mock_registry.h"

#include <chrono>
#include <condition_variable>
#include <set>
#include <thread>

using namespace oblea;
using namespace oblea::registry;
using test::MockRegistry;
using Part = DownloadState::Part;
using Ranges = DownloadState::Ranges;

namespace {

constexpr std::uint64_t kPart = PartialBlob::kPartBytes;

std::string blob_of(std::size_t bytes) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
        text[i] = static_cast<char>((i * 2654435761U) >> 13U);
    }
    return text;
}

// A folder with the part of a store that downloads use.
struct Root {
    test::TempDir temp;
    base::UniqueFd fd;
    Root() {
        REQUIRE(base::sys::mkdir_all(temp / "tmp", 0700).has_value());
        fd = base::sys::open(temp.path(), O_RDONLY | O_DIRECTORY).value();
    }
    [[nodiscard]] std::unique_ptr<PartialBlob> open(std::string const& content,
                                                    std::string boot = std::string(36, 'a')) const {
        return PartialBlob::open({.root = fd.get(),
                                  .digest = base::sha256(std::string_view{content}),
                                  .bytes = content.size(),
                                  .boot_id = std::move(boot)})
            .value();
    }
    [[nodiscard]] std::size_t files() const {
        auto const folder = base::sys::open(temp / "tmp", O_RDONLY | O_DIRECTORY).value();
        return base::sys::list_dir(folder.get())->size();
    }
};

void append(PartialBlob& blob, std::size_t part, std::string const& content, std::size_t bytes) {
    auto const begin = blob.part_begin(part) + blob.part_done(part);
    auto const text = std::string_view{content}.substr(begin, bytes);
    REQUIRE(blob.append(part, base::bytes_of(text)).has_value());
}

std::string read_all(base::ByteSource& source) {
    std::string text;
    base::Bytes buffer(300'000);
    for (;;) {
        auto const count = source.read(buffer);
        REQUIRE(count.has_value());
        if (*count == 0) {
            return text;
        }
        text += base::text_of(base::ByteView{buffer}.first(*count));
    }
}

// A registry with one blob.
struct BlobServer {
    MockRegistry server;
    HttpClient http{HttpOptions{}};
    test::ClientLog log;
    std::string content;
    std::atomic<std::uint64_t> sent{0};
    std::mutex mutex;
    std::vector<std::string> ranges;  // as asked for
    bool knows_ranges = true;

    explicit BlobServer(std::string text) : content(std::move(text)) {
        server.get("/v2/", [](auto const&, auto&) {});
        server.get(
            "/v2/demo/blobs/" + digest().to_string(),
            [this](httplib::Request const& request, auto& response) { answer(request, response); });
        server.start();
    }
    [[nodiscard]] store::Digest digest() const { return base::sha256(std::string_view{content}); }

    // httplib would serve ranges by itself: the header is hidden from it.
    void answer(httplib::Request const& request, httplib::Response& response) {
        std::string const field = request.get_header_value("Range");
        const_cast<httplib::Request&>(request).ranges.clear();
        {
            std::lock_guard const lock{mutex};
            ranges.push_back(field);
        }
        std::size_t begin = 0;
        std::size_t end = content.size();
        if (!field.empty() && knows_ranges) {
            begin = std::stoul(field.substr(6));
            end = std::stoul(field.substr(field.find('-') + 1)) + 1;
            response.status = 206;
            response.set_header("Content-Range", "bytes " + std::to_string(begin) + '-' +
                                                     std::to_string(end - 1) + '/' +
                                                     std::to_string(content.size()));
        }
        sent += end - begin;
        response.set_content(content.substr(begin, end - begin), "application/octet-stream");
    }
    Downloads::Clients clients() {
        Downloads::Clients list;
        list.push_back(std::make_unique<RegistryClient>(http, test::endpoint_of(server.host()),
                                                        test::client_options(log)));
        return list;
    }
};

}  // namespace

TEST_CASE("each blob gets a connection before any gets a second", "[registry][download]") {
    using enum Part;
    std::vector<DownloadState> blobs{
        {.ranges = Ranges::known, .parts = {done, active, missing}},
        {.ranges = Ranges::unknown, .parts = {missing, missing}},
        {.ranges = Ranges::unknown, .parts = {done}},
    };
    auto const take = [&] {
        auto const next = plan_part(blobs);
        if (next.has_value()) {
            blobs[next->blob].parts[next->part] = active;
        }
        return next;
    };
    CHECK(take() == NextPart{.blob = 1, .part = 0});
    CHECK(take() == NextPart{.blob = 0, .part = 2});
    // Whether the server knows ranges is found out by the first part.
    CHECK(take() == std::nullopt);
    blobs[1].ranges = Ranges::none;
    CHECK(take() == std::nullopt);
    blobs[1].ranges = Ranges::known;
    CHECK(take() == NextPart{.blob = 1, .part = 1});
}

TEST_CASE("what has come is there for the next process", "[registry][download]") {
    Root const root;
    std::string const content = blob_of(kPart + 1000);
    {
        auto const blob = root.open(content);
        append(*blob, 1, content, 1000);
        REQUIRE(blob->make_durable().has_value());
        append(*blob, 0, content, 5000);
        CHECK(blob->readable_from(4000) == 1000);
        CHECK(blob->readable_from(5000) == 0);
        CHECK(blob->readable_from(kPart + 10) == 990);
        CHECK_FALSE(blob->is_complete());
    }
    SECTION("in the same boot all of it") {
        auto const blob = root.open(content);
        CHECK(blob->resumed_bytes() == 6000);
        append(*blob, 0, content, kPart - 5000);
        CHECK(blob->is_complete());
        CHECK(blob->verify().value());
    }
    SECTION("after another boot what was synced") {
        auto const blob = root.open(content, std::string(36, 'b'));
        CHECK(blob->part_done(0) == 0);
        CHECK(blob->part_done(1) == 1000);
    }
    SECTION("nothing when the map is damaged or of another blob") {
        auto const map = root.temp / store::layout::download(base::sha256(content)) + ".map";
        auto const fd = base::sys::open(map, O_RDWR).value();
        REQUIRE(base::sys::pwrite_all(fd.get(), base::bytes_of("X"), GENERATE(0U, 9U)).has_value());
        CHECK(root.open(content)->resumed_bytes() == 0);
    }
    SECTION("nothing of a file that is shorter than the map says") {
        auto const path = root.temp / store::layout::download(base::sha256(content));
        auto const fd = base::sys::open(path, O_RDWR).value();
        REQUIRE(base::sys::ftruncate(fd.get(), 100).has_value());
        CHECK(root.open(content)->resumed_bytes() == 0);
    }
}

TEST_CASE("a download that another one has begun is not shared while it runs",
          "[registry][download]") {
    Root const root;
    std::string const content = blob_of(1000);
    auto const first = root.open(content);
    auto const second = root.open(content);
    CHECK_FALSE(first->path().empty());
    CHECK(second->path().empty());
    append(*first, 0, content, 500);
    CHECK(second->done_bytes() == 0);
    append(*second, 0, content, 1000);
    CHECK(second->verify().value());
}

TEST_CASE("a download of which nothing came leaves no files", "[registry][download]") {
    Root const root;
    root.open(blob_of(10)).reset();
    CHECK(root.files() == 0);
}

TEST_CASE("a large blob comes in ranges, by several connections", "[registry][download]") {
    Root const root;
    BlobServer server{blob_of((3 * kPart) + 7)};
    auto const clients = server.clients();
    Downloads downloads{clients, {.root = root.fd.get(), .connections = 3}};
    auto const opened = downloads.open(server.digest(), server.content.size());
    REQUIRE(opened.has_value());
    CHECK(read_all(*opened->source) == server.content);
    CHECK(server.sent == server.content.size());
    CHECK(std::set<std::string>(server.ranges.begin(), server.ranges.end()).size() == 4);
    CHECK(downloads.finish().has_value());
    CHECK(root.files() == 0);
}

TEST_CASE("what has come is brought to disk while nobody waits for it", "[registry][download]") {
    Root const root;
    BlobServer server{blob_of(kPart + 7)};
    auto const clients = server.clients();
    {
        Downloads downloads{clients,
                            {.root = root.fd.get(), .durable_every = std::chrono::milliseconds{1}}};
        auto const opened = downloads.open(server.digest(), server.content.size());
        REQUIRE(opened.has_value());
        CHECK(read_all(*opened->source) == server.content);
        auto const map =
            base::sys::open(root.temp / (opened->path + ".map"), O_RDONLY | O_CLOEXEC).value();
        // The counts of what is durable, behind a header of 64 bytes. FORMAT.md "Downloads".
        auto const durable = [&] {
            base::Bytes entries(32);
            REQUIRE(base::sys::pread_full(map.get(), entries, 64).value() == entries.size());
            return base::load_le<std::uint64_t>(&entries[8]) +
                   base::load_le<std::uint64_t>(&entries[24]);
        };
        auto const deadline = std::chrono::steady_clock::now() + std::chrono::minutes{1};
        while (durable() < server.content.size() && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
        CHECK(durable() == server.content.size());
    }
    CHECK(root.open(server.content, std::string(36, 'b'))->is_complete());
}

TEST_CASE("a server without ranges sends a blob once, and the rest of it again after a cut",
          "[registry][download]") {
    Root const root;
    BlobServer server{blob_of((2 * kPart) + 7)};
    server.knows_ranges = false;
    bool const resumed = GENERATE(false, true);
    if (resumed) {
        auto const blob = root.open(server.content, base::boot_id());
        append(*blob, 0, server.content, 1'000'000);
    }
    auto const clients = server.clients();
    Downloads downloads{clients, {.root = root.fd.get(), .connections = 3}};
    auto const opened = downloads.open(server.digest(), server.content.size());
    REQUIRE(opened.has_value());
    CHECK(read_all(*opened->source) == server.content);
    CHECK(server.ranges.size() == 1);
}

TEST_CASE("only what is missing is asked for", "[registry][download]") {
    Root const root;
    BlobServer server{blob_of(kPart + 1000)};
    {
        auto const blob = root.open(server.content, base::boot_id());
        append(*blob, 0, server.content, 5000);
        append(*blob, 1, server.content, 1000);
    }
    auto const clients = server.clients();
    Downloads downloads{clients, {.root = root.fd.get()}};
    auto const opened = downloads.open(server.digest(), server.content.size());
    REQUIRE(opened.has_value());
    CHECK(read_all(*opened->source) == server.content);
    CHECK(server.sent == server.content.size() - 6000);
}

TEST_CASE("a blob that does not end, or ends too soon, is refused", "[registry][download]") {
    Root const root;
    std::string const content = blob_of(1000);
    std::size_t const streamed = GENERATE(as<std::size_t>{}, 999, 1001, 50U << 20U);
    CAPTURE(streamed);
    MockRegistry server;
    HttpClient http{HttpOptions{}};
    test::ClientLog log;
    server.get("/v2/", [](auto const&, auto&) {});
    server.get("/v2/demo/blobs/.*", [&](httplib::Request const& request, auto& response) {
        const_cast<httplib::Request&>(request).ranges.clear();
        if (request.has_header("Range")) {
            response.status = 416;
            return;
        }
        response.set_chunked_content_provider(
            "application/octet-stream", [&](std::size_t offset, httplib::DataSink& sink) {
                std::string const piece(std::min<std::size_t>(streamed - offset, 65536), 'x');
                bool const taken = sink.write(piece.data(), piece.size());
                if (offset + piece.size() == streamed) {
                    sink.done();
                }
                return taken;
            });
    });
    server.start();
    Downloads::Clients clients;
    clients.push_back(std::make_unique<RegistryClient>(http, test::endpoint_of(server.host()),
                                                       test::client_options(log)));
    Downloads downloads{clients, {.root = root.fd.get(), .connections = 1}};
    auto const opened = downloads.open(base::sha256(std::string_view{content}), content.size());
    REQUIRE(opened.has_value());
    base::Bytes buffer(4096);
    Result<std::size_t> count{1};
    std::size_t total = 0;
    while (count.has_value() && *count > 0 && total < content.size()) {
        count = opened->source->read(buffer);
        total += count.value_or(0);
    }
    // What is too long has all its bytes; its digest tells.
    CHECK((streamed > 1000 ? count.has_value()
                           : !count.has_value() && count.error().code == Errno::ebadmsg));
    static_cast<void>(downloads.discard_wrong());
    CHECK(root.files() == 0);
}

TEST_CASE("a server that falls silent is asked again for the rest", "[registry][download]") {
    Root const root;
    std::string const content = blob_of(100'000);
    MockRegistry server;
    HttpClient http{HttpOptions{.stall_timeout_s = 1}};
    test::ClientLog log;
    std::mutex mutex;
    std::condition_variable asked_again;
    bool silent_no_more = false;
    std::string second_range;
    server.get("/v2/", [](auto const&, auto&) {});
    server.get("/v2/demo/blobs/.*", [&](httplib::Request const& request, auto& response) {
        const_cast<httplib::Request&>(request).ranges.clear();
        std::string const range = request.get_header_value("Range");
        if (!range.empty()) {
            std::lock_guard const lock{mutex};
            second_range = range;
            silent_no_more = true;
            asked_again.notify_all();
            response.status = 206;
            response.set_header("Content-Range", "bytes 30000-99999/100000");
            response.set_content(content.substr(30'000), "application/octet-stream");
            return;
        }
        response.set_content_provider(
            content.size(), "application/octet-stream",
            [&](std::size_t offset, std::size_t, httplib::DataSink& sink) {
                if (offset < 30'000) {
                    return sink.write(content.data() + offset, 30'000 - offset);
                }
                std::unique_lock lock{mutex};
                asked_again.wait(lock, [&] { return silent_no_more; });
                return false;
            });
    });
    server.start();
    Downloads::Clients clients;
    clients.push_back(std::make_unique<RegistryClient>(http, test::endpoint_of(server.host()),
                                                       test::client_options(log)));
    Downloads downloads{clients, {.root = root.fd.get(), .connections = 1}};
    auto const opened = downloads.open(base::sha256(std::string_view{content}), content.size());
    REQUIRE(opened.has_value());
    CHECK(read_all(*opened->source) == content);
    CHECK(second_range == "bytes=30000-99999");
}

TEST_CASE("another place is asked when one has no such blob", "[registry][download]") {
    Root const root;
    BlobServer server{blob_of(1000)};
    MockRegistry mirror;
    mirror.get("/v2/", [](auto const&, auto&) {});
    mirror.start();
    auto clients = server.clients();
    clients.insert(clients.begin(),
                   std::make_unique<RegistryClient>(server.http, test::endpoint_of(mirror.host()),
                                                    test::client_options(server.log)));
    Downloads downloads{clients, {.root = root.fd.get()}};
    auto const opened = downloads.open(server.digest(), server.content.size());
    REQUIRE(opened.has_value());
    CHECK(read_all(*opened->source) == server.content);
}

TEST_CASE("wrong bytes are removed, and worth another try when they were old",
          "[registry][download]") {
    Root const root;
    BlobServer server{blob_of(1000)};
    bool const old = GENERATE(false, true);
    std::string const wrong = blob_of(999) + "x";
    if (old) {
        auto const blob = root.open(server.content, base::boot_id());
        append(*blob, 0, wrong, 1000);
    } else {
        // What is served is not what the digest says.
        server.content[5] ^= 1;
    }
    auto const digest = base::sha256(std::string_view{old ? server.content : blob_of(1000)});
    auto const clients = server.clients();
    Downloads downloads{clients, {.root = root.fd.get()}};
    auto const opened = downloads.open(digest, 1000);
    REQUIRE(opened.has_value());
    read_all(*opened->source);
    CHECK(downloads.discard_wrong().value() == old);
    CHECK(root.files() == 0);
}
