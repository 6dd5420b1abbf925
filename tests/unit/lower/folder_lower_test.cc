// SPDX-License-Identifier: MIT
// A stack of real folders as a lower tree.
#include "fs/lower/folder_lower.h"
#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree_builder.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

namespace oblea::test {

using namespace fs;
using store::InodeNo;
using Names = std::vector<std::string>;
namespace stdfs = std::filesystem;
namespace sys = base::sys;

namespace {

struct Stack {
    TempDir temp;
    std::vector<std::string> layers;  // bottom first
    std::shared_ptr<FolderStack const> tree;

    // What follows goes to a new layer on top.
    Stack& layer() {
        layers.push_back(temp / fmt::format("layer{}", layers.size()));
        stdfs::create_directory(layers.back());
        return *this;
    }
    [[nodiscard]] std::string at(std::string const& path) const {
        return layers.back() + "/" + path;
    }
    Stack& file(std::string const& path, std::string const& text) {
        stdfs::create_directories(stdfs::path{at(path)}.parent_path());
        std::ofstream{at(path)} << text;
        return *this;
    }
    Stack& folder(std::string const& path) {
        stdfs::create_directories(at(path));
        return *this;
    }
    Stack& device_whiteout(std::string const& path) {
        stdfs::create_directories(stdfs::path{at(path)}.parent_path());
        REQUIRE(::mknod(at(path).c_str(), S_IFCHR, makedev(0, 0)) == 0);
        return *this;
    }
    Stack& mark(std::string const& path, char const* xattr, std::string const& value) {
        REQUIRE(::lsetxattr(at(path).c_str(), xattr, value.data(), value.size(), 0) == 0);
        return *this;
    }
    void open(FolderLowerOptions const& options = {}) {
        tree = value_of(folder_lower(layers, options));
    }
    // As another program that was given what this one has.
    void adopt() {
        auto const own = tree->descriptors();
        FolderStackMemory memory{
            .roots = {},
            .numbering = value_of(SharedMemory::adopt(value_of(sys::duplicate(own.numbering))))};
        for (int const root : own.roots) {
            memory.roots.push_back(value_of(sys::duplicate(root)));
        }
        tree = value_of(adopt_folder_lower(std::move(memory), {}));
    }

    [[nodiscard]] InodeNo ino(std::string_view path) const {
        InodeNo at = InodeNo::root;
        auto const parsed = value_of(store::RelPath::parse(path));
        for (std::string_view const name : parsed.components()) {
            auto const found = value_of(tree->lookup(at, name));
            if (!found.has_value()) {
                return InodeNo::none;
            }
            at = found->ino;
        }
        return at;
    }
    [[nodiscard]] bool shows(std::string_view path) const { return ino(path) != InodeNo::none; }
    [[nodiscard]] std::string text(std::string_view path) const {
        std::vector<std::byte> buffer(4096);
        std::size_t const count = value_of(tree->read(ino(path), buffer, 0));
        return std::string{base::text_of(base::ByteView{buffer}.first(count))};
    }
    [[nodiscard]] Names list(std::string_view path) const {
        Names names;
        InodeNo const folder = ino(path);
        for (std::uint32_t i = 0; i < value_of(tree->entry_count(folder)); ++i) {
            names.emplace_back(value_of(tree->entry(folder, i)).name);
        }
        return names;
    }
};

// trusted.* needs the real root.
bool may_mark() {
    TempDir const temp;
    return ::setxattr(temp.path().c_str(), "trusted.oblea.probe", "1", 1, 0) == 0;
}

// A process that serves and is killed: what it has done, as it told before.
std::string told_by_killed(std::function<std::string()> const& serve) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::string const told = serve();
        bool const written =
            ::write(ends[1], told.data(), told.size()) == static_cast<ssize_t>(told.size());
        ::kill(::getpid(), written ? SIGKILL : SIGABRT);
    }
    ::close(ends[1]);
    std::string told;
    std::array<char, 4096> buffer{};
    for (ssize_t count = 0; (count = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
        told.append(buffer.data(), static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    return told;
}

}  // namespace

TEST_CASE("upper layers hide files and merge with folders", "[fs][lower]") {
    Stack stack;
    stack.layer().file("d/x", "low").file("d/low", "low").file("f", "file below");
    stack.layer().file("d/x", "high").file("d/high", "high").file("f/inside", "folder above");
    stack.open();
    CHECK(stack.list("d") == Names{"high", "low", "x"});
    CHECK(stack.text("d/x") == "high");
    CHECK(stack.text("d/low") == "low");
    CHECK(stack.text("f/inside") == "folder above");
    CHECK(stack.list("f") == Names{"inside"});
    CHECK(value_of(stack.tree->attr(stack.ino("d"))).nlink == 2);
    CHECK(value_of(stack.tree->attr(InodeNo::root)).nlink == 4);
    CHECK(value_of(stack.tree->parent(stack.ino("d"))) == InodeNo::root);
    CHECK_FALSE(stack.shows("d/none"));
}

TEST_CASE("whiteouts and opaque folders of every style are understood", "[fs][lower]") {
    Stack stack;
    stack.layer().file("d/a", "").file("d/b", "").file("o/low", "").file("q/low", "");
    stack.layer().device_whiteout("d/a").file("d/.wh.b", "").file("o/.wh..wh..opq", "");
    stack.file("o/high", "").file("q/high", "").mark("q", "user.overlay.opaque", "y");
    stack.open();
    CHECK(stack.list("d").empty());
    CHECK(stack.list("o") == Names{"high"});
    CHECK(stack.list("q") == Names{"high"});
}

TEST_CASE("a whiteout is an empty file with a mark where its folder says so", "[fs][lower]") {
    Stack stack;
    stack.layer().file("d/a", "a").file("d/b", "b");
    stack.layer().file("d/a", "").mark("d/a", "user.overlay.whiteout", "");
    SECTION("the folder says so") {
        stack.mark("d", "user.overlay.opaque", "x").open();
        CHECK(stack.list("d") == Names{"b"});
    }
    SECTION("it does not") {
        stack.open();
        CHECK(stack.list("d") == Names{"a", "b"});
    }
}

TEST_CASE("a layer in between ends the merging of a folder", "[fs][lower]") {
    Stack stack;
    stack.layer().file("d/bottom", "");
    stack.layer().file(".wh.d", "");
    stack.layer().file("d/top", "");
    stack.open();
    CHECK(stack.list("d") == Names{"top"});
}

TEST_CASE("redirects of renamed folders are followed", "[fs][lower]") {
    if (!may_mark()) {
        return;
    }
    Stack stack;
    stack.layer().file("a/old/x", "x").file("a/old/sub/y", "y").file("a/new/stranger", "");
    SECTION("by a path") {
        stack.layer().folder("b/moved").mark("b/moved", "trusted.overlay.redirect", "/a/old");
        stack.file("b/moved/more", "more").open();
        CHECK(stack.list("b/moved") == Names{"more", "sub", "x"});
        CHECK(stack.text("b/moved/sub/y") == "y");
    }
    SECTION("by a name in the same folder") {
        stack.layer().folder("a/new").mark("a/new", "trusted.overlay.redirect", "old");
        stack.device_whiteout("a/old").open();
        CHECK(stack.list("a") == Names{"new"});
        CHECK(stack.list("a/new") == Names{"sub", "x"});
        CHECK(stack.text("a/new/sub/y") == "y");
    }
    SECTION("through a folder that was renamed in between") {
        stack.layer().folder("c").mark("c", "trusted.overlay.redirect", "/a");
        stack.layer().folder("t").mark("t", "trusted.overlay.redirect", "/c/old").open();
        CHECK(stack.list("t") == Names{"sub", "x"});
    }
    SECTION("not where that is not wanted") {
        stack.layer().folder("b").mark("b", "trusted.overlay.redirect", "/a/old");
        stack.open({.redirects = FolderLowerOptions::Redirects::none});
        CHECK(stack.list("b").empty());
    }
    SECTION("not those of users, where there are trusted ones") {
        stack.layer().folder("b").mark("b", "user.overlay.redirect", "/a/old").open();
        CHECK(stack.list("b").empty());
    }
    SECTION("never out of the layer") {
        stack.layer().folder("b").mark("b", "trusted.overlay.redirect", "/../../etc").open();
        CHECK(stack.list("b").empty());
    }
}

TEST_CASE("links in a layer are never followed", "[fs][lower]") {
    Stack stack;
    stack.layer().folder("d");
    REQUIRE(::symlink("/etc", stack.at("d/l").c_str()) == 0);
    stack.layer().file("d/l", "");
    stdfs::remove(stack.at("d/l"));
    REQUIRE(::symlink("/etc", stack.at("d/l").c_str()) == 0);
    stack.open();
    CHECK(value_of(stack.tree->symlink_target(stack.ino("d/l"))) == "/etc");
    CHECK(stack.tree->lookup(stack.ino("d/l"), "passwd").error().code == Errno::enotdir);
}

TEST_CASE("hard links are one inode, with the number that their file system gives", "[fs][lower]") {
    Stack stack;
    stack.layer().file("a", "text").folder("d");
    REQUIRE(::link(stack.at("a").c_str(), stack.at("d/b").c_str()) == 0);
    REQUIRE(::link(stack.at("a").c_str(), stack.at("c").c_str()) == 0);
    struct stat info = {};
    REQUIRE(::stat(stack.at("a").c_str(), &info) == 0);
    stack.open();
    InodeNo const ino = stack.ino("a");
    CHECK(stack.ino("c") == ino);
    CHECK(stack.tree->st_ino(ino) == info.st_ino);
    CHECK(value_of(stack.tree->attr(ino)).nlink == 3);
    CHECK(value_of(stack.tree->names(ino)).size() == 2);  // those that were met
    value_of(stack.tree->find_all_names());
    CHECK(value_of(stack.tree->names(ino)).size() == 3);
    CHECK(stack.ino("d/b") == ino);
}

TEST_CASE("an origin is found again by another tree of the same layers, and only there",
          "[fs][lower]") {
    Stack stack;
    stack.layer().file("d/x", "text");
    stack.open();
    std::string const key = value_of(stack.tree->origin_key(stack.ino("d/x")));
    CHECK(key.size() <= 128);
    auto const number = stack.tree->st_ino(stack.ino("d/x"));

    SECTION("before its name was met") {
        stack.open();
        auto const found = value_of(stack.tree->find_origin(key));
        REQUIRE(found.has_value());
        CHECK(stack.tree->st_ino(*found) == number);
        CHECK(value_of(stack.tree->attr(*found)).type == store::FileType::regular);
        CHECK(stack.ino("d/x") == *found);
        CHECK(stack.text("d/x") == "text");
    }
    SECTION("after") {
        CHECK(value_of(stack.tree->find_origin(key)) == stack.ino("d/x"));
    }
    SECTION("not another file with its number") {
        std::string other = key;
        other[other.find('.', other.find('.') + 1) + 1] ^= 1;  // its birth
        CHECK(value_of(stack.tree->find_origin(other)) == std::nullopt);
        stack.open();
        auto const told = value_of(stack.tree->find_origin(other));
        CHECK(stack.ino("d/x") != told);
        CHECK(stack.text("d/x") == "text");
    }
    SECTION("nothing else is an origin") {
        for (char const* bad : {"", "f", "f0", "f0.1", "f0.1.2", "f0.1.2.9", "f9.1.2.1", "x0.1.2.1",
                                "f0.1.2.1x", "f0.0.0.1"}) {
            CAPTURE(bad);
            CHECK(value_of(stack.tree->find_origin(bad)) == std::nullopt);
        }
    }
}

TEST_CASE("owner, mode and kind come from the recorded ones where the layer's root has one",
          "[fs][lower]") {
    Stack stack;
    stack.layer().file("f", "").mark("f", "user.containers.override_stat", "5:6:4711");
    stack.file("dev", "").mark("dev", "user.containers.override_stat", "0:0:0600:char-1-3");
    stack.file("l", "where/to").mark("l", "user.containers.override_stat", "0:0:0777:symlink");
    SECTION("it has") {
        stack.mark("", "user.containers.override_stat", "0:0:0555:dir").open();
        LowerAttr const file = value_of(stack.tree->attr(stack.ino("f")));
        CHECK(file.uid == 5);
        CHECK(file.gid == 6);
        CHECK(file.permissions == 04711);
        LowerAttr const device = value_of(stack.tree->attr(stack.ino("dev")));
        CHECK(device.type == store::FileType::char_device);
        CHECK(device.device == store::DeviceNumber{1, 3});
        CHECK(value_of(stack.tree->symlink_target(stack.ino("l"))) == "where/to");
        CHECK(value_of(stack.tree->xattr_names(stack.ino("f"))).empty());
    }
    SECTION("it has not") {
        stack.open();
        CHECK(value_of(stack.tree->attr(stack.ino("f"))).permissions != 04711);
        CHECK(value_of(stack.tree->xattr_names(stack.ino("f"))) ==
              Names{"user.containers.override_stat"});
    }
}

TEST_CASE("paths may be longer than the kernel takes at once", "[fs][lower]") {
    Stack stack;
    stack.layer();
    std::string const name(250, 'n');
    int at = ::open(stack.layers.back().c_str(), O_PATH | O_DIRECTORY);
    std::string path;
    for (int depth = 0; depth < 40; ++depth) {
        REQUIRE(::mkdirat(at, name.c_str(), 0755) == 0);
        int const next = ::openat(at, name.c_str(), O_PATH | O_DIRECTORY);
        ::close(at);
        at = next;
        path += '/' + name;
    }
    int const file = ::openat(at, "f", O_WRONLY | O_CREAT, 0644);
    REQUIRE(::write(file, "deep", 4) == 4);
    ::close(file);
    ::close(at);
    stack.open();
    CHECK(stack.text(path + "/f") == "deep");
}

TEST_CASE("a stack has up to a thousand layers, and none is no stack", "[fs][lower]") {
    Stack stack;
    for (int i = 0; i < 500; ++i) {
        stack.layer()
            .file(fmt::format("d/f{}", i), std::to_string(i))
            .file("same", fmt::format("{}", i));
    }
    stack.open();
    CHECK(stack.list("d").size() == 500);
    CHECK(stack.text("same") == "499");
    CHECK(stack.text("d/f0") == "0");
    CHECK(folder_lower({}, {}).error().code == Errno::einval);
    auto const missing = folder_lower({stack.temp / "none"}, {});
    CHECK(missing.error().code == Errno::enoent);
    CHECK_THAT(missing.error().message(), Catch::Matchers::Contains("/none"));
}

TEST_CASE("no descriptor is held for each inode", "[fs][lower]") {
    Stack stack;
    stack.layer();
    for (int i = 0; i < 3000; ++i) {
        stack.file(fmt::format("d{}/f", i), "x");
    }
    stack.open();
    std::set<InodeNo> seen;
    for (int i = 0; i < 3000; ++i) {
        CHECK(stack.text(fmt::format("d{}/f", i)) == "x");
        seen.insert(stack.ino(fmt::format("d{}/f", i)));
    }
    CHECK(seen.size() == 3000);
    auto const open = std::distance(stdfs::directory_iterator{"/proc/self/fd"}, {});
    CHECK(open < 1400);
}

TEST_CASE("who takes over from a killed process gives the same numbers", "[fs][lower]") {
    Stack stack;
    stack.layer().file("a/x", "").file("b/y", "").file("b/c/z", "").file("e/f", "");
    stdfs::create_hard_link(stack.at("b/y"), stack.at("e/other"));
    stack.layer().file("b/above", "").folder("n/m");
    stdfs::create_hard_link(stack.at("b/above"), stack.at("n/m/again"));
    stack.open();
    std::string const of_upper = value_of(stack.tree->origin_key(stack.ino("e/f")));

    stack.open();  // as after a remount: nothing is met yet
    std::vector<std::string> const met{"n/m/again", "b/c/z", "e/other", "a", "e/f"};
    auto const numbers = [&](std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) {
            InodeNo const ino = stack.ino(met[i]);
            text += fmt::format("{} {} {}\n", met[i], static_cast<std::uint32_t>(ino),
                                stack.tree->st_ino(ino));
        }
        return text;
    };
    std::string first = told_by_killed([&] { return numbers(2); });
    std::string const second = told_by_killed([&] {
        if (!stack.tree->resume().has_value()) {
            return std::string{"no"};
        }
        auto const told = stack.tree->find_origin(of_upper);  // before its name is met
        bool const found = told.has_value() && told->has_value();
        return numbers(met.size()) + (found ? "found" : "not found");
    });
    CHECK(second.starts_with(first));
    CHECK(second.ends_with("found"));
    CHECK_FALSE(second.ends_with("not found"));
    value_of(stack.tree->resume());
    // In another order: what was met before has its number.
    CHECK(stack.shows("e/f"));
    CHECK(numbers(met.size()) + "found" == second);
    CHECK(value_of(stack.tree->find_origin(of_upper)) == stack.ino("e/f"));
    CHECK(stack.ino("b/above") == stack.ino("n/m/again"));
    value_of(stack.tree->resume());

    // In another program, wherever the layers lie by now.
    for (std::string& layer : stack.layers) {
        stdfs::rename(layer, layer + ".moved");
    }
    stack.adopt();
    value_of(stack.tree->resume());
    CHECK(stack.shows("e/f"));
    CHECK(numbers(met.size()) + "found" == second);
    CHECK(value_of(stack.tree->find_origin(of_upper)) == stack.ino("e/f"));
}

TEST_CASE("what is no memory of a stack is not adopted", "[fs][lower]") {
    auto numbering = value_of(SharedMemory::make("oblea-test", 8));
    auto const adopted = adopt_folder_lower({.roots = {}, .numbering = std::move(numbering)}, {});
    CHECK(adopted.error().code == Errno::einval);
    auto log = value_of(SharedMemory::make("oblea-test", 4096));
    auto const rootless = adopt_folder_lower({.roots = {}, .numbering = std::move(log)}, {});
    CHECK(rootless.error().code == Errno::einval);
}

TEST_CASE("a key that is for one session means nothing in another", "[fs][lower]") {
    Stack stack;
    stack.layer().file("f", "text");
    stack.open();
    std::string const key = fmt::format("x0.{}.0.1", static_cast<std::uint32_t>(stack.ino("f")));
    CHECK(value_of(stack.tree->find_origin(key)) == std::nullopt);
}

TEST_CASE("a folder that was changed before somebody took over is told", "[fs][lower]") {
    Stack stack;
    stack.layer().file("a/x", "").file("b/y", "");
    stack.open();
    CHECK(told_by_killed([&] { return stack.shows("b/y") ? "seen" : "not seen"; }) == "seen");
    stdfs::remove_all(stack.at("b"));
    auto const resumed = stack.tree->resume();
    REQUIRE_FALSE(resumed.has_value());
}

TEST_CASE("a private upper layer is refused as a lower", "[fs][lower]") {
    Stack stack;
    stack.layer();
    REQUIRE(::setxattr(stack.layers[0].c_str(), "user.overlay.oblea.format", "1 private", 9, 0) ==
            0);
    auto const refused = folder_lower(stack.layers, {});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errno::ebusy);
    CHECK_THAT(refused.error().message(), Catch::Matchers::Contains("oblea seal"));
}

}  // namespace oblea::test
