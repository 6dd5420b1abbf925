// SPDX-License-Identifier: MIT
#include "fs/fuse/attach.h"
#include "tests/support/catch.h"

#include <string>
#include <tuple>

using namespace oblea;
using namespace oblea::fs;

TEST_CASE("the kernel's options name descriptor, root type and owner", "[fuse][attach]") {
    MountOptions options;
    CHECK(kernel_options(5, 0040000, 1000, 100, options) ==
          "fd=5,rootmode=40000,user_id=1000,group_id=100,default_permissions");
    options.access = MountOptions::Access::allow_other;
    CHECK(kernel_options(5, 0040000, 0, 0, options) ==
          "fd=5,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other");
    options.access = MountOptions::Access::owner_only;
    options.selinux_context =
        "u:r:t:c1,c2";  // without quotes the kernel would take c2 for an option
    CHECK(kernel_options(5, 0040000, 0, 0, options) ==
          "fd=5,rootmode=40000,user_id=0,group_id=0,default_permissions,context=\"u:r:t:c1,c2\"");
}

TEST_CASE("fusermount3's options are safe unless the caller widens them", "[fuse][attach]") {
    MountOptions options;
    CHECK(fusermount_options(options) ==
          "fsname=oblea,subtype=oblea,default_permissions,nosuid,nodev,noatime");
    options.read_only = MountOptions::ReadOnly::yes;
    options.access = MountOptions::Access::allow_other;
    CHECK(fusermount_options(options) ==
          "fsname=oblea,subtype=oblea,default_permissions,nosuid,nodev,noatime,ro,allow_other");
}

TEST_CASE("what fusermount3 says becomes a cause and a way out", "[fuse][attach]") {
    auto const [said, code, expected] = GENERATE(table<std::string, Errno, std::string>(
        {{"fusermount3: option allow_other only allowed if 'user_allow_other' is set in "
          "/etc/fuse.conf\n",
          Errno::eperm, "user_allow_other"},
         {"fusermount3: too many FUSE filesystems mounted; mount_max=N can be set in "
          "/etc/fuse.conf\n",
          Errno::eperm, "mount_max"},
         {"fusermount3: user has no write access to mountpoint /srv\n", Errno::eperm,
          "folders of his own"},
         {"fusermount3: entry for /srv not found in /etc/mtab\n", Errno::einval,
          "nothing of yours"},
         {"fusermount3: failed to unmount /srv: Device or resource busy\n", Errno::ebusy, "/srv"},
         {"fusermount3: something\nnew\n", Errno::eperm, "fusermount3: something new"},
         {"", Errno::eperm, "without a message"}}));
    CAPTURE(said);
    Error const error = explain_fusermount(said, "/srv");
    CHECK(error.code == code);
    CHECK_THAT(error.message(), Catch::Matchers::Contains(expected));
}

TEST_CASE("a path lies within itself and its parents, not within its namesakes", "[fuse][attach]") {
    CHECK(is_within("/a/b", "/a"));
    CHECK(is_within("/a", "/a"));
    CHECK(is_within("/a", "/"));
    CHECK_FALSE(is_within("/ab", "/a"));
    CHECK_FALSE(is_within("/a", "/a/b"));
}

TEST_CASE("attaching to a bad mount point says what is wrong with it", "[fuse][attach]") {
    auto const missing = attach("/nonexistent/oblea", {});
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == Errno::enoent);
    CHECK_THAT(missing.error().message(), Catch::Matchers::Contains("does not exist"));

    auto const file = attach("/proc/self/status", {});
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error().code == Errno::enotdir);
    CHECK_THAT(file.error().message(), Catch::Matchers::Contains("not a folder"));
}

TEST_CASE("a mount point above what the server needs is refused", "[fuse][attach]") {
    MountOptions options;
    options.needed_paths = {"/usr/bin"};
    auto const covering = attach("/usr", options);
    REQUIRE_FALSE(covering.has_value());
    CHECK(covering.error().code == Errno::einval);
    CHECK_THAT(covering.error().message(), Catch::Matchers::Contains("/usr/bin"));
}

TEST_CASE("unmounting refuses what is not ours", "[fuse][attach]") {
    CHECK(unmount("/nonexistent/oblea", Lazy::no).error().code == Errno::enoent);
    CHECK(unmount("/usr", Lazy::no).error().code == Errno::einval);
    auto const proc = unmount("/proc", Lazy::no);
    REQUIRE_FALSE(proc.has_value());
    CHECK(proc.error().code == Errno::einval);
    CHECK_THAT(proc.error().message(), Catch::Matchers::Contains("of type proc"));
}
