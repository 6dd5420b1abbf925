// SPDX-License-Identifier: MIT
#include "tools/registry/client/registry_error.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::registry {

namespace {

constexpr std::size_t kTextBytesMax = 300;

// "MANIFEST_UNKNOWN" as docker prints it.
std::string words_of(std::string_view code) {
    std::string words{code};
    std::ranges::transform(words, words.begin(), [](char c) {
        return c == '_' ? ' ' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    });
    return words;
}

Error error_of(Errno code, std::string detail) {
    return {.code = code, .op = "", .detail = std::move(detail)};
}

}  // namespace

std::string printable_field(nlohmann::json const& object, char const* key) {
    auto const at = object.is_object() ? object.find(key) : object.end();
    return at != object.end() && at->is_string() ? printable(at->get<std::string>())
                                                 : std::string{};
}

std::string printable(std::string_view text) {
    std::string result{text.substr(0, kTextBytesMax)};
    std::ranges::replace_if(
        result, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
    return result;
}

Refusal parse_refusal(unsigned status, std::string_view body) {
    Refusal refusal{.status = status, .code = {}, .message = {}};
    auto const document = nlohmann::json::parse(body, nullptr, false);
    if (!document.is_object()) {
        return refusal;
    }
    auto const errors = document.find("errors");
    if (errors != document.end() && errors->is_array() && !errors->empty()) {
        refusal.code = printable_field(errors->front(), "code");
        refusal.message = printable_field(errors->front(), "message");
        return refusal;
    }
    // Token servers have their own forms.
    for (char const* const key : {"details", "error_description", "message", "error"}) {
        if (refusal.message.empty()) {
            refusal.message = printable_field(document, key);
        }
    }
    return refusal;
}

std::string describe(Refusal const& refusal) {
    std::string text = words_of(refusal.code);
    if (!refusal.message.empty()) {
        text += text.empty() ? "" : ": ";
        text += refusal.message;
    }
    return text.empty() ? "the registry answered with status " + std::to_string(refusal.status)
                        : text;
}

Error refusal_error(Refusal const& refusal, Wanted wanted, std::string_view familiar,
                    std::string_view repository) {
    std::string const reason = describe(refusal);
    if (refusal.status == 429) {
        std::string const words = refusal.message.empty() ? "too many requests" : refusal.message;
        return error_of(Errno::eagain, "toomanyrequests: " + words +
                                           " (wait a while, or log in to be let do more)");
    }
    if (refusal.status == 401 || refusal.status == 403) {
        if (wanted == Wanted::ping) {
            return error_of(Errno::eacces,
                            "unauthorized: " + (refusal.message.empty()
                                                    ? "incorrect username or password"
                                                    : refusal.message));
        }
        if (wanted == Wanted::push) {
            return error_of(Errno::eacces,
                            "push access denied for " + std::string{repository} +
                                ": requested access to the resource is denied ('oblea login' may "
                                "help): " +
                                reason);
        }
        return error_of(Errno::eacces, "pull access denied for " + std::string{repository} +
                                           ", repository does not exist or may require "
                                           "'oblea login': " +
                                           reason);
    }
    if (refusal.code == "NAME_UNKNOWN" || (refusal.status == 404 && wanted == Wanted::tags)) {
        return error_of(Errno::enoent,
                        "repository " + std::string{repository} + " not found: " + reason);
    }
    if (refusal.status == 404 && wanted == Wanted::manifest) {
        return error_of(Errno::enoent,
                        "manifest for " + std::string{familiar} + " not found: " + reason);
    }
    if (refusal.status == 404 && wanted == Wanted::blob) {
        return error_of(Errno::enoent, std::string{familiar} + " not found: " + reason);
    }
    return error_of(refusal.status == 404 ? Errno::enoent : Errno::eio,
                    std::string{familiar} + ": " + reason);
}

}  // namespace oblea::registry
