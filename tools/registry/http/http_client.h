// SPDX-License-Identifier: MIT
// HTTP requests by libcurl: answers as streams that are pulled.
//
// One client may be used from any thread; each request has a connection of its own while it runs
// (HTTP/2 where the server offers it), which the next one uses again. What comes is bounded: header
// fields by limits.h, bodies by who reads them. A client never waits for ever: a connection that
// does not come about or brings next to nothing for a minute is an error.
#pragma once
#include "store/base/byte_source.h"
#include "store/base/error.h"
#include "tools/registry/http/headers.h"
#include "tools/registry/http/url.h"
#include "tools/registry/secret.h"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace oblea::registry {

// The codes of errors between us and a server. Names for errno values, as Errno has them.
namespace network_error {
inline constexpr auto kReset = static_cast<Errno>(ECONNRESET);
inline constexpr auto kRefused = static_cast<Errno>(ECONNREFUSED);
inline constexpr auto kTimedOut = static_cast<Errno>(ETIMEDOUT);
inline constexpr auto kNoHost = static_cast<Errno>(EHOSTUNREACH);
inline constexpr auto kProtocol = static_cast<Errno>(EPROTO);
}  // namespace network_error

// How a server proves who it is, and we to it.
struct TlsTrust {
    enum class Verify { no, yes };
    Verify verify = Verify::yes;
    std::string extra_ca_pem;        // beside those of the system
    std::string client_certificate;  // paths of files; both or none
    std::string client_key;
};

// What a request sends.
struct HttpBody {
    std::uint64_t bytes = 0;
    // Called for each attempt. The source gives at least `bytes` bytes.
    std::function<Result<std::unique_ptr<base::ByteSource>>()> open;
};

struct HttpRequest {
    enum class Method { get, head, post, put, patch, remove };
    Method method = Method::get;
    Url url;
    std::vector<std::string> headers{};       // "Accept: a/b", without secrets
    Secret authorization{};                   // the value of the Authorization field
    Secret form{};                            // the body of a post
    std::optional<HttpBody> body{};           // of put and patch; without one it is empty
    std::atomic<bool> const* stop = nullptr;  // as HttpOptions::cancel, for this one
};

struct HttpHead {
    unsigned status = 0;
    Headers headers;
    Url url;  // that answered, after redirects
};

// An answer whose body is still to come. Errors of read(): ECONNRESET when the connection was cut
// before the end, ETIMEDOUT when nothing comes, ECANCELED.
class HttpStream : public base::ByteSource {
public:
    [[nodiscard]] virtual HttpHead const& head() const = 0;
};

struct HttpResponse {
    HttpHead head;
    std::string body;
};

struct HttpOptions {
    std::string user_agent = "oblea";
    std::function<Result<TlsTrust>(Url const&)> trust{};  // for each server; empty: the system's
    std::atomic<bool> const* cancel = nullptr;            // may be set at any time
    long connect_timeout_s = 30;
    long stall_timeout_s = 60;
};

// Whether trying again may help: the connection was cut, or nothing came.
[[nodiscard]] bool is_transient(Error const& error);

class HttpClient {
public:
    explicit HttpClient(HttpOptions options);
    HttpClient(HttpClient const&) = delete;
    HttpClient& operator=(HttpClient const&) = delete;
    ~HttpClient();  // after the last of its streams

    // Returns once the header is there. GET and HEAD follow redirects: ten at most, never from
    // https to http, and without the authorization where another server is meant. An error of a
    // body's source is the error of the request. Errors name the
    // server: ECONNREFUSED, EHOSTUNREACH (no such host), EPROTO (no TLS, wrong certificate, not
    // HTTP), E2BIG (header), ELOOP (redirects), and those of the stream.
    Result<std::unique_ptr<HttpStream>> open(HttpRequest request);

    // The same with the whole body, E2BIG when it is longer than `limit_bytes`.
    Result<HttpResponse> fetch(HttpRequest request, std::size_t limit_bytes);

    [[nodiscard]] HttpOptions const& options() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace oblea::registry
