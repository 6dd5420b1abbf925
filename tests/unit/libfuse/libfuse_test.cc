// SPDX-License-Identifier: MIT
// The libfuse that is linked is the one that the build chose: with two of them on a machine the
// linker easily takes the other.
#define FUSE_USE_VERSION 314

#include "tests/support/catch.h"

#include <fuse_lowlevel.h>

#include <cerrno>
#include <string>

TEST_CASE("the linked libfuse has the version that its headers and the build name", "[libfuse]") {
    std::string const linked = fuse_pkgversion();
    CHECK(linked == OBLEA_LIBFUSE_VERSION);
    CHECK(fuse_version() == FUSE_VERSION);
}

#if OBLEA_LIBFUSE_BUNDLED
TEST_CASE("the bundled libfuse knows passthrough and lets us read and write", "[libfuse]") {
    CHECK(fuse_version() >= FUSE_MAKE_VERSION(3, 18));
    CHECK(&fuse_passthrough_open != nullptr);
    fuse_lowlevel_ops const none{};
    std::string name = "test";
    char* argument = name.data();
    fuse_args arguments = FUSE_ARGS_INIT(1, &argument);
    fuse_session* const session = fuse_session_new(&arguments, &none, sizeof(none), nullptr);
    REQUIRE(session != nullptr);
    fuse_custom_io const ways{};
    CHECK(fuse_session_custom_io(session, &ways, 0) == -EINVAL);  // -ENOTSUP where it may not
    fuse_session_destroy(session);
    fuse_opt_free_args(&arguments);
}
#endif
