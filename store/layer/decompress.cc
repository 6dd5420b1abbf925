// SPDX-License-Identifier: MIT
#include "store/layer/decompress.h"

#include "store/layer/decompressor.h"
#include "store/layer/gzip_header.h"
#include "store/layer/zstd_source.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <limits>

namespace oblea::store {

namespace {

using base::ByteView;
using base::MutableBytes;

bool starts_with(ByteView head, std::string_view magic) {
    return base::text_of(head).starts_with(magic);
}

bool is_zstd(ByteView head) {
    bool const skippable = head.size() >= 4 &&
                           (std::to_integer<unsigned>(head[0]) & 0xf0U) == 0x50U &&
                           starts_with(head.subspan(1), "\x2a\x4d\x18");
    return skippable || starts_with(head, "\x28\xb5\x2f\xfd");
}

class PlainSource final : public Decompressor {
public:
    using Decompressor::Decompressor;

private:
    Result<std::size_t> produce(MutableBytes buffer) override {
        if (!OBLEA_TRY(refill())) {
            return 0;
        }
        std::size_t const count = std::min(buffer.size(), rest_.size());
        std::copy_n(rest_.begin(), count, buffer.begin());
        rest_ = rest_.subspan(count);
        return count;
    }
};

class GzipSource final : public Decompressor {
public:
    explicit GzipSource(base::ChunkSource& input)
        : Decompressor(input), state_(std::make_unique<inflate_state>()) {}

private:
    enum class Place { before_member, in_header, in_data, in_padding };

    static constexpr char const* kKind = "gzip data is damaged";

    Result<std::size_t> produce(MutableBytes buffer) override {
        for (;;) {
            bool const more = OBLEA_TRY(refill());
            if (place_ == Place::in_data) {
                // Without input there may still be output inside the state.
                std::size_t const count = OBLEA_TRY(inflate(buffer));
                if (count > 0) {
                    return count;
                }
            }
            if (!more) {
                if (place_ == Place::in_header || place_ == Place::in_data) {
                    return damaged(kKind, "it ends in the middle of a member", position());
                }
                return 0;
            }
            if (place_ != Place::in_data && !rest_.empty()) {
                OBLEA_TRY(take_between_data());
            }
        }
    }

    Status take_between_data() {
        if (place_ == Place::before_member) {
            // After the first member there may be zero bytes to fill a block.
            bool const padding = !first_ && rest_[0] == std::byte{0};
            place_ = padding ? Place::in_padding : Place::in_header;
            header_ = {};
            first_ = false;
        }
        return place_ == Place::in_padding ? take_padding() : take_header();
    }

    Status take_padding() {
        auto const other = std::find_if(rest_.begin(), rest_.end(),
                                        [](std::byte byte) { return byte != std::byte{0}; });
        rest_ = rest_.subspan(static_cast<std::size_t>(other - rest_.begin()));
        if (!rest_.empty()) {
            return damaged(kKind, "something follows the padding after its end", position());
        }
        return {};
    }

    Status take_header() {
        while (!rest_.empty()) {
            GzipHeader::State const state = header_.feed(rest_[0]);
            rest_ = rest_.subspan(1);
            if (state == GzipHeader::State::wrong) {
                return damaged(kKind, header_.fault(), position());
            }
            if (state == GzipHeader::State::complete) {
                place_ = Place::in_data;
                return begin_data();
            }
        }
        return {};
    }

    // ISA-L gets the plainest of headers, in one piece: it checks the trailer, over any number of
    // reads, only of streams whose header it has seen itself.
    Status begin_data() {
        static constexpr std::array<std::uint8_t, 10> kPlainHeader{0x1f, 0x8b, 8, 0, 0,
                                                                   0,    0,    0, 0, 0xff};
        isal_inflate_init(state_.get());
        state_->crc_flag = ISAL_GZIP;
        std::array header = kPlainHeader;
        std::array<std::uint8_t, 1> nothing{};
        state_->next_in = header.data();
        state_->avail_in = header.size();
        state_->next_out = nothing.data();
        state_->avail_out = 0;
        int const outcome = isal_inflate(state_.get());
        bool const taken = outcome == ISAL_DECOMP_OK || outcome == ISAL_END_INPUT;
        return taken && state_->avail_in == 0 ? Status{}
                                              : Status{damaged(kKind, "no header", position())};
    }

    Result<std::size_t> inflate(MutableBytes buffer) {
        constexpr std::size_t kMost = 1U << 30U;
        std::size_t const input = std::min(rest_.size(), kMost);
        std::size_t const room = std::min(buffer.size(), kMost);
        state_->next_in = const_cast<std::uint8_t*>(base::uchars_of(rest_));
        state_->avail_in = static_cast<std::uint32_t>(input);
        state_->next_out = base::uchars_of(buffer);
        state_->avail_out = static_cast<std::uint32_t>(room);
        int const outcome = isal_inflate(state_.get());
        // After a fault ISA-L may claim to have given back more than it got this time.
        bool const failed =
            (outcome != ISAL_DECOMP_OK && outcome != ISAL_END_INPUT) || state_->avail_in > input;
        if (failed) {
            return damaged(kKind,
                           outcome == ISAL_INCORRECT_CHECKSUM ? "wrong checksum or length"
                                                              : "bad deflate data",
                           position());
        }
        rest_ = rest_.subspan(input - state_->avail_in);
        if (state_->block_state == ISAL_BLOCK_FINISH) {
            place_ = Place::before_member;
        }
        return room - state_->avail_out;
    }

    std::unique_ptr<inflate_state> state_;
    GzipHeader header_;
    Place place_ = Place::before_member;
    bool first_ = true;
};

}  // namespace

Compression detect_compression(ByteView head) {
    if (starts_with(head, "\x1f\x8b\x08")) {
        return Compression::gzip;
    }
    return is_zstd(head) ? Compression::zstd : Compression::none;
}

std::string_view foreign_compression(ByteView head) {
    using namespace std::string_view_literals;
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kForeign{{
        {"\xfd\x37\x7a\x58\x5a\x00"sv, "xz"},
        {"BZh", "bzip2"},
        {"\x04\x22\x4d\x18"sv, "lz4"},
        {"\x1f\x9d"sv, "compress"},
        {"LZIP", "lzip"},
        {"PK\x03\x04"sv, "zip"},
    }};
    for (auto const& [magic, name] : kForeign) {
        if (starts_with(head, magic)) {
            return name;
        }
    }
    return {};
}

Result<ByteView> PeekedSource::peek() {
    base::Bytes head(kMagicBytes);
    head.resize(OBLEA_TRY(base::read_full(source_, head)));
    head_ = std::move(head);
    taken_ = 0;
    return ByteView{head_};
}

Result<std::size_t> PeekedSource::read(MutableBytes buffer) {
    if (taken_ == head_.size()) {
        return source_.read(buffer);
    }
    std::size_t const count = std::min(buffer.size(), head_.size() - taken_);
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(taken_), count, buffer.begin());
    taken_ += count;
    return count;
}

std::unique_ptr<base::ByteSource>
make_decompressor(Compression compression, base::ChunkSource& compressed, Threading threading) {
    switch (compression) {
    case Compression::gzip:
        return std::make_unique<GzipSource>(compressed);
    case Compression::zstd:
        return make_zstd_source(compressed, threading);
    case Compression::none:
        break;
    }
    return std::make_unique<PlainSource>(compressed);
}

}  // namespace oblea::store
