// SPDX-License-Identifier: MIT
// Feeds an index of any bytes, with its checksums made right, to everything that reads one. What
// check() passes must answer every question without contradiction, and its merge must pass, too.
#include "store/index/format.h"
#include "store/index/index.h"
#include "store/index/merge.h"
#include "tests/support/index_walk.h"

#include <cstdlib>

namespace {

using namespace oblea;
using store::Index;
using store::format::Header;

constexpr std::uint64_t kEntriesMax = 10'000;

void seal(base::Bytes& bytes) {
    auto const check = base::xxh3_128(base::ByteView{bytes}.subspan(sizeof(Header)));
    base::store_le(&bytes[offsetof(Header, file_bytes)], std::uint64_t{bytes.size()});
    base::store_le(&bytes[offsetof(Header, payload_check_low)], check.low);
    base::store_le(&bytes[offsetof(Header, payload_check_high)], check.high);
    auto const head = base::ByteView{bytes}.first(offsetof(Header, header_check));
    base::store_le(&bytes[offsetof(Header, header_check)], base::xxh3_64(head));
}

void require(bool fact) {
    if (!fact) {
        std::abort();
    }
}

void read_everything(base::Bytes bytes) {
    auto const index = Index::from_bytes(std::move(bytes), "fuzz");
    if (!index.has_value()) {
        return;
    }
    std::size_t const damaged = test::IndexWalk(*index).run(kEntriesMax);
    bool const whole = index->check().has_value();
    require(!whole || damaged == 0);
    if (index->kind() == store::IndexKind::layer) {
        auto merged = store::merge(std::vector<Index const*>{&*index, &*index});
        if (whole && merged.has_value()) {
            auto const both = Index::from_bytes(*std::move(merged), "merged");
            require(both.has_value() && both->check().has_value());
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const input = std::as_bytes(std::span{data, size});
    base::Bytes bytes(input.begin(), input.end());
    if (bytes.size() >= sizeof(Header)) {
        seal(bytes);
    }
    read_everything(std::move(bytes));
    return 0;
}
