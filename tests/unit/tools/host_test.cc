// SPDX-License-Identifier: MIT
#include "tools/host/host_capabilities.h"

#include "tests/support/catch.h"

using namespace oblea::tools;
using Catch::Matchers::Contains;
using Device = HostCapabilities::FuseDevice;

namespace {

HostCapabilities user_with_everything() {
    HostCapabilities host;
    host.kernel = {6, 18};
    host.fuse_device = Device::usable;
    host.fusermount = "/usr/bin/fusermount3";
    host.fusermount_privileged = true;
    host.user_allow_other = true;
    host.io_uring_enabled = true;
    host.user_namespaces = true;
    host.newuidmap = true;
    host.subordinate_uids = {{100000, 65536}};
    host.subordinate_gids = {{100000, 65536}};
    host.libfuse_version = "3.18.2";
    return host;
}

}  // namespace

TEST_CASE("kernel releases are read as distributions write them", "[tools][host]") {
    CHECK(parse_kernel_version("6.1.0-18-amd64") == KernelVersion{6, 1});
    CHECK(parse_kernel_version("6.18") == KernelVersion{6, 18});
    CHECK(parse_kernel_version("6.9-rc1") == KernelVersion{6, 9});
    CHECK(KernelVersion{6, 10} > kPassthroughSince);
    CHECK(!parse_kernel_version("linux").has_value());
    CHECK(!parse_kernel_version("").has_value());
}

TEST_CASE("fuse.conf counts lines that are no comment", "[tools][host]") {
    CHECK(parse_user_allow_other("user_allow_other\n"));
    CHECK(parse_user_allow_other("# x\n  user_allow_other # why\nmount_max = 1000"));
    CHECK(!parse_user_allow_other("#user_allow_other\n"));
    CHECK(!parse_user_allow_other(""));
}

TEST_CASE("subordinate ids are found by name and by number", "[tools][host]") {
    std::string const text = "ann:100000:65536\nbob:165536:65536\n1000:300000:10\nann:x:1\nann:5:0";
    CHECK(parse_subordinate_ids(text, "ann", 1000) ==
          std::vector<IdRange>{{100000, 65536}, {300000, 10}});
    CHECK(parse_subordinate_ids(text, "bob", 1001) == std::vector<IdRange>{{165536, 65536}});
    CHECK(parse_subordinate_ids(text, "eve", 1002).empty());
}

TEST_CASE("what keeps a user from mounting is named with its remedy", "[tools][host]") {
    auto host = user_with_everything();
    CHECK(judge_mount(host).what == "fusermount3");
    SECTION("no device") {
        host.fuse_device = Device::missing;
        CHECK(judge_mount(host).what == "none");
        CHECK_THAT(judge_mount(host).why, Contains("modprobe fuse"));
    }
    SECTION("no access to the device, whatever else there is") {
        host.fuse_device = Device::not_permitted;
        host.admin = true;
        CHECK(judge_mount(host).what == "none");
    }
    SECTION("no fusermount3") {
        host.fusermount.reset();
        CHECK(judge_mount(host).what == "none");
        CHECK_THAT(judge_mount(host).why, Contains("fuse3"));
    }
    SECTION("a fusermount3 without privilege") {
        host.fusermount_privileged = false;
        CHECK(judge_mount(host).what == "none");
        CHECK_THAT(judge_mount(host).why, Contains("setuid"));
    }
    SECTION("root needs none of it") {
        host.admin = true;
        host.fusermount.reset();
        CHECK(judge_mount(host).what == "mount(2)");
    }
}

TEST_CASE("passthrough and io_uring need the kernel and their switch", "[tools][host]") {
    auto host = user_with_everything();
    host.admin = true;
    CHECK(judge_passthrough(host).what == "yes");
    CHECK(judge_data(host).what == "passthrough");
    CHECK(judge_io_uring(host).what == "yes");
    SECTION("old libfuse") {
        host.libfuse_version = "3.14.0";
        CHECK(judge_passthrough(host).what == "no");
        CHECK(judge_data(host).what == "no-open");
        CHECK_THAT(judge_data(host).why, Contains(judge_passthrough(host).why));
        CHECK(judge_io_uring(host).what == "yes");  // our own rings
    }
    SECTION("no rings for this process") {
        host.no_rings = "not permitted";
        CHECK(judge_io_uring(host).what == "no");
        CHECK(judge_io_uring(host).why == "not permitted");
    }
    SECTION("old kernel") {
        host.kernel = {6, 1};
        CHECK(judge_passthrough(host).what == "no");
        CHECK(judge_io_uring(host).what == "no");
    }
    SECTION("no privilege") {
        host.admin = false;
        CHECK(judge_passthrough(host).what == "no");
        CHECK(judge_io_uring(host).what == "yes");
    }
    SECTION("switched off") {
        host.io_uring_enabled = false;
        CHECK_THAT(judge_io_uring(host).why, Contains("enable_uring"));
    }
}

TEST_CASE("the ids of a chroot depend on namespaces and ranges", "[tools][host]") {
    auto host = user_with_everything();
    CHECK(judge_ids(host).what == "subordinate range");
    SECTION("no ranges") {
        host.subordinate_gids.clear();
        CHECK(judge_ids(host).what == "one");
        CHECK_THAT(judge_ids(host).why, Contains("usermod"));
    }
    SECTION("no newuidmap") {
        host.newuidmap = false;
        CHECK(judge_ids(host).what == "one");
    }
    SECTION("no namespaces") {
        host.user_namespaces = false;
        CHECK(judge_ids(host).what == "none");
    }
    SECTION("root") {
        host.admin = true;
        CHECK(judge_ids(host).what == "all");
    }
}

TEST_CASE("other users see a mount where fuse.conf or privilege allows it", "[tools][host]") {
    auto host = user_with_everything();
    CHECK(judge_allow_other(host).what == "yes");
    host.user_allow_other = false;
    CHECK(judge_allow_other(host).what == "no");
    host.admin = true;
    CHECK(judge_allow_other(host).what == "yes");
}

TEST_CASE("probing this machine finds its kernel", "[tools][host]") {
    auto const host = probe_host();
    CHECK(host.kernel.major >= 4);
    CHECK(!host.kernel_release.empty());
    CHECK(!host.libfuse_version.empty());
}
