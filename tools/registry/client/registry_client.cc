// SPDX-License-Identifier: MIT
#include "tools/registry/client/registry_client.h"

#include "store/base/limits.h"
#include "store/image/manifest.h"
#include "store/image/reference.h"
#include "tools/registry/client/connection.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace oblea::registry {

namespace {

// A connection that brought this much before it was cut counts as a good one.
constexpr std::uint64_t kProgressBytes = 1U << 20U;

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

// A blob's bytes over as many connections as it takes.
class BlobSource final : public base::ByteSource {
public:
    using Open = std::function<Result<std::unique_ptr<HttpStream>>(std::uint64_t offset)>;
    using Wait = std::function<Result<bool>(unsigned attempts, std::string const& why)>;

    BlobSource(std::string name, std::uint64_t bytes, Open open, Wait wait)
        : name_(std::move(name)), bytes_(bytes), open_(std::move(open)), wait_(std::move(wait)) {}

    Result<std::size_t> read(base::MutableBytes buffer) override;
    // Opens the connection, so that what is not there is known early.
    Status connect();

private:
    Result<std::size_t> read_some(base::MutableBytes buffer);
    Status skip(std::uint64_t count);
    [[nodiscard]] std::unexpected<Error> wrong_size(std::string_view how) const {
        return fail(Errno::ebadmsg, "",
                    "blob " + name_ + " is " + std::string{how} + " than the " +
                        std::to_string(bytes_) + " bytes that the manifest says");
    }
    [[nodiscard]] std::unexpected<Error> cut() const {
        return fail(network_error::kReset, "",
                    "blob " + name_ + ": the connection was cut after " + std::to_string(done_) +
                        " of " + std::to_string(bytes_) + " bytes");
    }

    std::string name_;
    std::uint64_t bytes_;
    std::uint64_t done_ = 0;
    std::uint64_t connected_at_ = 0;
    unsigned attempts_ = 0;
    Open open_;
    Wait wait_;
    std::unique_ptr<HttpStream> stream_;
};

Status BlobSource::skip(std::uint64_t count) {
    std::array<std::byte, 65536> buffer{};
    while (count > 0) {
        auto const room = static_cast<std::size_t>(std::min<std::uint64_t>(count, buffer.size()));
        std::size_t const got = OBLEA_TRY(stream_->read(base::MutableBytes{buffer}.first(room)));
        if (got == 0) {
            return cut();
        }
        count -= got;
    }
    return {};
}

Status BlobSource::connect() {
    stream_ = OBLEA_TRY(open_(done_));
    HttpHead const& head = stream_->head();
    if (done_ > 0 && head.status == 416) {
        return wrong_size("shorter");
    }
    if (done_ > 0 && head.status == 206) {
        if (parse_content_range_start(head.headers.first("content-range")) != done_) {
            return fail(network_error::kProtocol, "",
                        head.url.authority() + ": another range came than was asked for");
        }
        return {};
    }
    // Also in answer to a range, from servers that know none: what we have already is skipped.
    auto const length = parse_decimal(head.headers.first("content-length"));
    if (length.has_value() && *length != bytes_) {
        return wrong_size(*length < bytes_ ? "shorter" : "longer");
    }
    return skip(done_);
}

Result<std::size_t> BlobSource::read_some(base::MutableBytes buffer) {
    if (stream_ == nullptr) {
        OBLEA_TRY(connect());
    }
    if (done_ == bytes_) {
        std::array<std::byte, 1> more{};
        auto const extra = stream_->read(more);
        return extra.has_value() && *extra != 0 ? Result<std::size_t>{wrong_size("longer")}
                                                : Result<std::size_t>{0};
    }
    auto const room =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), bytes_ - done_));
    std::size_t const count = OBLEA_TRY(stream_->read(buffer.first(room)));
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
        if (count.has_value() || !is_transient(count.error())) {
            return count;
        }
        stream_.reset();
        attempts_ = done_ - connected_at_ >= kProgressBytes ? 1 : attempts_ + 1;
        connected_at_ = done_;
        if (!OBLEA_TRY(wait_(attempts_, count.error().message()))) {
            return count;
        }
    }
}

}  // namespace

Result<std::unique_ptr<base::ByteSource>> RegistryClient::blob(base::Digest const& digest,
                                                               std::uint64_t bytes) {
    std::string const what = connection_->options().familiar_repository + '@' + digest.to_string();
    auto const request = OBLEA_TRY(connection_->request_for(
        "/v2/" + connection_->endpoint().repository + "/blobs/" + digest.to_string()));
    auto const open = [connection = connection_.get(), request,
                       what](std::uint64_t offset) -> Result<std::unique_ptr<HttpStream>> {
        HttpRequest ranged = request;
        if (offset > 0) {
            ranged.headers.push_back("Range: bytes=" + std::to_string(offset) + '-');
        }
        auto stream = OBLEA_TRY(connection->send(ranged));
        unsigned const status = stream->head().status;
        bool const right = status == 200 || (offset > 0 && (status == 206 || status == 416));
        if (!right) {
            return connection->refused(*stream, Wanted::blob, what);
        }
        return stream;
    };
    auto const wait = [connection = connection_.get()](unsigned attempts, std::string const& why) {
        return connection->wait(attempts, std::nullopt, why);
    };
    auto source = std::make_unique<BlobSource>(digest.short_hex(), bytes, open, wait);
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
