// SPDX-License-Identifier: MIT
#include "store/base/sha256_pair.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace oblea::base {

#if defined(__x86_64__)

#define OBLEA_WITH_SHA __attribute__((target("sha,sse4.1")))

namespace {

alignas(16) constexpr std::array<std::uint32_t, 64> kRoundConstants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

constexpr unsigned kSteps = 16;           // of four rounds
constexpr unsigned kScheduledSteps = 12;  // those that make the words of a later one

OBLEA_WITH_SHA __m128i load(void const* at) {
    return _mm_loadu_si128(static_cast<__m128i const*>(at));
}

OBLEA_WITH_SHA void store(void* at, __m128i value) {
    _mm_storeu_si128(static_cast<__m128i*>(at), value);
}

// A state as the instructions want it: its words as a, b, e, f and c, d, g, h.
struct State {
    __m128i abef;
    __m128i cdgh;
};

OBLEA_WITH_SHA State load_state(Sha256Words const& words) {
    __m128i const badc = _mm_shuffle_epi32(load(words.data()), 0xB1);
    __m128i const hgfe = _mm_shuffle_epi32(load(words.data() + 4), 0x1B);
    return {_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xF0)};
}

OBLEA_WITH_SHA void store_state(State const& state, Sha256Words& words) {
    __m128i const feba = _mm_shuffle_epi32(state.abef, 0x1B);
    __m128i const dchg = _mm_shuffle_epi32(state.cdgh, 0xB1);
    store(words.data(), _mm_blend_epi16(feba, dchg, 0xF0));
    store(words.data() + 4, _mm_alignr_epi8(dchg, feba, 8));
}

OBLEA_WITH_SHA void add(State& state, State const& more) {
    state.abef = _mm_add_epi32(state.abef, more.abef);
    state.cdgh = _mm_add_epi32(state.cdgh, more.cdgh);
}

OBLEA_WITH_SHA void take_block(State& one, State& other, std::byte const* block) {
    __m128i const big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    State const one_before = one;
    State const other_before = other;
    __m128i words[4];  // of this step and the three that follow
    for (std::size_t i = 0; i < std::size(words); ++i) {
        words[i] = _mm_shuffle_epi8(load(block + 16 * i), big_endian);
    }
#pragma GCC unroll 16
    for (unsigned step = 0; step < kSteps; ++step) {
        __m128i& now = words[step % 4];
        __m128i const last = words[(step + 3) % 4];
        __m128i const low = _mm_add_epi32(now, load(&kRoundConstants[std::size_t{4} * step]));
        __m128i const high = _mm_shuffle_epi32(low, 0x0E);
        one.cdgh = _mm_sha256rnds2_epu32(one.cdgh, one.abef, low);
        other.cdgh = _mm_sha256rnds2_epu32(other.cdgh, other.abef, low);
        one.abef = _mm_sha256rnds2_epu32(one.abef, one.cdgh, high);
        other.abef = _mm_sha256rnds2_epu32(other.abef, other.cdgh, high);
        if (step < kScheduledSteps) {
            __m128i const sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, words[(step + 1) % 4]),
                                              _mm_alignr_epi8(last, words[(step + 2) % 4], 4));
            now = _mm_sha256msg2_epu32(sum, last);
        }
    }
    add(one, one_before);
    add(other, other_before);
}

}  // namespace

bool has_sha256_pair() {
    return __builtin_cpu_supports("sha") != 0 && __builtin_cpu_supports("sse4.1") != 0;
}

OBLEA_WITH_SHA void sha256_blocks_of_pair(Sha256Words& one, Sha256Words& other, ByteView blocks) {
    State first = load_state(one);
    State second = load_state(other);
    for (; blocks.size() >= kSha256BlockBytes; blocks = blocks.subspan(kSha256BlockBytes)) {
        take_block(first, second, blocks.data());
    }
    store_state(first, one);
    store_state(second, other);
}

#else

bool has_sha256_pair() {
    return false;
}

void sha256_blocks_of_pair(Sha256Words&, Sha256Words&, ByteView) {}

#endif

}  // namespace oblea::base
