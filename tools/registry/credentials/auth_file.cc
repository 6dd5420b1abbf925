// SPDX-License-Identifier: MIT
#include "tools/registry/credentials/auth_file.h"

#include "tools/registry/base64.h"

#include <nlohmann/json.hpp>

namespace oblea::registry {

namespace {

using Json = nlohmann::ordered_json;

std::unexpected<Error> malformed(std::string_view what, std::string_view fault) {
    return fail(Errno::einval, "", std::string{what} + ": " + std::string{fault});
}

std::string text_of_field(Json const& entry, char const* key) {
    auto const at = entry.find(key);
    return at != entry.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

// "auth" is user:password in Base64; docker pads the password with NULs at times.
Status decode_auth(Json const& entry, std::string_view key, std::string_view what,
                   Credential& credential) {
    std::string const encoded = text_of_field(entry, "auth");
    if (encoded.empty()) {
        return {};
    }
    auto const decoded = decode_base64(encoded);
    std::string const plain = decoded.value_or("");
    auto const colon = plain.find(':');
    if (colon == std::string::npos) {
        return malformed(what, "\"" + std::string{key} +
                                   "\" has no user name and password in Base64; log in anew");
    }
    credential.username = plain.substr(0, colon);
    std::string password = plain.substr(colon + 1);
    password.erase(password.find_last_not_of('\0') + 1);
    credential.password = Secret{std::move(password)};
    return {};
}

Result<std::optional<Credential>> decode_entry(Json const& entry, std::string_view key,
                                               std::string_view what) {
    if (!entry.is_object()) {
        return malformed(what, "the entry of \"" + std::string{key} + "\" is not an object");
    }
    Credential credential{.username = text_of_field(entry, "username"),
                          .password = Secret{text_of_field(entry, "password")},
                          .identity_token = Secret{text_of_field(entry, "identitytoken")},
                          .registry_token = Secret{text_of_field(entry, "registrytoken")}};
    OBLEA_TRY(decode_auth(entry, key, what, credential));
    if (credential.password.empty() && credential.identity_token.empty() &&
        credential.registry_token.empty()) {
        return std::optional<Credential>{};
    }
    return std::optional{std::move(credential)};
}

bool names_helper(Json const& value) {
    return value.is_string() && !value.get_ref<std::string const&>().empty();
}

}  // namespace

struct AuthFile::Document {
    Json json = Json::object();
    Form form = Form::config;
    std::string what;

    // Null when there is none.
    [[nodiscard]] Json const* auths() const {
        if (form == Form::dockercfg) {
            return &json;
        }
        auto const at = json.find("auths");
        return at != json.end() && at->is_object() ? &*at : nullptr;
    }

    Json& auths_to_change() {
        if (form == Form::dockercfg) {
            return json;
        }
        Json& auths = json["auths"];
        if (!auths.is_object()) {
            auths = Json::object();
        }
        return auths;
    }
};

AuthFile::AuthFile() : document_(std::make_unique<Document>()) {}
AuthFile::AuthFile(std::unique_ptr<Document> document) : document_(std::move(document)) {}
AuthFile::AuthFile(AuthFile&&) noexcept = default;
AuthFile& AuthFile::operator=(AuthFile&&) noexcept = default;
AuthFile::~AuthFile() = default;

Result<AuthFile> AuthFile::parse(std::string_view text, Form form, std::string_view what) {
    auto document = std::make_unique<Document>();
    document->form = form;
    document->what = what;
    if (text.find_first_not_of(" \t\r\n") != std::string_view::npos) {
        document->json = Json::parse(text, nullptr, false);
    }
    if (!document->json.is_object()) {
        return malformed(what, "not a JSON object; correct it, or move it away and log in anew");
    }
    if (form == Form::config && document->json.contains("auths") && document->auths() == nullptr &&
        !document->json["auths"].is_null()) {
        return malformed(what, "\"auths\" is not an object");
    }
    return AuthFile{std::move(document)};
}

std::string AuthFile::encode() const {
    return document_->json.dump(1, '\t', false, Json::error_handler_t::replace) + '\n';
}

Result<std::optional<Credential>> AuthFile::find(std::string_view domain,
                                                 std::string_view path) const {
    Json const* const auths = document_->auths();
    if (auths == nullptr) {
        return std::optional<Credential>{};
    }
    for (std::string const& wanted : candidate_keys(domain, path)) {
        for (auto const& [key, entry] : auths->items()) {
            if (normal_key(key) != wanted) {
                continue;
            }
            auto found = OBLEA_TRY(decode_entry(entry, key, document_->what));
            if (found.has_value()) {
                return found;
            }
        }
    }
    return std::optional<Credential>{};
}

std::optional<std::string> AuthFile::helper(std::string_view domain) const {
    auto const helpers = document_->json.find("credHelpers");
    if (helpers != document_->json.end() && helpers->is_object()) {
        for (auto const& [key, name] : helpers->items()) {
            if (normal_key(key) == normal_key(domain) && names_helper(name)) {
                return name.get<std::string>();
            }
        }
    }
    auto const store = document_->json.find("credsStore");
    if (store != document_->json.end() && names_helper(*store)) {
        return store->get<std::string>();
    }
    return std::nullopt;
}

bool AuthFile::erase(std::string_view domain) {
    if (document_->auths() == nullptr) {
        return false;
    }
    Json kept = Json::object();
    Json& auths = document_->auths_to_change();
    for (auto const& [key, entry] : auths.items()) {
        if (normal_key(key) != normal_key(domain)) {
            kept[key] = entry;
        }
    }
    bool const found = kept.size() != auths.size();
    auths = std::move(kept);
    return found;
}

void AuthFile::put(std::string_view domain, Credential const& credential) {
    static_cast<void>(erase(domain));
    Json entry = Json::object();
    if (!credential.username.empty() || !credential.password.empty()) {
        entry["auth"] = encode_base64(credential.username + ':' + credential.password.reveal());
    }
    if (!credential.identity_token.empty()) {
        entry["identitytoken"] = credential.identity_token.reveal();
    }
    if (!credential.registry_token.empty()) {
        entry["registrytoken"] = credential.registry_token.reveal();
    }
    document_->auths_to_change()[storage_key(domain)] = std::move(entry);
}

void AuthFile::put_mark(std::string_view domain) {
    static_cast<void>(erase(domain));
    document_->auths_to_change()[storage_key(domain)] = Json::object();
}

}  // namespace oblea::registry
