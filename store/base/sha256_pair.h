// SPDX-License-Identifier: MIT
// SHA-256's compression function for two states that take the same blocks.
//
// The rounds of one state wait for each other, so that a processor with SHA instructions is half
// idle: two states take the time of one, and the message schedule is shared. Pure.
// Spec: FIPS 180-4 6.2.2; Intel 64 manual "SHA256RNDS2".
#pragma once
#include "store/base/bytes.h"

#include <array>
#include <cstdint>

namespace oblea::base {

inline constexpr std::size_t kSha256BlockBytes = 64;

using Sha256Words = std::array<std::uint32_t, 8>;  // a to h

// Whether this processor has what sha256_blocks_of_pair() is made of.
[[nodiscard]] bool has_sha256_pair();

// `blocks` is a multiple of kSha256BlockBytes. Only where has_sha256_pair().
void sha256_blocks_of_pair(Sha256Words& one, Sha256Words& other, ByteView blocks);

}  // namespace oblea::base
