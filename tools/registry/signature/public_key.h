// SPDX-License-Identifier: MIT
// A public key, and whether it verifies a signature: ECDSA and RSA over SHA-256, Ed25519, as cosign
// makes them. By OpenSSL.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"

#include <memory>
#include <string_view>

namespace oblea::registry {

class PublicKey {
public:
    // Errors: EINVAL for what is no public key in PEM, or one of another or too weak a kind; `what`
    // names it.
    static Result<PublicKey> parse_pem(std::string_view pem, std::string_view what);

    [[nodiscard]] bool verifies(base::ByteView text, base::ByteView signature) const;

private:
    struct Free {
        void operator()(void* key) const noexcept;
    };
    explicit PublicKey(void* key) : key_(key) {}
    std::unique_ptr<void, Free> key_;
};

}  // namespace oblea::registry
