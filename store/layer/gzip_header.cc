// SPDX-License-Identifier: MIT
#include "store/layer/gzip_header.h"

#include <isa-l/crc.h>

#include <array>

namespace oblea::store {

namespace {
constexpr std::size_t kFixedBytes = 10;
constexpr std::uint8_t kHasChecksum = 2;
constexpr std::uint8_t kHasExtra = 4;
constexpr std::uint8_t kHasName = 8;
constexpr std::uint8_t kHasComment = 16;
constexpr std::uint8_t kReserved = 0xe0;
}  // namespace

GzipHeader::State GzipHeader::feed(std::byte byte) {
    auto const value = std::to_integer<std::uint8_t>(byte);
    if (part_ != Part::checksum) {
        std::array<unsigned char, 1> const one{value};
        sum_ = crc32_gzip_refl(sum_, one.data(), one.size());
    }
    State const state = take(value);
    ++at_;
    return state == State::wrong || part_ != Part::end ? state : State::complete;
}

GzipHeader::State GzipHeader::wrong(char const* fault) {
    fault_ = fault;
    return State::wrong;
}

// `at_` is counted up after this byte: a new part begins with -1, so to speak.
void GzipHeader::enter_next_part() {
    static constexpr std::array kOrder{Part::fixed, Part::extra_length, Part::extra,
                                       Part::name,  Part::comment,      Part::checksum};
    static constexpr std::array<std::uint8_t, 6> kNeeds{0,        kHasExtra,   kHasExtra,
                                                        kHasName, kHasComment, kHasChecksum};
    for (std::size_t next = static_cast<std::size_t>(part_) + 1; next < kOrder.size(); ++next) {
        bool const empty_extra = kOrder[next] == Part::extra && extra_bytes_ == 0;
        if ((flags_ & kNeeds[next]) != 0 && !empty_extra) {
            part_ = kOrder[next];
            at_ = static_cast<std::size_t>(-1);
            return;
        }
    }
    part_ = Part::end;
}

GzipHeader::State GzipHeader::take(std::uint8_t value) {
    switch (part_) {
    case Part::fixed:
        if ((at_ == 0 && value != 0x1f) || (at_ == 1 && value != 0x8b)) {
            return wrong("no gzip header");
        }
        if (at_ == 2 && value != 8) {
            return wrong("unknown method of compression");
        }
        if (at_ == 3) {
            flags_ = value;
            if ((flags_ & kReserved) != 0) {
                return wrong("unknown flags in its header");
            }
        }
        if (at_ == kFixedBytes - 1) {
            enter_next_part();
        }
        break;
    case Part::extra_length:
        extra_bytes_ |= static_cast<std::uint32_t>(value) << (8 * at_);
        if (at_ == 1) {
            enter_next_part();
        }
        break;
    case Part::extra:
        if (at_ + 1 == extra_bytes_) {
            enter_next_part();
        }
        break;
    case Part::name:
    case Part::comment:
        if (value == 0) {
            enter_next_part();
        }
        break;
    case Part::checksum:
        stored_sum_ |= static_cast<std::uint32_t>(value) << (8 * at_);
        if (at_ == 1) {
            if (stored_sum_ != (sum_ & 0xffffU)) {
                return wrong("wrong checksum of its header");
            }
            enter_next_part();
        }
        break;
    case Part::end:
        break;
    }
    return State::incomplete;
}

}  // namespace oblea::store
