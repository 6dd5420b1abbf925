// SPDX-License-Identifier: MIT
#include "tools/cli/mount_helper.h"

#include "tests/support/catch.h"

using namespace oblea::tools;
using Words = std::vector<std::string>;

TEST_CASE("mount(8)'s words become those of oblea mount", "[tools][mount_helper]") {
    auto const [arguments, expected] = GENERATE(table<Words, Words>({
        {{"debian", "/mnt"}, {"mount", "--", "debian", "/mnt"}},
        {{"debian", "/mnt", "-o", "rw,nosuid,nodev"}, {"mount", "--", "debian", "/mnt"}},
        {{"debian", "/mnt", "-n", "-v", "-o", "ro,suid,dev,allow_other"},
         {"mount", "--read-only", "--suid", "--dev", "--allow-other", "--", "debian", "/mnt"}},
        {{"-t", "fuse.oblea", "-o", "upper=/u,name=n", "-o", "root=/r", "a:b", "/mnt"},
         {"mount", "--upper", "/u", "--name", "n", "--root", "/r", "--", "a:b", "/mnt"}},
        {{"debian", "/mnt", "-o", "defaults,nofail,x-systemd.automount,_netdev,comment=x"},
         {"mount", "--", "debian", "/mnt"}},
        {{"debian", "/mnt", "-s", "-o", "frob=1"}, {"mount", "--", "debian", "/mnt"}},
    }));
    CAPTURE(arguments);
    auto const words = translate_mount_helper(arguments);
    REQUIRE(words.has_value());
    CHECK(*words == expected);
}

TEST_CASE("a dry run of mount(8) mounts nothing", "[tools][mount_helper]") {
    auto const words = translate_mount_helper(Words{"debian", "/mnt", "-f"});
    REQUIRE(words.has_value());
    CHECK(!words->has_value());
}

TEST_CASE("what mount(8) asks and oblea does not know is an error", "[tools][mount_helper]") {
    CHECK(!translate_mount_helper(Words{"debian", "/mnt", "-o", "frob"}).has_value());
    CHECK(!translate_mount_helper(Words{"debian", "/mnt", "-o", "noexec"}).has_value());
    CHECK(!translate_mount_helper(Words{"debian"}).has_value());
    CHECK(!translate_mount_helper(Words{"debian", "/mnt", "-o"}).has_value());
    CHECK(!translate_mount_helper(Words{"debian", "/mnt", "-x"}).has_value());
}
