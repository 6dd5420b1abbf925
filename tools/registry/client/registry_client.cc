// SPDX-License-Identifier: MIT
#include "tools/registry/client/registry_client.h"

#include "store/base/limits.h"
#include "store/image/manifest.h"
#include "store/image/reference.h"
#include "tools/registry/client/connection.h"
#include "tools/registry/client/retry.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace oblea::registry {

namespace {

std::string accept_manifests() {
    return std::string{"Accept: "} + store::media_type::kOciIndex + ", " +
           store::media_type::kOciManifest + ", " + store::media_type::kDockerIndex + ", " +
           store::media_type::kDockerManifest;
}

bool is_manifest_type(std::string_view type) {
    return type.ends_with("+json") || type.ends_with("+prettyjws");
}

Result<std::string> read_whole(base::ByteSource& stream, std::size_t limit_bytes,
                               std::string_view what) {
    std::string text;
    std::array<std::byte, 16384> buffer{};
    for (;;) {
        std::size_t const count = OBLEA_TRY(stream.read(buffer));
        if (count == 0) {
            return text;
        }
        if (count > limit_bytes - text.size()) {
            return fail(Errno::e2big, "",
                        std::string{what} + ": longer than the " + std::to_string(limit_bytes) +
                            " bytes allowed");
        }
        text += base::text_of(base::ByteView{buffer}.first(count));
    }
}

}  // namespace

RegistryClient::RegistryClient(HttpClient& http, Endpoint endpoint, ClientOptions options)
    : connection_(std::make_unique<Connection>(http, std::move(endpoint), std::move(options))) {}

RegistryClient::~RegistryClient() = default;

Secret RegistryClient::identity_token() const {
    return connection_->identity_token();
}

Status RegistryClient::ping() {
    auto const request = OBLEA_TRY(connection_->request_for("/v2/"));
    auto const stream = OBLEA_TRY(connection_->send(request));
    if (stream->head().status != 200) {
        return connection_->refused(*stream, Wanted::ping, connection_->endpoint().host);
    }
    return {};
}

Result<RemoteManifest> RegistryClient::manifest(std::string const& reference) {
    bool const by_digest = reference.find(':') != std::string::npos;
    std::string const what =
        connection_->options().familiar_repository + (by_digest ? "@" : ":") + reference;
    auto request = OBLEA_TRY(connection_->request_for("/v2/" + connection_->endpoint().repository +
                                                      "/manifests/" + reference));
    request.headers = {accept_manifests()};
    std::string bytes;
    HttpHead head{.status = 0, .headers = {}, .url = request.url};
    for (unsigned attempts = 1;; ++attempts) {
        auto const stream = OBLEA_TRY(connection_->send(request));
        if (stream->head().status != 200) {
            return connection_->refused(*stream, Wanted::manifest, what);
        }
        auto body = read_whole(*stream, limits::kManifestBytesMax, "manifest of " + what);
        if (body.has_value()) {
            bytes = *std::move(body);
            head = stream->head();
            break;
        }
        if (!is_transient(body.error()) ||
            !OBLEA_TRY(connection_->wait(attempts, std::nullopt, body.error().message()))) {
            return std::unexpected<Error>(std::move(body).error());
        }
    }
    RemoteManifest result{.bytes = std::move(bytes),
                          .media_type = media_type_of(head.headers.first("content-type")),
                          .digest = {}};
    if (result.media_type == "text/html") {
        return fail(Errno::einval, "",
                    head.url.for_people() + ": a web page came instead of a manifest; is a proxy "
                                            "or a login page in between?");
    }
    if (!is_manifest_type(result.media_type)) {
        result.media_type.clear();
    }
    result.digest = base::sha256(std::string_view{result.bytes});
    auto const claimed =
        base::Digest::parse(by_digest ? reference : head.headers.first("docker-content-digest"));
    if ((by_digest || claimed.has_value()) && (!claimed.has_value() || *claimed != result.digest)) {
        return fail(Errno::ebadmsg, "",
                    "manifest verification failed for digest " +
                        (claimed.has_value() ? claimed->to_string() : reference) + " of " + what +
                        ": what came is " + result.digest.to_string());
    }
    return result;
}

Result<std::vector<std::string>> RegistryClient::tags() {
    std::string const& name = connection_->options().familiar_repository;
    auto request = OBLEA_TRY(
        connection_->request_for("/v2/" + connection_->endpoint().repository + "/tags/list"));
    std::vector<std::string> tags;
    std::set<std::string> seen{request.url.string()};
    for (;;) {
        auto const stream = OBLEA_TRY(connection_->send(request));
        if (stream->head().status != 200) {
            return connection_->refused(*stream, Wanted::tags, name);
        }
        std::string const body =
            OBLEA_TRY(read_whole(*stream, limits::kTagsPageBytesMax, "tags of " + name));
        auto const document = nlohmann::json::parse(body, nullptr, false);
        auto const list = document.is_object() ? document.find("tags") : document.end();
        bool const valid =
            document.is_object() && list != document.end() && (list->is_null() || list->is_array());
        if (!valid) {
            return fail(Errno::einval, "",
                        stream->head().url.for_people() + ": the answer is not a list of tags");
        }
        for (auto const& tag : *list) {
            // What is no tag could not be pulled, and might be made to harm a terminal.
            if (tag.is_string() && store::Reference::is_valid_tag(tag.get<std::string>())) {
                tags.push_back(tag.get<std::string>());
            }
        }
        if (tags.size() > limits::kTagsMax) {
            return fail(Errno::e2big, "", name + ": more tags than oblea takes");
        }
        auto const next = parse_next_link(stream->head().headers.first("link"));
        if (!next.has_value()) {
            return tags;
        }
        Url const target = OBLEA_TRY(with_context(
            request.url.resolve(*next), [&] { return name + ": the link to more tags is"; }));
        if (!target.same_origin(request.url) || !seen.insert(target.string()).second) {
            return fail(Errno::eloop, "",
                        name + ": the link to more tags leads in a circle or to another server");
        }
        request.url = target;
    }
}

namespace {

std::unexpected<Error> wrong_size(std::string_view blob, std::string_view how,
                                  std::uint64_t bytes) {
    return fail(Errno::ebadmsg, "",
                "blob " + std::string{blob} + " is " + std::string{how} + " than the " +
                    std::to_string(bytes) + " bytes that the manifest says");
}

// A blob's bytes over as many connections as it takes.
class BlobSource final : public base::ByteSource {
public:
    BlobSource(RegistryClient& client, base::Digest const& digest, std::uint64_t bytes,
               std::uint64_t offset)
        : client_(client), digest_(digest), bytes_(bytes), done_(offset), connected_at_(offset) {}

    Result<std::size_t> read(base::MutableBytes buffer) override;
    // Opens the connection, so that what is not there is known early.
    Status connect();

private:
    Result<std::size_t> read_some(base::MutableBytes buffer);
    Status skip(std::uint64_t count);
    [[nodiscard]] std::unexpected<Error> cut() const {
        return fail(network_error::kReset, "",
                    "blob " + digest_.short_hex() + ": the connection was cut after " +
                        std::to_string(done_) + " of " + std::to_string(bytes_) + " bytes");
    }

    RegistryClient& client_;
    base::Digest digest_;
    std::uint64_t bytes_;
    std::uint64_t done_;
    std::uint64_t connected_at_;
    unsigned attempts_ = 0;
    BlobRange range_;
};

Status BlobSource::skip(std::uint64_t count) {
    std::array<std::byte, 65536> buffer{};
    while (count > 0) {
        auto const room = static_cast<std::size_t>(std::min<std::uint64_t>(count, buffer.size()));
        std::size_t const got =
            OBLEA_TRY(range_.stream->read(base::MutableBytes{buffer}.first(room)));
        if (got == 0) {
            return cut();
        }
        count -= got;
    }
    return {};
}

Status BlobSource::connect() {
    range_ = OBLEA_TRY(
        client_.blob_range(digest_, {.begin = done_, .end = bytes_, .total_bytes = bytes_}));
    return skip(done_ - range_.begin);
}

Result<std::size_t> BlobSource::read_some(base::MutableBytes buffer) {
    if (range_.stream == nullptr) {
        OBLEA_TRY(connect());
    }
    if (done_ == bytes_) {
        if (!range_.expect_end().has_value()) {
            return wrong_size(digest_.short_hex(), "longer", bytes_);
        }
        return 0;
    }
    auto const room =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), bytes_ - done_));
    std::size_t const count = OBLEA_TRY(range_.stream->read(buffer.first(room)));
    if (count == 0) {
        return cut();
    }
    done_ += count;
    return count;
}

Result<std::size_t> BlobSource::read(base::MutableBytes buffer) {
    if (buffer.empty()) {
        return 0;
    }
    for (;;) {
        auto count = read_some(buffer);
        if (count.has_value() || !may_be_retried(count.error())) {
            return count;
        }
        range_.stream.reset();
        attempts_ = done_ - connected_at_ >= kProgressBytes ? 1 : attempts_ + 1;
        connected_at_ = done_;
        if (!OBLEA_TRY(client_.wait_to_retry(attempts_, count.error()))) {
            return count;
        }
    }
}

}  // namespace

bool may_be_retried(Error const& error) {
    return is_transient(error) || error.code == network_error::kRefused;
}

Status BlobRange::expect_end() const {
    std::array<std::byte, 1> more{};
    auto const extra = stream->read(more);
    if (extra.has_value() && *extra != 0) {
        return fail(Errno::ebadmsg, "", "more bytes came than the blob has");
    }
    return {};
}

Result<bool> RegistryClient::wait_to_retry(unsigned attempts, Error const& error) {
    return connection_->wait(attempts, std::nullopt, error.message());
}

Result<BlobRange> RegistryClient::blob_range(base::Digest const& digest, BlobPart const& part) {
    std::string const what = connection_->options().familiar_repository + '@' + digest.to_string();
    auto request = OBLEA_TRY(connection_->request_for("/v2/" + connection_->endpoint().repository +
                                                      "/blobs/" + digest.to_string()));
    request.stop = part.stop;
    bool const whole = part.begin == 0 && part.end == part.total_bytes;
    if (!whole) {
        request.headers.push_back("Range: bytes=" + std::to_string(part.begin) + '-' +
                                  std::to_string(part.end - 1));
    }
    auto stream = OBLEA_TRY(connection_->send(request));
    HttpHead const& head = stream->head();
    if (!whole && head.status == 416) {
        return wrong_size(digest.short_hex(), "shorter", part.total_bytes);
    }
    if (!whole && head.status == 206) {
        auto const range = parse_content_range(head.headers.first("content-range"));
        if (!range.has_value() || range->begin != part.begin) {
            return fail(network_error::kProtocol, "",
                        head.url.authority() + ": another range came than was asked for");
        }
        if (range->total_bytes.value_or(part.total_bytes) != part.total_bytes) {
            return wrong_size(digest.short_hex(),
                              *range->total_bytes < part.total_bytes ? "shorter" : "longer",
                              part.total_bytes);
        }
        return BlobRange{.stream = std::move(stream), .begin = part.begin, .to_end = false};
    }
    if (head.status != 200) {
        return connection_->refused(*stream, Wanted::blob, what);
    }
    // Also in answer to a range, from servers that know none.
    auto const length = parse_decimal(head.headers.first("content-length"));
    if (length.has_value() && *length != part.total_bytes) {
        return wrong_size(digest.short_hex(), *length < part.total_bytes ? "shorter" : "longer",
                          part.total_bytes);
    }
    return BlobRange{.stream = std::move(stream), .begin = 0, .to_end = true};
}

Result<std::unique_ptr<base::ByteSource>>
RegistryClient::blob(base::Digest const& digest, std::uint64_t bytes, std::uint64_t offset) {
    auto source = std::make_unique<BlobSource>(*this, digest, bytes, offset);
    OBLEA_TRY(source->connect());
    return std::unique_ptr<base::ByteSource>{std::move(source)};
}

Result<std::string> RegistryClient::blob_bytes(base::Digest const& digest, std::uint64_t bytes) {
    if (bytes > limits::kConfigBytesMax) {
        return fail(Errno::e2big, "",
                    digest.to_string() + ": " + std::to_string(bytes) +
                        " bytes are more than a config may have");
    }
    auto const source = OBLEA_TRY(blob(digest, bytes));
    std::string text = OBLEA_TRY(read_whole(*source, limits::kConfigBytesMax, digest.to_string()));
    if (base::sha256(std::string_view{text}) != digest) {
        return fail(Errno::ebadmsg, "",
                    "image config verification failed for digest " + digest.to_string());
    }
    return text;
}

}  // namespace oblea::registry
