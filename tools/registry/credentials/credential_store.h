// SPDX-License-Identifier: MIT
// Where credentials are: the files of docker and podman, and the helpers that these name.
//
// Looked at in this order: DOCKER_AUTH_CONFIG (a document, not a path), REGISTRY_AUTH_FILE,
// docker's config.json, podman's auth.json in XDG_RUNTIME_DIR and XDG_CONFIG_HOME, ~/.dockercfg.
// What is stored goes to the first file of that order, so that a look-up finds what was stored
// last. Files are private to their owner (0600), replaced as a whole, and keep what is not ours.
// Not thread-safe; any number of processes may store at once.
#pragma once
#include "store/base/error.h"
#include "tools/registry/credentials/auth_file.h"
#include "tools/registry/credentials/credential.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

struct CredentialPlaces {
    struct File {
        std::string path;
        AuthFile::Form form = AuthFile::Form::config;
        bool operator==(File const&) const = default;
    };
    std::optional<std::string> document;  // DOCKER_AUTH_CONFIG
    std::vector<File> files;              // in the order of the look-up

    // Pure: `variable` gives the environment's variables, nothing for unset and empty ones.
    using Environment = std::function<std::optional<std::string>(char const*)>;
    static CredentialPlaces plan(Environment const& variable, std::string const& home);
    // Of this process.
    static CredentialPlaces of_process();
};

struct FoundCredential {
    std::optional<Credential> credential;
    std::vector<std::string> warnings;  // places that could not be read: the others were tried
};

class CredentialStore {
public:
    explicit CredentialStore(CredentialPlaces places) : places_(std::move(places)) {}

    // Never fails: a broken place is a warning, as an image may well be public.
    [[nodiscard]] FoundCredential find(std::string_view domain, std::string_view path) const;

    struct Stored {
        std::string place;  // the file or the helper's program
        enum class Kind { plain_text, helper } kind = Kind::plain_text;
    };
    // Errors: EINVAL for a file that is malformed, which is left as it is; those of the system and
    // the helper. All name the place.
    [[nodiscard]] Result<Stored> put(std::string_view domain, Credential const& credential) const;

    // Takes the registry's credential out of the file and helper where put() stores. Returns
    // whether there was one. Errors as put().
    [[nodiscard]] Result<bool> erase(std::string_view domain) const;

private:
    CredentialPlaces places_;
};

}  // namespace oblea::registry
