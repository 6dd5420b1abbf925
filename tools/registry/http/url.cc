// SPDX-License-Identifier: MIT
#include "tools/registry/http/url.h"

#include "tools/registry/http/curl_on_demand.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

namespace oblea::registry {

namespace {

struct FreeHandle {
    void operator()(CURLU* handle) const noexcept { curl_url_cleanup(handle); }
};
using Handle = std::unique_ptr<CURLU, FreeHandle>;

std::string part(CURLU* handle, CURLUPart what, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(handle, what, &text, flags) != CURLUE_OK) {
        return {};
    }
    std::unique_ptr<char, void (*)(void*)> const owner{text, curl_free};
    return text;
}

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"-._~"}.find(c) != std::string_view::npos;
}

}  // namespace

Result<Url> Url::parse(std::string const& text) {
    OBLEA_TRY(load_curl());
    Handle const handle{curl_url()};
    if (handle == nullptr ||
        curl_url_set(handle.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
        return fail(Errno::einval, "", "not a URL");
    }
    std::string const scheme = part(handle.get(), CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https") {
        return fail(Errno::einval, "", "a URL that is neither http nor https");
    }
    if (!part(handle.get(), CURLUPART_USER).empty() ||
        !part(handle.get(), CURLUPART_PASSWORD).empty()) {
        return fail(Errno::einval, "", "a URL with a user name in it");
    }
    curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
    Url url;
    url.text_ = part(handle.get(), CURLUPART_URL);
    url.scheme_ = scheme == "http" ? Scheme::http : Scheme::https;
    url.host_ = part(handle.get(), CURLUPART_HOST);
    url.port_ = part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    std::ranges::transform(url.host_, url.host_.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return url;
}

Result<Url> Url::resolve(std::string const& reference) const {
    Handle const handle{curl_url()};
    if (handle == nullptr ||
        curl_url_set(handle.get(), CURLUPART_URL, text_.c_str(), 0) != CURLUE_OK ||
        curl_url_set(handle.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK) {
        return fail(Errno::einval, "", "not a URL");
    }
    return parse(part(handle.get(), CURLUPART_URL));
}

Url Url::with_query(Parameters const& parameters) const {
    Url result = *this;
    if (!parameters.empty()) {
        result.text_ += text_.find('?') == std::string::npos ? '?' : '&';
        result.text_ += encode_form(parameters);
    }
    return result;
}

std::string Url::for_people() const {
    return text_.substr(0, text_.find('?'));
}

std::string Url::authority() const {
    bool const own = port_ == (scheme_ == Scheme::http ? "80" : "443");
    return own ? host_ : host_ + ':' + port_;
}

bool Url::same_origin(Url const& other) const {
    return scheme_ == other.scheme_ && host_ == other.host_ && port_ == other.port_;
}

std::string encode_form_value(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string encoded;
    for (char const c : text) {
        if (is_unreserved(c)) {
            encoded += c;
        } else {
            auto const byte = static_cast<unsigned char>(c);
            encoded += '%';
            encoded += kDigits[byte >> 4U];
            encoded += kDigits[byte & 15U];
        }
    }
    return encoded;
}

std::string encode_form(Url::Parameters const& parameters) {
    std::string text;
    for (auto const& [name, value] : parameters) {
        text += text.empty() ? "" : "&";
        text += encode_form_value(name) + '=' + encode_form_value(value);
    }
    return text;
}

bool is_loopback(std::string_view host) {
    auto const number = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
    return host == "localhost" || host == "[::1]" ||
           (host.starts_with("127.") && std::ranges::all_of(host, number));
}

}  // namespace oblea::registry
