// SPDX-License-Identifier: MIT
// Access lists as file systems store them, written by tests.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>

namespace oblea::test {

// Numbered as in linux/posix_acl.h.
enum class AclTag : std::uint8_t {
    owner = 0x01,
    user = 0x02,
    group = 0x04,
    mask = 0x10,
    others = 0x20
};

struct AclEntry {
    AclTag tag;
    std::uint8_t permissions;
    std::uint32_t id = ~std::uint32_t{0};
};

inline std::string acl(std::initializer_list<AclEntry> entries) {
    std::string text{"\2\0\0\0", 4};
    for (AclEntry const& entry : entries) {
        text += {static_cast<char>(entry.tag), '\0', static_cast<char>(entry.permissions), '\0'};
        for (unsigned shift = 0; shift < 32; shift += 8) {
            text += static_cast<char>((entry.id >> shift) & 0xffU);
        }
    }
    return text;
}

}  // namespace oblea::test
