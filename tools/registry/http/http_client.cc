// SPDX-License-Identifier: MIT
#include "tools/registry/http/http_client.h"

#include "store/base/limits.h"
#include "store/base/mutex.h"
#include "store/base/scope_exit.h"
#include "tools/registry/http/curl_on_demand.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

namespace oblea::registry {

namespace {

constexpr int kPollMs = 200;  // how soon a cancellation is seen
constexpr std::size_t kBufferBytesMax = 256U << 10U;
constexpr unsigned kRedirectsMax = 10;
// What is slower than this all the time brings nothing: another connection may do better, and what
// came is kept. A transfer that nobody reads meanwhile is not meant, as libcurl knows.
constexpr long kTrickleBytesPerSecond = 100;

struct FreeEasy {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct FreeMulti {
    void operator()(CURLM* handle) const noexcept { curl_multi_cleanup(handle); }
};
struct FreeList {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Multi = std::unique_ptr<CURLM, FreeMulti>;
using List = std::unique_ptr<curl_slist, FreeList>;

// Connections live in multi handles: who takes one has its idle connections, and gives it back.
class MultiPool {
public:
    Multi take() {
        base::LockGuard const lock{mutex_};
        if (idle_.empty()) {
            return Multi{curl_multi_init()};
        }
        Multi multi = std::move(idle_.back());
        idle_.pop_back();
        return multi;
    }
    void give_back(Multi multi) {
        base::LockGuard const lock{mutex_};
        idle_.push_back(std::move(multi));
    }

private:
    base::Mutex mutex_;
    std::vector<Multi> idle_ OBLEA_GUARDED_BY(mutex_);
};

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::unexpected<Error> tls_error(std::string const& server, std::string_view text) {
    std::string fault{text};
    if (contains(text, "wrong version number") || contains(text, "packet length too long")) {
        fault = "http: server gave HTTP response to HTTPS client";
    } else if (contains(text, "issuer certificate") || contains(text, "self-signed") ||
               contains(text, "self signed")) {
        fault = "x509: certificate signed by unknown authority; put the authority's certificate "
                "into /etc/docker/certs.d/" +
                server + "/ca.crt";
    }
    return fail(network_error::kProtocol, "", server + ": " + fault);
}

std::unexpected<Error> transfer_error(CURLcode code, Url const& url, std::string_view text) {
    std::string const server = url.authority();
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return fail(network_error::kNoHost, "", server + ": no such host");
    case CURLE_COULDNT_CONNECT:
        return fail(network_error::kRefused, "",
                    "cannot connect to " + server + ": connection refused");
    case CURLE_OPERATION_TIMEDOUT:
        return fail(network_error::kTimedOut, "", server + ": no answer in time");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return tls_error(server, text);
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return fail(network_error::kReset, "", server + ": the connection was cut");
    case CURLE_OUT_OF_MEMORY:
        return fail(Errno::e2big, "", server + ": a line of the header is too long");
    default:
        return fail(network_error::kProtocol, "",
                    server + ": " + (text.empty() ? curl_easy_strerror(code) : text.data()));
    }
}

class CurlStream final : public HttpStream {
public:
    CurlStream(MultiPool& pool, HttpOptions const& options, HttpRequest const& request)
        : pool_(pool), options_(options), head_{.status = 0, .headers = {}, .url = request.url},
          multi_(pool.take()), easy_(curl_easy_init()), stop_(request.stop) {}
    CurlStream(CurlStream const&) = delete;
    CurlStream& operator=(CurlStream const&) = delete;
    ~CurlStream() override {
        if (added_) {
            curl_multi_remove_handle(multi_.get(), easy_.get());
        }
        pool_.give_back(std::move(multi_));
    }

    // Sends the request and waits for the header.
    Status start(HttpRequest const& request, TlsTrust const& trust);

    [[nodiscard]] HttpHead const& head() const override { return head_; }
    Result<std::size_t> read(base::MutableBytes buffer) override;

private:
    void set_up(HttpRequest const& request);
    Status set_up_body(HttpRequest const& request);
    void set_up_proxy(Url const& url);
    void set_up_tls(TlsTrust const& trust);
    Status drive();
    [[nodiscard]] Status outcome() const;

    static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t on_send(char* data, std::size_t size, std::size_t count, void* self);

    MultiPool& pool_;
    HttpOptions const& options_;
    HttpHead head_;
    Multi multi_;
    Easy easy_;
    List fields_;
    std::atomic<bool> const* stop_;
    bool added_ = false;
    bool header_done_ = false;
    bool header_too_long_ = false;
    bool paused_ = false;
    bool done_ = false;
    CURLcode result_ = CURLE_OK;
    std::size_t header_bytes_ = 0;
    base::MutableBytes target_;  // of the read() that is under way
    std::size_t filled_ = 0;     // of it
    std::string body_;           // what came beyond it, at most kBufferBytesMax
    std::size_t read_ = 0;       // of that
    std::unique_ptr<base::ByteSource> sent_;
    std::optional<Error> sent_error_;
    std::array<char, CURL_ERROR_SIZE> error_text_{};
};

template <typename T>
void set(Easy const& easy, CURLoption option, T value) {
    // Options that this libcurl does not know of would fail; all used here are older than what
    // CMake demands, and memory is the only other cause.
    curl_easy_setopt(easy.get(), option, value);
}

void CurlStream::set_up(HttpRequest const& request) {
    set(easy_, CURLOPT_URL, request.url.string().c_str());
    set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(easy_, CURLOPT_NOSIGNAL, 1L);
    set(easy_, CURLOPT_USERAGENT, options_.user_agent.c_str());
    set(easy_, CURLOPT_CONNECTTIMEOUT, options_.connect_timeout_s);
    set(easy_, CURLOPT_LOW_SPEED_LIMIT, kTrickleBytesPerSecond);
    set(easy_, CURLOPT_LOW_SPEED_TIME, options_.stall_timeout_s);
    set(easy_, CURLOPT_BUFFERSIZE, static_cast<long>(kBufferBytesMax));
    set(easy_, CURLOPT_ERRORBUFFER, error_text_.data());
    set(easy_, CURLOPT_HEADERFUNCTION, &CurlStream::on_header);
    set(easy_, CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(easy_, CURLOPT_WRITEFUNCTION, &CurlStream::on_body);
    set(easy_, CURLOPT_WRITEDATA, static_cast<void*>(this));
    switch (request.method) {
    case HttpRequest::Method::get:
        break;
    case HttpRequest::Method::head:
        set(easy_, CURLOPT_NOBODY, 1L);
        break;
    case HttpRequest::Method::post:
        set(easy_, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.form.reveal().size()));
        set(easy_, CURLOPT_COPYPOSTFIELDS, request.form.reveal().c_str());
        break;
    case HttpRequest::Method::put:
    case HttpRequest::Method::patch:
        set(easy_, CURLOPT_UPLOAD, 1L);
        set(easy_, CURLOPT_CUSTOMREQUEST,
            request.method == HttpRequest::Method::put ? "PUT" : "PATCH");
        break;
    case HttpRequest::Method::remove:
        set(easy_, CURLOPT_CUSTOMREQUEST, "DELETE");
        break;
    }
    auto const add = [this](std::string const& field) {
        curl_slist* const old = fields_.release();
        curl_slist* const list = curl_slist_append(old, field.c_str());
        fields_.reset(list != nullptr ? list : old);
    };
    std::ranges::for_each(request.headers, add);
    add("Expect:");  // else a body would wait for a server that may never say "100 Continue"
    if (!request.authorization.empty()) {
        add(Secret{"Authorization: " + request.authorization.reveal()}.reveal());
    }
    set(easy_, CURLOPT_HTTPHEADER, fields_.get());
}

Status CurlStream::set_up_body(HttpRequest const& request) {
    bool const sends =
        request.method == HttpRequest::Method::put || request.method == HttpRequest::Method::patch;
    if (!sends) {
        return {};
    }
    if (request.body.has_value()) {
        sent_ = OBLEA_TRY(request.body->open());
    }
    std::uint64_t const bytes = request.body.has_value() ? request.body->bytes : 0;
    set(easy_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(bytes));
    set(easy_, CURLOPT_READFUNCTION, &CurlStream::on_send);
    set(easy_, CURLOPT_READDATA, static_cast<void*>(this));
    set(easy_, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(kBufferBytesMax));
    return {};
}

void CurlStream::set_up_proxy(Url const& url) {
    // As Go's programs do: no proxy for this machine, and HTTP_PROXY in capitals counts too.
    if (is_loopback(url.host())) {
        set(easy_, CURLOPT_PROXY, "");
        return;
    }
    char const* const capital = std::getenv("HTTP_PROXY");
    if (url.scheme() == Url::Scheme::http && std::getenv("http_proxy") == nullptr &&
        capital != nullptr) {
        set(easy_, CURLOPT_PROXY, capital);
    }
}

void CurlStream::set_up_tls(TlsTrust const& trust) {
    long const verify = trust.verify == TlsTrust::Verify::yes ? 1 : 0;
    set(easy_, CURLOPT_SSL_VERIFYPEER, verify);
    set(easy_, CURLOPT_SSL_VERIFYHOST, verify * 2);
    set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!trust.extra_ca_pem.empty()) {
        // Takes the place of libcurl's bundle; the system's folder of authorities stays.
        curl_blob blob{.data = const_cast<char*>(trust.extra_ca_pem.data()),
                       .len = trust.extra_ca_pem.size(),
                       .flags = CURL_BLOB_COPY};
        set(easy_, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (!trust.client_certificate.empty()) {
        set(easy_, CURLOPT_SSLCERT, trust.client_certificate.c_str());
        set(easy_, CURLOPT_SSLKEY, trust.client_key.c_str());
    }
}

std::size_t CurlStream::on_header(char* data, std::size_t size, std::size_t count, void* self) {
    auto& stream = *static_cast<CurlStream*>(self);
    std::string_view const line{data, size * count};
    stream.header_bytes_ += line.size();
    if (stream.header_bytes_ > limits::kHttpHeaderBytesMax) {
        stream.header_too_long_ = true;
        return 0;
    }
    if (line.starts_with("HTTP/")) {
        stream.head_.headers = {};  // of an interim answer (100, or a proxy's)
    } else if (line == "\r\n" || line == "\n") {
        long status = 0;
        curl_easy_getinfo(stream.easy_.get(), CURLINFO_RESPONSE_CODE, &status);
        stream.head_.status = static_cast<unsigned>(std::max(status, 0L));
        stream.header_done_ = status >= 200;
    } else if (auto const colon = line.find(':'); colon != std::string_view::npos) {
        stream.head_.headers.add(line.substr(0, colon), line.substr(colon + 1));
    }
    return line.size();
}

// Into the reader's buffer, then beside it. A pause has libcurl keep, and copy, what it has
// received and cannot hand out: it is asked for only when a good deal lies here.
std::size_t CurlStream::on_body(char* data, std::size_t size, std::size_t count, void* self) {
    auto& stream = *static_cast<CurlStream*>(self);
    std::string_view came{data, size * count};
    std::size_t const bytes = came.size();
    std::size_t const waiting = stream.body_.size() - stream.read_;
    std::size_t const direct =
        waiting > 0 ? 0 : std::min(bytes, stream.target_.size() - stream.filled_);
    if (waiting > 0 && waiting + bytes > kBufferBytesMax) {
        stream.paused_ = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (direct > 0) {
        std::memcpy(&stream.target_[stream.filled_], came.data(), direct);
        stream.filled_ += direct;
        came.remove_prefix(direct);
    }
    if (waiting == 0) {
        stream.body_.clear();
        stream.read_ = 0;
    }
    stream.body_ += came;
    return bytes;
}

std::size_t CurlStream::on_send(char* data, std::size_t size, std::size_t count, void* self) {
    auto& stream = *static_cast<CurlStream*>(self);
    if (stream.sent_ == nullptr) {
        return 0;
    }
    auto const room = std::as_writable_bytes(std::span{data, size * count});
    auto const got = stream.sent_->read(room);
    if (!got.has_value()) {
        stream.sent_error_ = got.error();
        return CURL_READFUNC_ABORT;
    }
    return *got;
}

Status CurlStream::drive() {
    bool const stopped = stop_ != nullptr && stop_->load();
    if (stopped || (options_.cancel != nullptr && options_.cancel->load())) {
        return fail(Errno::ecanceled, "", "interrupted");
    }
    int running = 0;
    CURLMcode code = curl_multi_perform(multi_.get(), &running);
    int left = 0;
    for (CURLMsg const* message = curl_multi_info_read(multi_.get(), &left); message != nullptr;
         message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg == CURLMSG_DONE) {
            done_ = true;
            result_ = message->data.result;
        }
    }
    bool const idle = !done_ && filled_ == 0 && read_ == body_.size();
    if (code == CURLM_OK && idle) {
        code = curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr);
    }
    if (code != CURLM_OK) {
        return fail(Errno::eio, "", head_.url.authority() + ": " + curl_multi_strerror(code));
    }
    return {};
}

Status CurlStream::outcome() const {
    if (header_too_long_) {
        return fail(Errno::e2big, "",
                    head_.url.authority() + ": the header is longer than " +
                        std::to_string(limits::kHttpHeaderBytesMax) + " bytes");
    }
    if (sent_error_.has_value()) {
        return std::unexpected<Error>(*sent_error_);
    }
    if (done_ && result_ != CURLE_OK) {
        return transfer_error(result_, head_.url, error_text_.data());
    }
    if (done_ && !header_done_) {
        // Cut within the header, which libcurl takes for a short one.
        return fail(network_error::kReset, "", head_.url.authority() + ": the connection was cut");
    }
    return {};
}

Status CurlStream::start(HttpRequest const& request, TlsTrust const& trust) {
    if (multi_ == nullptr || easy_ == nullptr) {
        return fail(Errno::enomem, "libcurl");
    }
    set_up(request);
    OBLEA_TRY(set_up_body(request));
    set_up_proxy(request.url);
    set_up_tls(trust);
    if (curl_multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK) {
        return fail(Errno::enomem, "libcurl");
    }
    added_ = true;
    while (!done_ && !header_done_) {
        OBLEA_TRY(drive());
    }
    return header_done_ && !header_too_long_ ? Status{} : outcome();
}

Result<std::size_t> CurlStream::read(base::MutableBytes buffer) {
    if (std::size_t const waiting = body_.size() - read_; waiting > 0) {
        std::size_t const count = std::min(buffer.size(), waiting);
        std::memcpy(buffer.data(), &body_[read_], count);
        read_ += count;
        return count;
    }
    target_ = buffer;
    filled_ = 0;
    base::ScopeExit const end{[this] { target_ = {}; }};
    while (filled_ == 0) {
        if (done_) {
            OBLEA_TRY(outcome());
            return std::size_t{0};
        }
        if (paused_) {
            paused_ = false;
            // libcurl hands out what it held back within the call.
            curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
            continue;
        }
        OBLEA_TRY(drive());
    }
    return std::exchange(filled_, 0);
}

bool is_redirect(unsigned status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

struct HttpClient::Impl {
    HttpOptions options;
    MultiPool pool;
};

bool is_transient(Error const& error) {
    return error.code == network_error::kReset || error.code == network_error::kTimedOut;
}

HttpClient::HttpClient(HttpOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->options = std::move(options);
}

HttpClient::~HttpClient() = default;

HttpOptions const& HttpClient::options() const {
    return impl_->options;
}

Result<std::unique_ptr<HttpStream>> HttpClient::open(HttpRequest request) {
    OBLEA_TRY(load_curl());
    static CURLcode const initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    static_cast<void>(initialised);  // without it, every handle is null, which is reported there
    for (unsigned redirects = 0;; ++redirects) {
        TlsTrust const trust =
            impl_->options.trust ? OBLEA_TRY(impl_->options.trust(request.url)) : TlsTrust{};
        auto stream = std::make_unique<CurlStream>(impl_->pool, impl_->options, request);
        OBLEA_TRY(stream->start(request, trust));
        auto const location = stream->head().headers.first("location");
        if (!is_redirect(stream->head().status) || location.empty() ||
            (request.method != HttpRequest::Method::get &&
             request.method != HttpRequest::Method::head)) {
            return std::unique_ptr<HttpStream>{std::move(stream)};
        }
        if (redirects == kRedirectsMax) {
            return fail(Errno::eloop, "",
                        request.url.authority() + ": more than " + std::to_string(kRedirectsMax) +
                            " redirects");
        }
        Url const target = OBLEA_TRY(with_context(request.url.resolve(location), [&] {
            return request.url.authority() + ": redirected to what cannot be followed";
        }));
        if (request.url.scheme() == Url::Scheme::https && target.scheme() == Url::Scheme::http) {
            return fail(network_error::kProtocol, "",
                        request.url.authority() + ": redirected from https to plain http (" +
                            target.authority() + ")");
        }
        if (!target.same_origin(request.url)) {
            request.authorization = {};
        }
        request.url = target;
    }
}

Result<HttpResponse> HttpClient::fetch(HttpRequest request, std::size_t limit_bytes) {
    auto const stream = OBLEA_TRY(open(std::move(request)));
    HttpResponse response{.head = stream->head(), .body = {}};
    std::array<std::byte, 16384> buffer{};
    for (;;) {
        std::size_t const count = OBLEA_TRY(stream->read(buffer));
        if (count == 0) {
            return response;
        }
        if (count > limit_bytes - response.body.size()) {
            return fail(Errno::e2big, "",
                        response.head.url.authority() + ": the answer is longer than " +
                            std::to_string(limit_bytes) + " bytes");
        }
        response.body += base::text_of(base::ByteView{buffer}.first(count));
    }
}

}  // namespace oblea::registry
