// SPDX-License-Identifier: MIT
// The libfuse that is linked is the one that the build chose: with two of them on a machine the
// linker easily takes the other.
#define FUSE_USE_VERSION 314

#include "tests/support/catch.h"

#include <fuse_lowlevel.h>

#include <string>

TEST_CASE("the linked libfuse has the version that its headers and the build name", "[libfuse]") {
    std::string const linked = fuse_pkgversion();
    CHECK(linked == OBLEA_LIBFUSE_VERSION);
    CHECK(fuse_version() == FUSE_VERSION);
}

#if OBLEA_LIBFUSE_BUNDLED
TEST_CASE("the bundled libfuse knows passthrough and io_uring", "[libfuse]") {
    CHECK(fuse_version() >= FUSE_MAKE_VERSION(3, 18));
    CHECK(&fuse_passthrough_open != nullptr);
    CHECK(&fuse_req_is_uring != nullptr);
}
#endif
