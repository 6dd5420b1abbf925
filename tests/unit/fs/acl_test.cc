// SPDX-License-Identifier: MIT
// POSIX access lists: inheritance, decided and carried out, beside what the file system beneath
// does.
#include "fs/plan/acl.h"
#include "tests/unit/fs/acl_text.h"
#include "tests/unit/fs/fixture.h"

using namespace oblea;
using namespace oblea::test;
using fs::kAclAccess;
using fs::kAclDefault;

namespace {

constexpr std::uint32_t kUser = 1234;

std::string list_with_mask() {
    return acl({{AclTag::owner, 7},
                {AclTag::user, 7, kUser},
                {AclTag::group, 5},
                {AclTag::mask, 7},
                {AclTag::others, 5}});
}

}  // namespace

TEST_CASE("a default list says what a new inode gets", "[fs][plan][acl]") {
    SECTION("within what its maker asked for, whatever the umask") {
        auto const made = value_of(fs::inherit_acl(list_with_mask(), 0640));
        CHECK(made.permissions == 0640);
        CHECK(made.access == acl({{AclTag::owner, 6},
                                  {AclTag::user, 7, kUser},
                                  {AclTag::group, 5},
                                  {AclTag::mask, 4},
                                  {AclTag::others, 0}}));
    }
    SECTION("as permissions alone where the list has the three classes only") {
        std::string const list = acl({{AclTag::owner, 7}, {AclTag::group, 5}, {AclTag::others, 0}});
        auto const made = value_of(fs::inherit_acl(list, 02777));
        CHECK(made.permissions == 02750);
        CHECK_FALSE(made.access.has_value());
    }
    SECTION("unless it is damaged") {
        std::string const list = list_with_mask();
        for (std::string const& bad :
             {std::string{}, list.substr(0, 3), list.substr(0, list.size() - 1),
              "\1" + list.substr(1), list.substr(0, 4), acl({{AclTag{3}, 7}}),
              acl({{AclTag::owner, 7}, {AclTag::others, 7}}),
              acl({{AclTag::owner, 7}, {AclTag::user, 7, 1}, {AclTag::group, 5}})}) {
            CHECK(fs::inherit_acl(bad, 0777).error().code == Errno::euclean);
        }
    }
}

TEST_CASE_METHOD(UnionFixture, "default access lists are inherited as beneath",
                 "[fs][union][acl]") {
    builder.add({dir("d"), dir("d/gone"), builder.text_file("d/hidden", "x")});
    UnionDriver& u = start();
    std::string const plain = temp / "plain";
    value_of(base::sys::mkdir_all(plain, 0755));
    std::string const list = GENERATE(
        list_with_mask(), acl({{AclTag::owner, 7}, {AclTag::group, 0}, {AclTag::others, 1}}),
        acl({{AclTag::owner, 5}, {AclTag::group, 7}, {AclTag::mask, 5}, {AclTag::others, 7}}));
    if (!base::sys::lsetxattr(plain, kAclDefault, list).has_value()) {
        return;  // a file system without lists
    }
    value_of(u.setxattr("d", kAclDefault, list));
    // The mask of the maker counts for nothing here.
    u.caller.umask = 0077;
    if (::geteuid() == 0) {
        u.caller.uid = GENERATE(0U, 1000U);  // made in place, or out of sight first
    }
    value_of(u.unlink("d/hidden"));
    value_of(u.rmdir("d/gone"));
    struct Made {
        char const* name;
        FileType type;
        std::uint32_t permissions;
    };
    Made const all[] = {{"file", FileType::regular, 0666},   {"closed", FileType::regular, 0060},
                        {"hidden", FileType::regular, 0644}, {"folder", FileType::directory, 0777},
                        {"gone", FileType::directory, 0750}, {"pipe", FileType::fifo, 0666}};
    for (Made const& made : all) {
        value_of(u.make(std::string{"d/"} + made.name,
                        {.type = made.type, .permissions = made.permissions}));
        std::string const at = plain + "/" + made.name;
        int const result = made.type == FileType::directory ? ::mkdir(at.c_str(), made.permissions)
                           : made.type == FileType::fifo
                               ? ::mkfifo(at.c_str(), made.permissions)
                               : ::mknod(at.c_str(), S_IFREG | made.permissions, 0);
        REQUIRE(result == 0);
    }
    value_of(u.symlink("nowhere", "d/link"));
    now_and_later([&] {
        for (Made const& made : all) {
            CAPTURE(made.name, made.permissions);
            std::string const at = std::string{"d/"} + made.name;
            struct stat const expected =
                value_of(base::sys::fstatat(AT_FDCWD, (plain + "/" + made.name).c_str()));
            CHECK(value_of(u.stat(at)).permissions == (expected.st_mode & 07777U));
            for (char const* const which : {kAclAccess, kAclDefault}) {
                CAPTURE(which);
                CHECK(value_of(u.getxattr(at, which)) ==
                      value_of(base::sys::lgetxattr(plain + "/" + made.name, which)));
            }
        }
        CHECK(value_of(u.stat("d/link")).permissions == 0777);
    });
    auto const folder = value_of(u.walk("d"));
    auto const unnamed = value_of(u->create_unnamed(folder.ino, 0666, u.caller));
    CHECK(unnamed.entry.attr.permissions == value_of(u.stat("d/file")).permissions);
    u->release(unnamed.handle);
    u->forget(unnamed.entry.attr.ino, 1);
}

TEST_CASE_METHOD(UnionFixture, "the umask counts where no default access list does",
                 "[fs][union][acl]") {
    UnionDriver& u = start_usual();
    u.caller.umask = 0027;
    value_of(u.create("d/file", 0666));
    value_of(u.mkdir("d/folder", 0777));
    value_of(u.symlink("nowhere", "d/link"));
    now_and_later([&] {
        CHECK(value_of(u.stat("d/file")).permissions == 0640);
        CHECK(value_of(u.stat("d/folder")).permissions == 0750);
        CHECK(value_of(u.stat("d/link")).permissions == 0777);
    });
}

TEST_CASE_METHOD(UnionFixture, "access lists are copied up, set and removed", "[fs][union][acl]") {
    LayerEntry listed = builder.text_file("f", "text", 0674);
    listed.xattrs = {{kAclAccess, list_with_mask()}};
    builder.add({listed, builder.text_file("closed", "text", 0444)});
    UnionDriver& u = start();
    value_of(u.write("f", "T"));
    auto const other = acl({{AclTag::owner, 4},
                            {AclTag::user, 6, kUser},
                            {AclTag::group, 4},
                            {AclTag::mask, 6},
                            {AclTag::others, 0}});
    Status const set = u.setxattr("closed", kAclAccess, other);
    if (code_of(set) == EOPNOTSUPP) {
        return;  // a file system without lists
    }
    value_of(set);
    now_and_later([&] {
        CHECK(value_of(u.stat("f")).permissions == 0674);
        CHECK(value_of(u.getxattr("f", kAclAccess)).has_value());
        CHECK(value_of(u.stat("closed")).permissions == 0460);
        CHECK(value_of(u.getxattr("closed", kAclAccess)) == other);
        CHECK(value_of(u.read("closed")) == "text");
    });
    value_of(u.write("closed", "T"));
    value_of(u.chmod("closed", 0540));
    now_and_later([&] {
        CHECK(value_of(u.stat("closed")).permissions == 0540);
        CHECK(value_of(u.getxattr("closed", kAclAccess)) == acl({{AclTag::owner, 5},
                                                                 {AclTag::user, 6, kUser},
                                                                 {AclTag::group, 4},
                                                                 {AclTag::mask, 4},
                                                                 {AclTag::others, 0}}));
    });
    value_of(u.removexattr("closed", kAclAccess));
    now_and_later([&] {
        CHECK(value_of(u.stat("closed")).permissions == 0540);
        CHECK_FALSE(value_of(u.getxattr("closed", kAclAccess)).has_value());
        CHECK(value_of(u.read("closed")) == "Text");
    });
}

TEST_CASE_METHOD(UnionFixture, "an upper in a folder with a default list shows none of it",
                 "[fs][union][acl]") {
    if (!base::sys::lsetxattr(temp.path(), kAclDefault, list_with_mask()).has_value()) {
        return;  // a file system without lists
    }
    UnionDriver& u = start_usual();
    value_of(u.write("d/x", "X"));
    value_of(u.create("made", 0644));
    now_and_later([&] {
        for (char const* const name : {"", "d", "d/x", "made"}) {
            CAPTURE(name);
            CHECK_FALSE(value_of(u.getxattr(name, kAclAccess)).has_value());
            CHECK_FALSE(value_of(u.getxattr(name, kAclDefault)).has_value());
        }
        CHECK(value_of(u.stat("made")).permissions == 0644);
    });
}
