// SPDX-License-Identifier: MIT
// The header of a gzip member, taken byte by byte, so that it may lie across any number of reads.
//
// ISA-L has a parser of its own, which (2.30) loses its place when extra fields are cut in two.
// Pure but for its own state. Spec: RFC 1952 2.3 "Member format".
#pragma once
#include <cstddef>
#include <cstdint>

namespace oblea::store {

class GzipHeader {
public:
    enum class State { incomplete, complete, wrong };

    // One more byte; not to be called when the header is complete or wrong.
    State feed(std::byte byte);
    // What is wrong with it, for a message.
    [[nodiscard]] char const* fault() const { return fault_; }

private:
    enum class Part { fixed, extra_length, extra, name, comment, checksum, end };

    void enter_next_part();
    State take(std::uint8_t value);
    State wrong(char const* fault);

    Part part_ = Part::fixed;
    std::size_t at_ = 0;  // bytes of this part that were seen
    std::uint8_t flags_ = 0;
    std::uint32_t extra_bytes_ = 0;
    std::uint32_t stored_sum_ = 0;
    std::uint32_t sum_ = 0;
    char const* fault_ = "";
};

}  // namespace oblea::store
