// SPDX-License-Identifier: MIT
#include "tools/registry/http/curl_on_demand.h"

#include <curl/curl.h>
#include <dlfcn.h>

#include <cstdarg>
#include <cstdlib>
#include <string>

namespace oblea::registry {
namespace {

// The name of its interface, which has been the same since 2006.
constexpr char const* kLibrary = "libcurl.so.4";

// Null is what a member stays whose function the library lacks.
struct Functions {
    decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
    decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
    decltype(&::curl_easy_init) easy_init = nullptr;
    decltype(&::curl_easy_pause) easy_pause = nullptr;
    decltype(&::curl_easy_setopt) easy_setopt = nullptr;
    decltype(&::curl_easy_strerror) easy_strerror = nullptr;
    decltype(&::curl_free) free = nullptr;
    decltype(&::curl_global_init) global_init = nullptr;
    decltype(&::curl_multi_add_handle) multi_add_handle = nullptr;
    decltype(&::curl_multi_cleanup) multi_cleanup = nullptr;
    decltype(&::curl_multi_info_read) multi_info_read = nullptr;
    decltype(&::curl_multi_init) multi_init = nullptr;
    decltype(&::curl_multi_perform) multi_perform = nullptr;
    decltype(&::curl_multi_poll) multi_poll = nullptr;
    decltype(&::curl_multi_remove_handle) multi_remove_handle = nullptr;
    decltype(&::curl_multi_strerror) multi_strerror = nullptr;
    decltype(&::curl_slist_append) slist_append = nullptr;
    decltype(&::curl_slist_free_all) slist_free_all = nullptr;
    decltype(&::curl_url) url = nullptr;
    decltype(&::curl_url_cleanup) url_cleanup = nullptr;
    decltype(&::curl_url_get) url_get = nullptr;
    decltype(&::curl_url_set) url_set = nullptr;
};

std::unexpected<Error> linker_error() {
    char const* const said = ::dlerror();
    return fail(Errno::eopnotsupp, "",
                std::string{"registries need libcurl: "} + (said != nullptr ? said : kLibrary));
}

class Finder {
public:
    explicit Finder(void* library) : library_(library) {}

    template <typename F>
    void find(F& function, char const* name) {
        // POSIX dlsym(3): a function's address is given as that of an object.
        function = reinterpret_cast<F>(::dlsym(library_, name));
        complete_ = complete_ && function != nullptr;
    }
    [[nodiscard]] bool complete() const { return complete_; }

private:
    void* library_;
    bool complete_ = true;
};

Result<Functions> load() {
    // Never closed: libcurl and what it brings do not end before the process.
    void* const library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        return linker_error();
    }
    Functions curl;
    Finder finder{library};
    finder.find(curl.easy_cleanup, "curl_easy_cleanup");
    finder.find(curl.easy_getinfo, "curl_easy_getinfo");
    finder.find(curl.easy_init, "curl_easy_init");
    finder.find(curl.easy_pause, "curl_easy_pause");
    finder.find(curl.easy_setopt, "curl_easy_setopt");
    finder.find(curl.easy_strerror, "curl_easy_strerror");
    finder.find(curl.free, "curl_free");
    finder.find(curl.global_init, "curl_global_init");
    finder.find(curl.multi_add_handle, "curl_multi_add_handle");
    finder.find(curl.multi_cleanup, "curl_multi_cleanup");
    finder.find(curl.multi_info_read, "curl_multi_info_read");
    finder.find(curl.multi_init, "curl_multi_init");
    finder.find(curl.multi_perform, "curl_multi_perform");
    finder.find(curl.multi_poll, "curl_multi_poll");
    finder.find(curl.multi_remove_handle, "curl_multi_remove_handle");
    finder.find(curl.multi_strerror, "curl_multi_strerror");
    finder.find(curl.slist_append, "curl_slist_append");
    finder.find(curl.slist_free_all, "curl_slist_free_all");
    finder.find(curl.url, "curl_url");
    finder.find(curl.url_cleanup, "curl_url_cleanup");
    finder.find(curl.url_get, "curl_url_get");
    finder.find(curl.url_set, "curl_url_set");
    if (!finder.complete()) {
        return linker_error();
    }
    return curl;
}

// Const since libcurl 8.
template <typename R, typename First, typename... Rest>
First first_argument(R (*function)(First, Rest...));
using ReadUrl = decltype(first_argument(&::curl_url_get));

Result<Functions> const& loaded() {
    static Result<Functions> const functions = load();
    return functions;
}

// For the functions below: who calls them has asked load_curl() before.
Functions const& curl() {
    if (!loaded().has_value()) {
        std::abort();
    }
    return *loaded();
}

}  // namespace

Status load_curl() {
    if (!loaded().has_value()) {
        return std::unexpected<Error>(loaded().error());
    }
    return {};
}

}  // namespace oblea::registry

// Names and types are libcurl's own; a type that differed from its header would not compile. The
// parentheses keep them from its macros.
extern "C" {

using oblea::registry::curl;
using oblea::registry::ReadUrl;

void curl_easy_cleanup(CURL* handle) {
    curl().easy_cleanup(handle);
}

// What it points to is told by `info`; it is a pointer always.
CURLcode(curl_easy_getinfo)(CURL* handle, CURLINFO info, ...) {
    std::va_list arguments;
    va_start(arguments, info);
    void* const target = va_arg(arguments, void*);
    va_end(arguments);
    return curl().easy_getinfo(handle, info, target);
}

CURL* curl_easy_init() {
    return curl().easy_init();
}

CURLcode curl_easy_pause(CURL* handle, int bitmask) {
    return curl().easy_pause(handle, bitmask);
}

// The type of the value is a part of the option's number: curl.h, CURLOPTTYPE_LONG and others.
CURLcode(curl_easy_setopt)(CURL* handle, CURLoption option, ...) {
    constexpr int kOptionsOfType = 10'000;
    std::va_list arguments;
    va_start(arguments, option);
    CURLcode result = CURLE_UNKNOWN_OPTION;
    switch (option / kOptionsOfType * kOptionsOfType) {
    case CURLOPTTYPE_LONG:
        result = curl().easy_setopt(handle, option, va_arg(arguments, long));
        break;
    case CURLOPTTYPE_OFF_T:
        result = curl().easy_setopt(handle, option, va_arg(arguments, curl_off_t));
        break;
    default:  // objects, functions and blobs go by pointer
        result = curl().easy_setopt(handle, option, va_arg(arguments, void*));
    }
    va_end(arguments);
    return result;
}

char const* curl_easy_strerror(CURLcode code) {
    return curl().easy_strerror(code);
}

void curl_free(void* memory) {
    curl().free(memory);
}

CURLcode curl_global_init(long flags) {
    return curl().global_init(flags);
}

CURLMcode curl_multi_add_handle(CURLM* multi, CURL* handle) {
    return curl().multi_add_handle(multi, handle);
}

CURLMcode curl_multi_cleanup(CURLM* multi) {
    return curl().multi_cleanup(multi);
}

CURLMsg* curl_multi_info_read(CURLM* multi, int* left) {
    return curl().multi_info_read(multi, left);
}

CURLM* curl_multi_init() {
    return curl().multi_init();
}

CURLMcode curl_multi_perform(CURLM* multi, int* running) {
    return curl().multi_perform(multi, running);
}

CURLMcode curl_multi_poll(CURLM* multi, curl_waitfd extra[], unsigned extra_count, int timeout_ms,
                          int* ready) {
    return curl().multi_poll(multi, extra, extra_count, timeout_ms, ready);
}

CURLMcode curl_multi_remove_handle(CURLM* multi, CURL* handle) {
    return curl().multi_remove_handle(multi, handle);
}

char const* curl_multi_strerror(CURLMcode code) {
    return curl().multi_strerror(code);
}

curl_slist* curl_slist_append(curl_slist* list, char const* text) {
    return curl().slist_append(list, text);
}

void curl_slist_free_all(curl_slist* list) {
    curl().slist_free_all(list);
}

CURLU* curl_url() {
    return curl().url();
}

void curl_url_cleanup(CURLU* handle) {
    curl().url_cleanup(handle);
}

CURLUcode curl_url_get(ReadUrl handle, CURLUPart what, char** part, unsigned flags) {
    return curl().url_get(handle, what, part, flags);
}

CURLUcode curl_url_set(CURLU* handle, CURLUPart what, char const* part, unsigned flags) {
    return curl().url_set(handle, what, part, flags);
}
}
