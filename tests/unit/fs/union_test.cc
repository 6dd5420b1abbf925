// SPDX-License-Identifier: MIT
// The union, driven without FUSE over a real index and a real upper folder. Each case looks again
// after a remount.
#include "tests/support/catch.h"
#include "tests/unit/fs/union_driver.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

using namespace oblea;
using namespace oblea::test;
using fs::FileType;
using Names = std::vector<std::string>;

namespace {

struct Fixture {
    TempDir temp;
    LowerBuilder builder;
    std::shared_ptr<MemoryLower> lower;
    std::unique_ptr<UnionDriver> driver;

    UnionDriver& start() {
        lower = builder.build();
        driver = std::make_unique<UnionDriver>(lower, temp.path(), test_options());
        driver->caller = test_caller();
        return *driver;
    }
    // The usual tree: a file, a folder with two files and a folder in it, a link, and one inode
    // with two names.
    UnionDriver& start_usual() {
        builder.add({dir("d"), builder.text_file("d/x", "lower x"),
                     builder.text_file("d/y", "lower y"), dir("d/sub"),
                     builder.text_file("d/sub/deep", "deep"), soft_link("l", "d/x"),
                     builder.text_file("h1", "linked"), hard_link("d/h2", "h1"),
                     builder.text_file("top", "top of the image")});
        return start();
    }
    // Runs the checks, and runs them again after a remount.
    template <typename F>
    void now_and_later(F&& checks) {
        {
            INFO("before the remount");
            checks();
        }
        driver->remount();
        INFO("after the remount");
        checks();
    }
    bool in_upper(std::string const& at) {
        struct stat info = {};
        return ::lstat(driver->upper_path(at).c_str(), &info) == 0;
    }
    bool whiteout_in_upper(std::string const& at) {
        struct stat info = {};
        return ::lstat(driver->upper_path(at).c_str(), &info) == 0 && S_ISCHR(info.st_mode) &&
               info.st_rdev == 0;
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "an untouched image reads as it is and leaves the upper empty",
                 "[fs][union]") {
    UnionDriver& u = start_usual();
    CHECK(value_of(u.read("d/x")) == "lower x");
    CHECK(value_of(u.readlink("l")) == "d/x");
    CHECK(value_of(u.names("")) == Names{"d", "h1", "l", "top"});
    CHECK(value_of(u.names("d")) == Names{"h2", "sub", "x", "y"});
    CHECK(value_of(u.stat("d")).nlink == 3);
    CHECK(value_of(u.stat("h1")).nlink == 2);
    CHECK(code_of(u.stat("nothing")) == ENOENT);
    u.unmount();
    CHECK(value_of(value_of(fs::UpperDir::open(u.upper_path(""), u.work_path("")))->empty()));
}

TEST_CASE_METHOD(Fixture, "a first write copies the file up and keeps what it was",
                 "[fs][union][copy_up]") {
    UnionDriver& u = start_usual();
    Attr const before = value_of(u.stat("d/x"));
    Attr const folder = value_of(u.stat("d"));
    value_of(u.write("d/x", "UPPER", 0));
    now_and_later([&] {
        CHECK(value_of(u.read("d/x")) == "UPPER x");
        Attr const after = value_of(u.stat("d/x"));
        CHECK(after.ino == before.ino);
        CHECK(after.permissions == before.permissions);
        CHECK(after.uid == before.uid);
        CHECK(after.nlink == 1);
        CHECK(value_of(u.list("d")).at("x").ino == static_cast<std::uint64_t>(before.ino));
        CHECK(value_of(u.stat("d")).ino == folder.ino);
        CHECK(value_of(u.stat("d")).mtime == folder.mtime);
        CHECK(value_of(u.stat("d")).nlink == folder.nlink);
        CHECK(in_upper("d/x"));
        CHECK_FALSE(in_upper("d/y"));
    });
}

TEST_CASE_METHOD(Fixture, "what was opened before the copy-up reads what was written after it",
                 "[fs][union][coherence]") {
    UnionDriver& u = start_usual();
    auto const way = value_of(u.walk("d/x"));
    auto const reader = value_of(u->open(way.ino, {}));
    CHECK(value_of(u.read(way.ino, 7)) == "lower x");
    value_of(u.write("d/x", "second!"));
    CHECK(value_of(u.read(way.ino, 7)) == "second!");
    value_of(u->open(way.ino,
                     {.access = fs::OpenOptions::Access::write, .truncate = fs::Truncate::yes}));
    CHECK(value_of(u.read(way.ino, 7)).empty());
    u->release(reader);
    u->release(reader);
}

TEST_CASE_METHOD(Fixture, "files are made, removed and hidden", "[fs][union]") {
    UnionDriver& u = start_usual();
    value_of(u.create("new"));
    value_of(u.write("new", "text"));
    value_of(u.mkdir("d/fresh"));
    value_of(u.symlink("where", "d/fresh/link"));
    value_of(u.unlink("d/x"));
    value_of(u.unlink("top"));
    CHECK(code_of(u.create("new")) == EEXIST);
    CHECK(code_of(u.rmdir("d")) == ENOTEMPTY);
    CHECK(code_of(u.unlink("d")) == EISDIR);
    CHECK(code_of(u.rmdir("new")) == ENOTDIR);
    std::uint64_t const number = static_cast<std::uint64_t>(value_of(u.stat("new")).ino);
    now_and_later([&] {
        CHECK(value_of(u.names("")) == Names{"d", "h1", "l", "new"});
        CHECK(value_of(u.names("d")) == Names{"fresh", "h2", "sub", "y"});
        CHECK(value_of(u.read("new")) == "text");
        CHECK(value_of(u.readlink("d/fresh/link")) == "where");
        CHECK(code_of(u.stat("d/x")) == ENOENT);
        CHECK(value_of(u.stat("d")).nlink == 4);
        CHECK(static_cast<std::uint64_t>(value_of(u.stat("new")).ino) == number);
        CHECK(number >= fs::kNewInoFirst);
        CHECK(whiteout_in_upper("top"));
    });
    value_of(u.create("top"));
    now_and_later([&] {
        CHECK(value_of(u.read("top")).empty());
        CHECK(static_cast<std::uint64_t>(value_of(u.stat("top")).ino) >= fs::kNewInoFirst);
    });
}

TEST_CASE_METHOD(Fixture, "a folder made over a removed one shows nothing from below",
                 "[fs][union]") {
    UnionDriver& u = start_usual();
    for (char const* name : {"d/x", "d/y", "d/h2", "d/sub/deep"}) {
        value_of(u.unlink(name));
    }
    value_of(u.rmdir("d/sub"));
    value_of(u.rmdir("d"));
    CHECK(whiteout_in_upper("d"));
    value_of(u.mkdir("d"));
    now_and_later([&] {
        CHECK(value_of(u.names("d")).empty());
        CHECK(value_of(u.stat("d")).nlink == 2);
        CHECK(value_of(u.stat("h1")).nlink == 1);
    });
}

TEST_CASE_METHOD(Fixture, "hard links of the image survive copy-up", "[fs][union][links]") {
    UnionDriver& u = start_usual();
    Ino const ino = value_of(u.stat("h1")).ino;
    value_of(u.write("d/h2", "LINKED"));
    now_and_later([&] {
        CHECK(value_of(u.read("h1")) == "LINKED");
        CHECK(value_of(u.stat("h1")).ino == ino);
        CHECK(value_of(u.stat("d/h2")).ino == ino);
        CHECK(value_of(u.stat("h1")).nlink == 2);
        CHECK(value_of(u.list("")).at("h1").ino == static_cast<std::uint64_t>(ino));
    });
    value_of(u.link("h1", "d/h3"));
    now_and_later([&] { CHECK(value_of(u.stat("d/h3")).nlink == 3); });
    value_of(u.unlink("h1"));
    value_of(u.unlink("d/h2"));
    now_and_later([&] {
        CHECK(value_of(u.stat("d/h3")).nlink == 1);
        CHECK(value_of(u.stat("d/h3")).ino == ino);
        CHECK(value_of(u.read("d/h3")) == "LINKED");
    });
    value_of(u.unlink("d/h3"));
    now_and_later([&] {
        CHECK(value_of(base::sys::list_dir(
                           value_of(base::sys::open(u.work_path("index"), O_RDONLY)).get()))
                  .empty());
        CHECK(value_of(base::sys::list_dir(
                           value_of(base::sys::open(u.work_path("orphans"), O_RDONLY)).get()))
                  .empty());
    });
}

TEST_CASE_METHOD(Fixture, "a name less of an untouched hard link is counted over remounts",
                 "[fs][union][links]") {
    UnionDriver& u = start_usual();
    value_of(u.unlink("h1"));
    now_and_later([&] {
        CHECK(value_of(u.stat("d/h2")).nlink == 1);
        CHECK(value_of(u.read("d/h2")) == "linked");
    });
    value_of(u.write("d/h2", "after"));
    now_and_later([&] {
        CHECK(value_of(u.stat("d/h2")).nlink == 1);
        CHECK(value_of(u.read("d/h2")) == "afterd");
        CHECK(code_of(u.stat("h1")) == ENOENT);
    });
}

TEST_CASE_METHOD(Fixture, "folders of the image are renamed with all that is in them",
                 "[fs][union][rename]") {
    UnionDriver& u = start_usual();
    Ino const ino = value_of(u.stat("d")).ino;
    value_of(u.write("d/y", "upper!"));
    value_of(u.truncate("d/y", 5));
    value_of(u.write("d/y", "y", 5));
    value_of(u.rename("d", "e"));
    now_and_later([&] {
        CHECK(value_of(u.names("")) == Names{"e", "h1", "l", "top"});
        CHECK(value_of(u.names("e")) == Names{"h2", "sub", "x", "y"});
        CHECK(value_of(u.stat("e")).ino == ino);
        CHECK(value_of(u.list("")).at("e").ino == static_cast<std::uint64_t>(ino));
        CHECK(value_of(u.read("e/x")) == "lower x");
        CHECK(value_of(u.read("e/sub/deep")) == "deep");
        CHECK(value_of(u.read("e/y")) == "uppery");
    });
    value_of(u.write("e/sub/deep", "DEEP"));
    value_of(u.mkdir("d"));
    value_of(u.rename("e/sub", "d/sub"));
    value_of(u.write("e/h2", "BOTH"));
    now_and_later([&] {
        CHECK(value_of(u.names("d")) == Names{"sub"});
        CHECK(value_of(u.read("d/sub/deep")) == "DEEP");
        CHECK(value_of(u.names("e")) == Names{"h2", "x", "y"});
        CHECK(value_of(u.read("h1")) == "BOTHed");
        CHECK(value_of(u.stat("h1")).nlink == 2);
        CHECK(value_of(u.stat("d")).nlink == 3);
        CHECK(value_of(u.stat("e")).nlink == 2);
    });
}
