// SPDX-License-Identifier: MIT
// What the decompressors share: the input in views, its position for messages, and errors that
// stick.
#pragma once
#include "store/base/byte_source.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::store {

class Decompressor : public base::ByteSource {
public:
    explicit Decompressor(base::ChunkSource& input) : input_(input) {}

    Result<std::size_t> read(base::MutableBytes buffer) final {
        if (failure_.has_value()) {
            return std::unexpected<Error>(*failure_);
        }
        auto produced = produce(buffer);
        if (!produced.has_value()) {
            failure_ = produced.error();
        }
        return produced;
    }

protected:
    virtual Result<std::size_t> produce(base::MutableBytes buffer) = 0;

    // Makes rest_ hold at least one byte; false at the end of the input.
    Result<bool> refill() {
        if (rest_.empty()) {
            rest_ = OBLEA_TRY(input_.next());
            fetched_ += rest_.size();
        }
        return !rest_.empty();
    }

    // Of the first byte of rest_, in the compressed stream.
    [[nodiscard]] std::uint64_t position() const { return fetched_ - rest_.size(); }

    [[nodiscard]] static std::unexpected<Error> damaged(std::string_view what, std::string_view why,
                                                        std::uint64_t position,
                                                        Errno code = Errno::einval) {
        std::string text{what};
        text += ": ";
        text += why;
        text += " near byte " + std::to_string(position) + " of the compressed stream";
        return fail(code, "", std::move(text));
    }

    base::ByteView rest_;

private:
    base::ChunkSource& input_;
    std::uint64_t fetched_ = 0;
    std::optional<Error> failure_;
};

}  // namespace oblea::store
