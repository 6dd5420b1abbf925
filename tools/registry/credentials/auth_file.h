// SPDX-License-Identifier: MIT
// The document that holds credentials: docker's config.json, podman's auth.json, the old
// .dockercfg.
//
// A value: parse, look up, change, encode; no I/O. Everything that it does not know is kept as it
// was, in the order that it had.
// Spec: docker "config.json"; containers-auth.json(5).
#pragma once
#include "store/base/error.h"
#include "tools/registry/credentials/credential.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace oblea::registry {

class AuthFile {
public:
    // dockercfg: the whole document is what "auths" is in the others.
    enum class Form { config, dockercfg };

    AuthFile();  // an empty config
    AuthFile(AuthFile&&) noexcept;
    AuthFile& operator=(AuthFile&&) noexcept;
    AuthFile(AuthFile const&) = delete;
    AuthFile& operator=(AuthFile const&) = delete;
    ~AuthFile();

    // `what` names the document in errors, which never quote it. An empty text is an empty
    // document. Errors: EINVAL.
    static Result<AuthFile> parse(std::string_view text, Form form, std::string_view what);
    [[nodiscard]] std::string encode() const;

    // The credential of the most specific key for the repository; an empty path asks for the
    // registry as such. An entry without a secret (the secret is in a helper) is none. Errors:
    // EINVAL naming the key of an entry that is malformed.
    [[nodiscard]] Result<std::optional<Credential>> find(std::string_view domain,
                                                         std::string_view path) const;

    // The suffix X of the docker-credential-X that keeps the registry's secret, if one does.
    [[nodiscard]] std::optional<std::string> helper(std::string_view domain) const;

    // Replaces what is known of the registry.
    void put(std::string_view domain, Credential const& credential);
    // Notes only that there is one, for secrets that a helper keeps.
    void put_mark(std::string_view domain);
    // Takes out every entry of the registry as such, however its key is spelt. False when there was
    // none.
    [[nodiscard]] bool erase(std::string_view domain);

private:
    struct Document;
    explicit AuthFile(std::unique_ptr<Document> document);
    std::unique_ptr<Document> document_;
};

}  // namespace oblea::registry
