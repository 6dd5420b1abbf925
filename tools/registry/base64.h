// SPDX-License-Identifier: MIT
// Base64 with padding (RFC 4648 section 4), as credentials and Basic authentication use it.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace oblea::registry {

[[nodiscard]] std::string encode_base64(std::string_view bytes);

// Line breaks are skipped, as Go's decoder does. Nothing for what is no Base64.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace oblea::registry
