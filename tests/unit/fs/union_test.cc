// SPDX-License-Identifier: MIT
// The union, driven without FUSE over a real index and a real upper folder. Each case looks again
// after a remount.
#include "tests/unit/fs/fixture.h"
#include "tests/unit/fs/ordinary_user.h"

using namespace oblea;
using namespace oblea::test;
using Fixture = UnionFixture;

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
    auto const reader = value_of(u->open(way.ino, fs::OpenFor::reading));
    CHECK(value_of(u.read(way.ino, 7)) == "lower x");
    value_of(u.write("d/x", "second!"));
    CHECK(value_of(u.read(way.ino, 7)) == "second!");
    value_of(u.truncate("d/x", 0));
    CHECK(value_of(u.read(way.ino, 7)).empty());
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
        CHECK(work_entries("index") == 0);
        CHECK(work_entries("orphans") == 0);
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

TEST_CASE_METHOD(Fixture, "RENAME_NOREPLACE and RENAME_EXCHANGE keep their word",
                 "[fs][union][rename]") {
    using Mode = UnionFs::RenameMode;
    UnionDriver& u = start_usual();
    value_of(u.create("new"));
    CHECK(code_of(u.rename("new", "top", Mode::no_replace)) == EEXIST);
    CHECK(code_of(u.rename("new", "none", Mode::exchange)) == ENOENT);
    value_of(u.rename("top", "d", Mode::exchange));
    now_and_later([&] {
        CHECK(value_of(u.read("d")) == "top of the image");
        CHECK(value_of(u.names("top")) == Names{"h2", "sub", "x", "y"});
        CHECK(value_of(u.read("top/sub/deep")) == "deep");
    });
    value_of(u.mkdir("fresh"));
    value_of(u.create("fresh/inside"));
    value_of(u.rename("top/sub", "fresh", Mode::exchange));
    now_and_later([&] {
        CHECK(value_of(u.names("fresh")) == Names{"deep"});
        CHECK(value_of(u.names("top/sub")) == Names{"inside"});
    });
}

TEST_CASE_METHOD(Fixture, "a folder that holds only whiteouts is empty", "[fs][union][rename]") {
    UnionDriver& u = start_usual();
    value_of(u.unlink("d/sub/deep"));
    value_of(u.mkdir("other"));
    SECTION("for rmdir") {
        value_of(u.rmdir("d/sub"));
        now_and_later([&] { CHECK(code_of(u.stat("d/sub")) == ENOENT); });
    }
    SECTION("for a rename over it") {
        value_of(u.create("other/file"));
        value_of(u.rename("other", "d/sub"));
        now_and_later([&] {
            CHECK(value_of(u.names("d/sub")) == Names{"file"});
            CHECK(code_of(u.stat("other")) == ENOENT);
        });
    }
}

TEST_CASE_METHOD(Fixture, "an unlinked file lives as long as it is open", "[fs][union][orphans]") {
    UnionDriver& u = start_usual();
    value_of(u.create("born"));
    value_of(u.write("born", "new text"));
    std::string const name = GENERATE("born", "d/x", "h1");
    CAPTURE(name);
    {
        auto const way = value_of(u.walk(name));
        auto const handle = value_of(u->open(way.ino, fs::OpenFor::reading));
        value_of(u.unlink(name));
        std::uint64_t const size = value_of(u->getattr(way.ino)).size;
        CHECK(value_of(u->getattr(way.ino)).nlink == (name == "h1" ? 1U : 0U));
        value_of(u->write(way.ino, base::bytes_of("WRITTEN"), 0));
        CHECK(value_of(u.read(way.ino, size)).starts_with("WRITTEN"));
        value_of(u.create(name));
        CHECK(value_of(u.stat(name)).ino != way.ino);
        CHECK(value_of(u.read(way.ino, size)).starts_with("WRITTEN"));
        u->release(handle);
    }
    CHECK(work_entries("orphans") == 0);
    CHECK(work_entries("tmp") == 0);
}

TEST_CASE_METHOD(Fixture, "a file made without a name can be given one", "[fs][union][orphans]") {
    UnionDriver& u = start_usual();
    auto const made = value_of(u->create_unnamed(Ino::root, 0640, test_caller()));
    Ino const ino = made.entry.attr.ino;
    CHECK(made.entry.attr.nlink == 0);
    value_of(u->write(ino, base::bytes_of("text"), 0));
    value_of(u->link(ino, Ino::root, name_of("given")));
    u->release(made.handle);
    u->forget(ino, 2);
    now_and_later([&] {
        CHECK(value_of(u.read("given")) == "text");
        CHECK(value_of(u.stat("given")).ino == ino);
        CHECK(value_of(u.stat("given")).permissions == 0640);
        CHECK(value_of(u.stat("given")).nlink == 1);
    });
}

TEST_CASE_METHOD(Fixture, "O_TRUNC and metadata changes keep the rest", "[fs][union][copy_up]") {
    builder.add({with_xattrs(with_mtime(builder.text_file("f", "contents", 0640), 1000, 5),
                             {{"user.note", "kept"}})});
    UnionDriver& u = start();
    SECTION("O_TRUNC copies no data") {
        {
            auto const way = value_of(u.walk("f"));
            auto const handle = value_of(u->open(way.ino, fs::OpenFor::writing));
            value_of(u.truncate("f", 0));
            u->release(handle);
        }
        CHECK(lower->bytes_read == 0);
        now_and_later([&] {
            CHECK(value_of(u.stat("f")).size == 0);
            CHECK(value_of(u.stat("f")).permissions == 0640);
            CHECK(value_of(u.getxattr("f", "user.note")) == "kept");
        });
    }
    SECTION("chmod keeps times and contents") {
        value_of(u.chmod("f", 0444));
        now_and_later([&] {
            CHECK(value_of(u.read("f")) == "contents");
            CHECK(value_of(u.stat("f")).permissions == 0444);
            CHECK(value_of(u.stat("f")).mtime == fs::TimePoint{1000, 5});
        });
        value_of(u.write("f", "C"));
        now_and_later([&] { CHECK(value_of(u.read("f")) == "Contents"); });
    }
    SECTION("a chown that asks for nothing makes the ctime newer") {
        value_of(u.chmod("f", 0600));
        Attr const before = value_of(u.stat("f"));
        Attr after = before;
        // The clock of the file system beneath goes in steps.
        for (int i = 0; i < 1'000'000 && after.ctime == before.ctime; ++i) {
            value_of(u.change("f", {}));
            after = value_of(u.stat("f"));
        }
        CHECK(before.ctime < after.ctime);
        CHECK(after.mtime == before.mtime);
        CHECK(after.permissions == 0600);
    }
    SECTION("times are set to the nanosecond") {
        value_of(u.change("f", {.mtime = fs::TimePoint{-7, 123456789}}));
        now_and_later([&] { CHECK(value_of(u.stat("f")).mtime == fs::TimePoint{-7, 123456789}); });
    }
    SECTION("a folder without any permission can be worked in") {
        value_of(u.mkdir("closed", 0000));
        value_of(u.create("closed/file", 0000));
        value_of(u.write("closed/file", "text"));
        now_and_later([&] {
            CHECK(value_of(u.stat("closed")).permissions == 0);
            CHECK(value_of(u.stat("closed/file")).permissions == 0);
            CHECK(value_of(u.read("closed/file")) == "text");
        });
    }
}

TEST_CASE_METHOD(Fixture, "sparse files stay sparse over copy-up", "[fs][union][copy_up]") {
    constexpr std::uint64_t kSize = std::uint64_t{64} << 20U;
    builder.add({builder.sparse_file("s", "data", std::uint64_t{8} << 20U, kSize)});
    UnionDriver& u = start();
    value_of(u.chmod("s", 0600));
    bool const whole = GENERATE(false, true);
    if (whole) {
        value_of(u->complete(value_of(u.walk("s")).ino));
    }
    now_and_later([&] {
        Attr const attr = value_of(u.stat("s"));
        CHECK(attr.size == kSize);
        // Before, it is what the image says, which knows of no blocks.
        CHECK((attr.blocks_512 <= 64) == whole);
        auto const way = value_of(u.walk("s"));
        CHECK(value_of(u->seek(way.ino, 0, SEEK_DATA)) <= std::uint64_t{8} << 20U);
        char text[4] = {};
        value_of(u->read(way.ino, base::MutableBytes{reinterpret_cast<std::byte*>(text), 4},
                         std::uint64_t{8} << 20U));
        CHECK(std::string_view(text, 4) == "data");
    });
}

TEST_CASE_METHOD(Fixture, "privileges are dropped when asked for", "[fs][union]") {
    builder.add({builder.text_file("su", "text", 06755), builder.text_file("lock", "text", 02644)});
    UnionDriver& u = start();
    auto const way = value_of(u.walk("su"));
    SECTION("by a write") {
        value_of(u->write(way.ino, base::bytes_of("T"), 0, fs::KillPrivileges::yes));
    }
    SECTION("by a truncation") {
        value_of(u.change("su", {.size = 1, .kill_privileges = fs::KillPrivileges::yes}));
    }
    SECTION("by chown") {
        value_of(u.change("su", {.uid = ::geteuid(), .gid = ::getegid()}));
    }
    CHECK(value_of(u.stat("su")).permissions == 0755);
    auto const lock = value_of(u.walk("lock"));
    value_of(u->write(lock.ino, base::bytes_of("T"), 0, fs::KillPrivileges::yes));
    CHECK(value_of(u.stat("lock")).permissions == 02644);
}

TEST_CASE_METHOD(Fixture, "chown beyond our rights changes nothing", "[fs][union]") {
    builder.add({builder.text_file("f", "text")});
    fs::UnionOptions options = test_options();
    options.owners = {fs::Owners::Kind::squashed, 1234, 1234};
    UnionDriver& u = start(options);
    CHECK(value_of(u.stat("f")).uid == 1234);
    CHECK(code_of(u.change("f", {.uid = 1})) == EPERM);
    CHECK(code_of(u.change("f", {.gid = 1})) == EPERM);
    CHECK_FALSE(in_upper("f"));
    value_of(u.change("f", {.uid = 1234}));
    CHECK(value_of(u.stat("f")).uid == 1234);
}

TEST_CASE_METHOD(Fixture, "what fails copies nothing up", "[fs][union]") {
    UnionDriver& u = start_usual();
    CHECK(code_of(u.mkdir("d/sub")) == EEXIST);
    CHECK(code_of(u.unlink("d/nothing")) == ENOENT);
    CHECK(code_of(u.rmdir("d/sub")) == ENOTEMPTY);
    CHECK(code_of(u.rename("d/sub", "d/x")) == ENOTDIR);
    CHECK(code_of(u.link("d/x", "d/y")) == EEXIST);
    CHECK(code_of(u.removexattr("d/x", "user.none")) == ENODATA);
    u.unmount();
    CHECK(value_of(value_of(fs::UpperDir::open(u.upper_path(""), u.work_path("")))->empty()));
}

TEST_CASE_METHOD(Fixture, "the overlay's own attributes are hidden, and users' kept apart",
                 "[fs][union][xattrs]") {
    UnionDriver& u = start_usual();
    std::string const space = ::geteuid() == 0 ? "trusted." : "user.";
    value_of(u.write("d/x", "up"));
    value_of(u.rename("d/sub", "moved"));
    value_of(u.setxattr("d/x", space + "overlay.opaque", "users"));
    value_of(u.setxattr("d/x", space + "overlay.oblea.inode", "users too"));
    value_of(u.setxattr("moved", space + "overlay.opaque", "y"));
    now_and_later([&] {
        CHECK(value_of(u.listxattr("d/x")) ==
              Names{space + "overlay.oblea.inode", space + "overlay.opaque"});
        CHECK(value_of(u.getxattr("d/x", space + "overlay.oblea.inode")) == "users too");
        CHECK(value_of(u.listxattr("moved")) == Names{space + "overlay.opaque"});
        CHECK(value_of(u.names("moved")) == Names{"deep"});
    });
    value_of(u.removexattr("d/x", space + "overlay.oblea.inode"));
    CHECK(code_of(u.removexattr("d/x", space + "overlay.oblea.inode")) == ENODATA);
    CHECK(code_of(u.setxattr("d/x", "user.new", "1", 2)) == ENODATA);
    CHECK(code_of(u.setxattr("l", "user.any", "1")) == EPERM);
}

TEST_CASE_METHOD(Fixture, "what stays is listed once, whatever comes and goes",
                 "[fs][union][folders]") {
    std::vector<store::LayerEntry> entries{dir("d")};
    for (int i = 0; i < 50; ++i) {
        entries.push_back(builder.text_file("d/low" + std::to_string(i), "x"));
    }
    builder.add(std::move(entries));
    UnionDriver& u = start();
    for (int i = 0; i < 50; ++i) {
        value_of(u.create("d/up" + std::to_string(i)));
    }
    auto const way = value_of(u.walk("d"));
    std::map<std::string, int> seen;
    std::uint64_t position = 0;
    bool const one_handle = GENERATE(true, false);
    CAPTURE(one_handle);
    auto handle = value_of(u->opendir(way.ino));
    for (int round = 0, more = 1; more == 1; ++round) {
        more = 0;
        int room = 7;
        value_of(u->readdir(way.ino, handle, position, [&](fs::DirSlot const& slot) {
            if (room-- == 0) {
                more = 1;
                return false;
            }
            position = slot.next;
            ++seen[std::string{slot.name}];
            return true;
        }));
        // Even numbers stay; odd ones go, others come, and some of those that stay are copied up.
        std::string const odd = std::to_string(round * 2 + 1);
        static_cast<void>(u.unlink("d/low" + odd));
        static_cast<void>(u.unlink("d/up" + odd));
        value_of(u.create("d/come" + odd));
        static_cast<void>(u.write("d/low" + std::to_string(round * 2), "y"));
        if (!one_handle) {
            u->releasedir(way.ino, handle);
            handle = value_of(u->opendir(way.ino));
        }
    }
    u->releasedir(way.ino, handle);
    for (int i = 0; i < 50; i += 2) {
        CHECK(seen["low" + std::to_string(i)] == 1);
        CHECK(seen["up" + std::to_string(i)] == 1);
    }
    CHECK(seen["."] == 1);
    CHECK(seen[".."] == 1);
}

TEST_CASE_METHOD(Fixture, "setgid folders hand their group and bit on", "[fs][union]") {
    LayerEntry folder = dir("g", 02775);
    if (::geteuid() == 0) {
        folder = with_owner(std::move(folder), 0, 4321);
    }
    builder.add({folder});
    UnionDriver& u = start();
    value_of(u.create("g/file"));
    value_of(u.mkdir("g/sub"));
    now_and_later([&] {
        CHECK(value_of(u.stat("g/sub")).permissions == 02755);
        if (::geteuid() == 0) {
            CHECK(value_of(u.stat("g/file")).gid == 4321);
            CHECK(value_of(u.stat("g/sub")).gid == 4321);
        }
    });
}

TEST_CASE_METHOD(Fixture, "links, fifos and devices are copied up with their numbers",
                 "[fs][union][copy_up]") {
    builder.add({soft_link("l", "target"), inode("p", FileType::fifo, 0644), dir("d")});
    UnionDriver& u = start();
    Ino const link = value_of(u.stat("l")).ino;
    Ino const pipe = value_of(u.stat("p")).ino;
    value_of(u.rename("l", "d/l2"));
    value_of(u.chmod("p", 0600));
    value_of(u.rename("p", "d/p2"));
    now_and_later([&] {
        CHECK(value_of(u.readlink("d/l2")) == "target");
        CHECK(value_of(u.stat("d/l2")).ino == link);
        CHECK(value_of(u.stat("d/l2")).nlink == 1);
        CHECK(value_of(u.stat("d/p2")).ino == pipe);
        CHECK(value_of(u.stat("d/p2")).nlink == 1);
        CHECK(value_of(u.stat("d/p2")).permissions == 0600);
        CHECK(value_of(u.list("d")).at("l2").ino == static_cast<std::uint64_t>(link));
        CHECK(value_of(u.names("")) == Names{"d"});
    });
    CHECK(code_of(u.make("zero", {.type = FileType::char_device, .permissions = 0600})) == EPERM);
    value_of(u.unlink("d/l2"));
    value_of(u.unlink("d/p2"));
    CHECK(work_entries("index") == 0);
}

TEST_CASE_METHOD(Fixture, "a read-only union refuses every change", "[fs][union]") {
    builder.add({builder.text_file("f", "text"), dir("d")});
    lower = builder.build();
    auto const u = value_of(UnionFs::mount(lower, test_options()));
    auto const f = value_of(u->lookup(Ino::root, name_of("f")))->attr.ino;
    CHECK_FALSE(u->writable());
    CHECK(code_of(u->write(f, base::bytes_of("x"), 0)) == EROFS);
    CHECK(code_of(u->setattr(f, {.permissions = 0}, {})) == EROFS);
    CHECK(code_of(u->open(f, fs::OpenFor::writing)) == EROFS);
    CHECK(code_of(u->unlink(Ino::root, name_of("f"))) == EROFS);
    CHECK(code_of(u->rmdir(Ino::root, name_of("d"))) == EROFS);
    CHECK(code_of(u->make(Ino::root, name_of("n"), {}, {})) == EROFS);
    CHECK(code_of(u->link(f, Ino::root, name_of("n"))) == EROFS);
    CHECK(code_of(u->rename(Ino::root, name_of("f"), Ino::root, name_of("n"),
                            UnionFs::RenameMode::replace)) == EROFS);
    CHECK(code_of(u->setxattr(f, "user.a", "1", 0)) == EROFS);
    CHECK(code_of(u->removexattr(f, "user.a")) == EROFS);
    CHECK(code_of(u->fallocate(f, 0, 0, 1)) == EROFS);
    CHECK(code_of(u->create_unnamed(Ino::root, 0600, {})) == EROFS);
}

TEST_CASE_METHOD(Fixture, "an upper belongs to one mount at a time", "[fs][union][upper]") {
    UnionDriver& u = start_usual();
    auto const second = fs::UpperDir::open(u.upper_path(""), u.work_path(""));
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == Errno::ebusy);
    CHECK(second.error().message().find(std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "what overlayfs wrote is read", "[fs][union][upper]") {
    // An upper as the kernel leaves it: a whiteout, an opaque folder, a redirect, a file that was
    // copied up.
    UnionDriver& u = start_usual();
    u.unmount();
    std::string const space = ::geteuid() == 0 ? "trusted.overlay." : "user.overlay.";
    auto const at = [&](char const* name) { return u.upper_path(name); };
    value_of(base::sys::mkdir_all(at("renamed"), 0755));
    value_of(base::sys::lsetxattr(at("renamed"), (space + "redirect").c_str(), "/d/sub"));
    value_of(base::sys::mkdir_all(at("d"), 0755));
    value_of(base::sys::mknodat(AT_FDCWD, at("d/sub").c_str(), S_IFCHR, 0));
    value_of(base::sys::mknodat(AT_FDCWD, at("d/x").c_str(), S_IFCHR, 0));
    value_of(
        base::sys::replace_file(AT_FDCWD, at("d/y").c_str(), "upper", 0644, base::sys::Sync::no));
    u.mount();
    CHECK(value_of(u.names("")) == Names{"d", "h1", "l", "renamed", "top"});
    CHECK(value_of(u.names("d")) == Names{"h2", "y"});
    CHECK(value_of(u.read("d/y")) == "upper");
    CHECK(value_of(u.names("renamed")) == Names{"deep"});
    CHECK(value_of(u.read("renamed/deep")) == "deep");
    u.unmount();
    value_of(base::sys::lsetxattr(at("d"), (space + "opaque").c_str(), "y"));
    u.mount();
    CHECK(value_of(u.names("d")) == Names{"y"});
}

TEST_CASE_METHOD(Fixture, "nothing is kept of what the kernel forgot", "[fs][union]") {
    UnionDriver& u = start_usual();
    for (int i = 0; i < 20; ++i) {
        value_of(u.create("d/new" + std::to_string(i)));
    }
    value_of(u.chmod("d/sub/deep", 0600));
    CHECK(u->remembered() == 1);  // the root
}

TEST_CASE("the union keeps its word without rights", "[nobody]") {
    CHECK(run_as_nobody("~[nobody]") == 0);
}
