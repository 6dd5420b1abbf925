// SPDX-License-Identifier: MIT
#include "tools/registry/signature/public_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <limits>
#include <string>

namespace oblea::registry {

namespace {

constexpr int kRsaBitsMin = 2048;

struct FreeBio {
    void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
};
struct FreeContext {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

EVP_PKEY* of(void* key) {
    return static_cast<EVP_PKEY*>(key);
}

unsigned char const* bytes_for(base::ByteView view) {
    return static_cast<unsigned char const*>(static_cast<void const*>(view.data()));
}

}  // namespace

void PublicKey::Free::operator()(void* key) const noexcept {
    EVP_PKEY_free(of(key));
}

Result<PublicKey> PublicKey::parse_pem(std::string_view pem, std::string_view what) {
    std::string const name{what};
    if (pem.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        return fail(Errno::einval, "", name + " is no public key in PEM");
    }
    std::unique_ptr<BIO, FreeBio> const bio{
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    PublicKey key{bio == nullptr ? nullptr
                                 : PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr)};
    ERR_clear_error();
    if (key.key_ == nullptr) {
        return fail(Errno::einval, "", name + " is no public key in PEM");
    }
    int const kind = EVP_PKEY_get_base_id(of(key.key_.get()));
    bool const strong =
        kind != EVP_PKEY_RSA || EVP_PKEY_get_bits(of(key.key_.get())) >= kRsaBitsMin;
    if ((kind != EVP_PKEY_EC && kind != EVP_PKEY_RSA && kind != EVP_PKEY_ED25519) || !strong) {
        return fail(Errno::einval, "",
                    name + " is neither an ECDSA, Ed25519 nor (of 2048 bits) an RSA key");
    }
    return key;
}

bool PublicKey::verifies(base::ByteView text, base::ByteView signature) const {
    std::unique_ptr<EVP_MD_CTX, FreeContext> const context{EVP_MD_CTX_new()};
    bool const hashes_itself = EVP_PKEY_get_base_id(of(key_.get())) == EVP_PKEY_ED25519;
    bool const begun =
        context != nullptr &&
        EVP_DigestVerifyInit(context.get(), nullptr, hashes_itself ? nullptr : EVP_sha256(),
                             nullptr, of(key_.get())) == 1;
    bool const holds =
        begun && EVP_DigestVerify(context.get(), bytes_for(signature), signature.size(),
                                  bytes_for(text), text.size()) == 1;
    ERR_clear_error();
    return holds;
}

}  // namespace oblea::registry
