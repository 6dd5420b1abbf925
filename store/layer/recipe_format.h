// SPDX-License-Identifier: MIT
// The recipe of a layer on disk (FORMAT.md "Recipe"): constants only.
#pragma once
#include <cstddef>
#include <cstdint>

namespace oblea::store::recipe_format {

// Header, little-endian, without gaps:
inline constexpr std::size_t kHeaderBytes = 96;
inline constexpr char kMagic[9] = "OBLEARCP";       // at 0, 8 bytes
inline constexpr std::size_t kVersionAt = 8;        // u32
inline constexpr std::size_t kFeaturesAt = 12;      // u32, required ones; none known
inline constexpr std::size_t kTarBytesAt = 16;      // u64, length of the tar
inline constexpr std::size_t kBodyBytesAt = 24;     // u64, length of the compressed body
inline constexpr std::size_t kRecordsBytesAt = 32;  // u64, of the body once decompressed
inline constexpr std::size_t kObjectsAt = 40;       // u64, different objects
inline constexpr std::size_t kDiffIdAt = 48;        // 32 bytes
inline constexpr std::size_t kBodyCheckAt = 80;     // u64, of the compressed body; 0: none
inline constexpr std::size_t kHeaderCheckAt = 88;   // u64, XXH3-64 of the bytes before
inline constexpr std::uint32_t kVersion = 1;

// The body's check is XXH3-64 of its pieces of this length, each seeded with the check of those
// before it, the first with 0.
inline constexpr std::size_t kBodyCheckPieceBytes = 1U << 20U;

// Records of the body. Never renumber. Numbers are LEB128 of at most 10 bytes.
inline constexpr std::uint8_t kEnd = 0;
inline constexpr std::uint8_t kLiteral = 1;      // length, bytes
inline constexpr std::uint8_t kPack = 2;         // offset, length
inline constexpr std::uint8_t kNewObject = 3;    // SHA-256 (32 bytes), length
inline constexpr std::uint8_t kKnownObject = 4;  // number among the new ones, length

}  // namespace oblea::store::recipe_format
