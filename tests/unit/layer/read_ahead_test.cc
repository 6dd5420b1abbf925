// SPDX-License-Identifier: MIT
#include "store/layer/read_ahead.h"

#include "tests/support/catch.h"
#include "tests/unit/layer/layer_store.h"

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;

namespace {

class EndlessSource final : public base::ByteSource {
public:
    Result<std::size_t> read(base::MutableBytes buffer) override { return buffer.size(); }
};

class ThrowingSource final : public base::ByteSource {
public:
    Result<std::size_t> read(base::MutableBytes) override { throw std::bad_alloc(); }
};

}  // namespace

TEST_CASE("a stage hands on what it reads", "[layer][read_ahead]") {
    auto const threading = GENERATE(Threading::own, Threading::caller);
    std::string text;
    for (int i = 0; i < 20000; ++i) {
        text += std::to_string(i);
    }
    StepSource source{text, 777};
    auto const stage =
        make_read_ahead(source, {.threading = threading, .chunk_bytes = 1000, .chunks = 3});
    std::string passed;
    for (;;) {
        auto const chunk = stage->next().value();
        if (chunk.empty()) {
            break;
        }
        passed += base::text_of(chunk);
    }
    CHECK(passed == text);
    CHECK(stage->next()->empty());
}

TEST_CASE("a stage may be left before its end", "[layer][read_ahead]") {
    EndlessSource source;
    auto const stage = make_read_ahead(source, {.chunk_bytes = 1000});
    CHECK(stage->next()->size() == 1000);
}

TEST_CASE("an exception in a stage becomes its error", "[layer][read_ahead]") {
    ThrowingSource source;
    auto const stage = make_read_ahead(source, {.chunk_bytes = 1000});
    CHECK(stage->next().error().code == Errno::enomem);
}
