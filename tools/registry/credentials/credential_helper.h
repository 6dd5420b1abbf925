// SPDX-License-Identifier: MIT
// Programs that keep secrets for docker: docker-credential-X get|store|erase.
//
// Secrets go through the program's standard input and output only, never through its arguments.
// Spec: docker-credential-helpers "Development".
#pragma once
#include "store/base/error.h"
#include "tools/registry/credentials/credential.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::registry {

class CredentialHelper {
public:
    // `name` is the X. Errors: EINVAL for what is no plain name, so that a file cannot make another
    // program of it.
    static Result<CredentialHelper> named(std::string_view name);

    // Nothing when the helper has none. Errors: ENOENT when the program is missing; EIO with what
    // it said when it fails; EINVAL when its answer is not understood.
    [[nodiscard]] Result<std::optional<Credential>> get(std::string const& key) const;
    [[nodiscard]] Status store(std::string const& key, Credential const& credential) const;
    [[nodiscard]] Status erase(std::string const& key) const;  // an absent one is a success

    [[nodiscard]] std::string const& program() const { return program_; }

private:
    explicit CredentialHelper(std::string program) : program_(std::move(program)) {}
    std::string program_;
};

}  // namespace oblea::registry
