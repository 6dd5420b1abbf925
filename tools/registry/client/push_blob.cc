// SPDX-License-Identifier: MIT
#include "tools/registry/client/push_blob.h"

#include "tools/registry/client/retry.h"

#include <algorithm>

namespace oblea::registry {

namespace {

// What one request may bring where a proxy has refused a larger one.
constexpr std::uint64_t kSmallChunkBytes = 16U << 20U;
constexpr unsigned kUploadsMax = 3;  // begun anew, when the registry has forgotten one

// Counts what passes.
class CountedSource final : public base::ByteSource {
public:
    CountedSource(std::unique_ptr<base::ByteSource> source, std::uint64_t offset,
                  std::atomic<std::uint64_t>* sent)
        : source_(std::move(source)), done_(offset), sent_(sent) {}

    Result<std::size_t> read(base::MutableBytes buffer) override {
        std::size_t const count = OBLEA_TRY(source_->read(buffer));
        done_ += count;
        if (sent_ != nullptr) {
            sent_->store(done_, std::memory_order_relaxed);
        }
        return count;
    }

private:
    std::unique_ptr<base::ByteSource> source_;
    std::uint64_t done_;
    std::atomic<std::uint64_t>* sent_;
};

bool is_success(unsigned status) {
    return status / 100 == 2;
}

class Uploader {
public:
    Uploader(Connection& connection, BlobUpload const& upload)
        : connection_(connection), upload_(upload),
          path_("/v2/" + connection.endpoint().repository + "/blobs/"),
          what_(connection.endpoint().repository + '@' + upload.digest.to_string()) {}

    Result<PushedBlob> run();

private:
    using Stream = std::unique_ptr<HttpStream>;

    Result<bool> is_there();
    // The place of an upload, or nothing after a mount.
    Result<std::optional<Url>> mount(std::string const& from);
    Result<Url> begin();
    Status send_all(Url location);
    Result<Stream> send_chunk(Url const& location, std::uint64_t chunk_bytes);
    // How much the registry has of an upload; nothing when it knows none.
    Result<std::optional<std::uint64_t>> resume(Url& location);
    Status finish(Url const& location);
    Result<Url> location_of(HttpHead const& head) const;
    [[nodiscard]] std::unexpected<Error> refused(HttpStream& stream) const {
        return connection_.refused(stream, Wanted::push, what_);
    }

    Connection& connection_;
    BlobUpload const& upload_;
    std::string path_;
    std::string what_;
    std::uint64_t done_ = 0;  // bytes that the registry has
};

Result<bool> Uploader::is_there() {
    HttpRequest request = OBLEA_TRY(connection_.request_for(path_ + upload_.digest.to_string()));
    request.method = HttpRequest::Method::head;
    auto const stream = OBLEA_TRY(connection_.send(request));
    // What a registry refuses to tell, the upload will.
    return stream->head().status == 200;
}

// Relative or absolute, with a query that has to be kept. Registries behind a proxy that speaks TLS
// for them may name themselves by plain http: what began in secret goes on in secret.
Result<Url> Uploader::location_of(HttpHead const& head) const {
    std::string const field = head.headers.first("location");
    if (field.empty()) {
        return fail(network_error::kProtocol, "",
                    head.url.authority() + ": the registry does not say where to upload to");
    }
    Url const target = OBLEA_TRY(with_context(head.url.resolve(field), [&] {
        return head.url.authority() + ": the place to upload to is";
    }));
    if (head.url.scheme() == Url::Scheme::https && target.scheme() == Url::Scheme::http) {
        if (target.host() != head.url.host()) {
            return fail(network_error::kProtocol, "",
                        head.url.authority() + ": the place to upload to is plain http (" +
                            target.authority() + ")");
        }
        std::string const text = target.string();
        auto const path = text.find('/', std::string_view{"http://"}.size());
        return head.url.resolve(path == std::string::npos ? "/" : text.substr(path));
    }
    return target;
}

Result<std::optional<Url>> Uploader::mount(std::string const& from) {
    HttpRequest request = OBLEA_TRY(connection_.request_for(path_ + "uploads/"));
    request.method = HttpRequest::Method::post;
    request.url = request.url.with_query({{"mount", upload_.digest.to_string()}, {"from", from}});
    auto const stream = connection_.send_once(request, "repository:" + from + ":pull");
    if (!stream.has_value()) {
        // A token server may refuse the other repository altogether: then it is uploaded.
        return std::optional{OBLEA_TRY(begin())};
    }
    unsigned const status = (*stream)->head().status;
    if (status == 201) {
        return std::optional<Url>{};
    }
    return std::optional{status == 202 ? OBLEA_TRY(location_of((*stream)->head()))
                                       : OBLEA_TRY(begin())};
}

Result<Url> Uploader::begin() {
    HttpRequest request = OBLEA_TRY(connection_.request_for(path_ + "uploads/"));
    request.method = HttpRequest::Method::post;
    auto const stream = OBLEA_TRY(connection_.send(request));
    if (stream->head().status != 202) {
        return refused(*stream);
    }
    return location_of(stream->head());
}

Result<Uploader::Stream> Uploader::send_chunk(Url const& location, std::uint64_t chunk_bytes) {
    std::uint64_t const bytes = std::min(chunk_bytes, upload_.bytes - done_);
    HttpRequest request{.method = HttpRequest::Method::patch, .url = location};
    request.headers = {"Content-Type: application/octet-stream"};
    if (done_ > 0 || bytes < upload_.bytes) {
        request.headers.push_back("Content-Range: " + std::to_string(done_) + '-' +
                                  std::to_string(done_ + bytes - 1));
    }
    auto const open = [this, offset = done_]() -> Result<std::unique_ptr<base::ByteSource>> {
        auto source = OBLEA_TRY(upload_.open(offset));
        return std::make_unique<CountedSource>(std::move(source), offset, upload_.progress_bytes);
    };
    request.body = HttpBody{.bytes = bytes, .open = open};
    auto stream = OBLEA_TRY(connection_.send_once(std::move(request)));
    if (stream->head().status == 202 || stream->head().status == 201 ||
        stream->head().status == 204) {
        done_ += bytes;
    }
    return stream;
}

Result<std::optional<std::uint64_t>> Uploader::resume(Url& location) {
    auto const stream = OBLEA_TRY(connection_.send({.url = location}));
    if (stream->head().status == 404) {
        return std::optional<std::uint64_t>{};
    }
    if (!is_success(stream->head().status)) {
        return refused(*stream);
    }
    if (!stream->head().headers.first("location").empty()) {
        location = OBLEA_TRY(location_of(stream->head()));
    }
    std::uint64_t const has = parse_upload_range(stream->head().headers.first("range"));
    if (has > upload_.bytes) {
        return fail(network_error::kProtocol, "",
                    what_ + ": the registry says that it has more than was sent");
    }
    return std::optional{has};
}

Status Uploader::send_all(Url location) {
    std::uint64_t chunk_bytes = std::max<std::uint64_t>(upload_.bytes, 1);
    std::uint64_t sent_before = 0;
    unsigned attempts = 0;
    for (unsigned uploads = 1; done_ < upload_.bytes;) {
        auto const stream = send_chunk(location, chunk_bytes);
        std::string why;
        std::optional<std::uint64_t> retry_after;
        if (stream.has_value()) {
            HttpHead const& head = (*stream)->head();
            if (is_success(head.status)) {
                location = OBLEA_TRY(location_of(head));
                continue;
            }
            bool const too_large = head.status == 413 && chunk_bytes > kSmallChunkBytes;
            if (too_large) {
                chunk_bytes = kSmallChunkBytes;
            } else if (!is_transient_status(head.status) && head.status != 416) {
                return refused(**stream);
            }
            why = what_ + ": status " + std::to_string(head.status);
            retry_after = parse_retry_after(head.headers.first("retry-after"));
        } else if (is_transient(stream.error())) {
            why = stream.error().message();
        } else {
            return std::unexpected<Error>(stream.error());
        }
        attempts = done_ - sent_before >= kProgressBytes ? 1 : attempts + 1;
        sent_before = done_;
        if (!OBLEA_TRY(connection_.wait(attempts, retry_after, why))) {
            return stream.has_value() ? Status{refused(**stream)}
                                      : Status{std::unexpected<Error>(stream.error())};
        }
        auto const has = OBLEA_TRY(resume(location));
        if (!has.has_value()) {
            if (uploads++ == kUploadsMax) {
                return fail(Errno::eio, "", what_ + ": the registry forgets what was uploaded");
            }
            location = OBLEA_TRY(begin());
        }
        done_ = has.value_or(0);
    }
    return finish(location);
}

Status Uploader::finish(Url const& location) {
    HttpRequest const request{.method = HttpRequest::Method::put,
                              .url = location.with_query({{"digest", upload_.digest.to_string()}})};
    auto const stream = OBLEA_TRY(connection_.send(request));
    if (is_success(stream->head().status)) {
        return {};
    }
    // The answer to a first try may have been lost on its way.
    if (stream->head().status == 404 && OBLEA_TRY(is_there())) {
        return {};
    }
    return refused(*stream);
}

Result<PushedBlob> Uploader::run() {
    using Outcome = PushedBlob::Outcome;
    if (OBLEA_TRY(is_there())) {
        return PushedBlob{.outcome = Outcome::present};
    }
    if (!upload_.mount_from.empty()) {
        std::string const& from = upload_.mount_from.front();
        auto const location = OBLEA_TRY(mount(from));
        if (!location.has_value()) {
            return PushedBlob{.outcome = Outcome::mounted, .mounted_from = from};
        }
        OBLEA_TRY(send_all(*location));
        return PushedBlob{.outcome = Outcome::uploaded};
    }
    Url const location = OBLEA_TRY(begin());
    OBLEA_TRY(send_all(location));
    return PushedBlob{.outcome = Outcome::uploaded};
}

}  // namespace

std::string words_for(PushedBlob const& pushed, char const* uploaded) {
    switch (pushed.outcome) {
    case PushedBlob::Outcome::present:
        return "Layer already exists";
    case PushedBlob::Outcome::mounted:
        return "Mounted from " + pushed.mounted_from;
    case PushedBlob::Outcome::uploaded:
        break;
    }
    return uploaded;
}

std::uint64_t parse_upload_range(std::string_view field) {
    if (field.starts_with("bytes=")) {
        field.remove_prefix(6);
    }
    if (!field.starts_with("0-")) {
        return 0;
    }
    auto const last = parse_decimal(field.substr(2));
    // "0-0" is what an upload has of which nothing has come, too: one byte more is sent again.
    return last.has_value() && *last > 0 ? *last + 1 : 0;
}

Result<PushedBlob> push_blob(Connection& connection, BlobUpload const& upload) {
    Uploader uploader{connection, upload};
    return uploader.run();
}

Status push_manifest(Connection& connection, std::string const& reference, std::string const& bytes,
                     std::string const& media_type) {
    HttpRequest request = OBLEA_TRY(connection.request_for(
        "/v2/" + connection.endpoint().repository + "/manifests/" + reference));
    request.method = HttpRequest::Method::put;
    request.headers = {"Content-Type: " + media_type};
    auto const open = [&bytes]() -> Result<std::unique_ptr<base::ByteSource>> {
        return std::make_unique<base::MemorySource>(base::bytes_of(std::string_view{bytes}));
    };
    request.body = HttpBody{.bytes = bytes.size(), .open = open};
    auto const stream = OBLEA_TRY(connection.send(request));
    std::string const what = connection.options().familiar_repository + ':' + reference;
    if (!is_success(stream->head().status)) {
        return connection.refused(*stream, Wanted::push, what);
    }
    std::string const digest = stream->head().headers.first("docker-content-digest");
    std::string const expected = base::sha256(std::string_view{bytes}).to_string();
    if (!digest.empty() && digest != expected) {
        return fail(Errno::ebadmsg, "",
                    what + ": the registry made " + printable(digest) + " of the manifest " +
                        expected);
    }
    return {};
}

}  // namespace oblea::registry
