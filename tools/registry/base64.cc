// SPDX-License-Identifier: MIT
#include "tools/registry/base64.h"

#include <cstdint>

namespace oblea::registry {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
    return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U;
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t const group =
            (byte_at(bytes, at) << 16U) | (byte_at(bytes, at + 1) << 8U) | byte_at(bytes, at + 2);
        std::size_t const digits = std::min<std::size_t>(bytes.size() - at, 3) + 1;
        for (std::size_t i = 0; i < 4; ++i) {
            text += i < digits ? kAlphabet[(group >> (18U - 6U * i)) & 63U] : '=';
        }
    }
    return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t group = 0;
    unsigned digits = 0;
    unsigned padding = 0;
    for (char const c : text) {
        if (c == '\r' || c == '\n') {
            continue;
        }
        auto const value = kAlphabet.find(c);
        if (c == '=' && digits >= 2) {
            ++padding;
            group <<= 6U;
        } else if (value != std::string_view::npos && padding == 0) {
            group = (group << 6U) | static_cast<std::uint32_t>(value);
        } else {
            return std::nullopt;
        }
        if (++digits == 4) {
            for (unsigned i = 0; i + padding < 3; ++i) {
                bytes += static_cast<char>((group >> (16U - 8U * i)) & 255U);
            }
            if (padding != 0) {
                digits = 5;  // nothing may follow
            } else {
                digits = 0;
                group = 0;
            }
        } else if (digits > 5) {
            return std::nullopt;
        }
    }
    if (digits != 0 && digits != 5) {
        return std::nullopt;
    }
    return bytes;
}

}  // namespace oblea::registry
