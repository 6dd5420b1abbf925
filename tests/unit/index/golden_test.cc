// SPDX-License-Identifier: MIT
// Indexes as earlier versions of the program wrote them: they open for ever, and the same layers
// still give the same bytes.
#include "tests/support/catch.h"
#include "tests/support/index_walk.h"
#include "tests/support/tree_listing.h"
#include "tests/unit/index/sample_trees.h"

#include "store/base/sys.h"

namespace {

using namespace oblea;
using namespace oblea::test;
using store::Index;

struct Golden {
    char const* file;
    base::Bytes (*bytes)();
    std::size_t names;
};

std::vector<Golden> goldens() {
    return {{"v1-lower.index", &sample_lower, 28},
            {"v1-upper.index", &sample_upper, 14},
            {"v1-merged.index", &sample_merged, 25}};
}

std::string golden_path(Golden const& golden) {
    return std::string{OBLEA_GOLDEN_DIR} + "/layers/" + golden.file;
}

TEST_CASE("golden indexes open and hold what they held", "[index][golden]") {
    for (Golden const& golden : goldens()) {
        CAPTURE(golden.file);
        Index const index = value_of(
            Index::open(value_of(base::sys::open(golden_path(golden), O_RDONLY)), golden.file));
        value_of(index.check());
        CHECK(IndexWalk(index).run(10'000) == 0);
        CHECK(listing(index).size() == golden.names);
        CHECK(listing(index) == listing(open_index(golden.bytes())));
    }
}

TEST_CASE("the same layers give the same bytes as ever", "[index][golden]") {
    for (Golden const& golden : goldens()) {
        CAPTURE(golden.file);
        std::string const stored =
            value_of(base::sys::read_file(AT_FDCWD, golden_path(golden).c_str(), 1U << 20U));
        CHECK(base::sha256(stored) == base::sha256(base::ByteView{golden.bytes()}));
    }
}

// unit_index "[.write-golden]" makes the files anew; for a new version of the format, under new
// names.
TEST_CASE("golden indexes are written", "[.write-golden]") {
    for (Golden const& golden : goldens()) {
        base::Bytes const bytes = golden.bytes();
        value_of(base::sys::replace_file(AT_FDCWD, golden_path(golden).c_str(),
                                         base::text_of(bytes), 0644, base::sys::Sync::no));
    }
}

}  // namespace
