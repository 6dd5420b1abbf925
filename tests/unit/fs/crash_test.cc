// SPDX-License-Identifier: MIT
// Every operation that changes the upper, ended or failing at each of its system calls.
//
// Ended, as by kill -9: the next mount shows the tree before the operation or after it, with every
// operation that was completed, and nothing that was under way is left; what was not done can be
// done again. Failing: the answer is the call's error, and the tree is what it was; or the
// operation did without that call, and the tree is the one after it.
#include "tests/unit/fs/faulty_calls.h"
#include "tests/unit/fs/fixture.h"
#include "tests/unit/fs/ordinary_user.h"
#include "tests/unit/fs/seen.h"

#include <sys/wait.h>

#include <functional>

using namespace oblea;
using namespace oblea::test;
using Mode = UnionFs::RenameMode;
using Kind = FaultyCalls::Kind;

namespace {

using Step = std::function<Status(UnionDriver&)>;

struct Operation {
    char const* name;
    Step act;
    Step prepare = [](UnionDriver&) { return Status{}; };
    [[nodiscard]] bool moves_names() const {
        return std::string_view{name}.starts_with("rename") ||
               std::string_view{name}.starts_with("rmdir") ||
               std::string_view{name}.starts_with("unlink");
    }
};

std::shared_ptr<MemoryLower> image() {
    LowerBuilder b;
    b.add({dir("d"), b.text_file("d/x", "lower x"), b.text_file("d/y", "lower y"), dir("d/sub"),
           b.text_file("d/sub/deep", "deep"), dir("e"), dir("empty"), soft_link("l", "d/x"),
           b.text_file("h1", "linked"), hard_link("d/h2", "h1"), hard_link("e/h3", "h1"),
           inode("pipe", FileType::fifo, 0644),
           with_xattrs(b.text_file("top", "top of the image", 06755), {{"user.note", "kept"}})});
    return b.build();
}

Status open_truncated(UnionDriver& u, std::string const& at) {
    auto const way = OBLEA_TRY(u.walk(at));
    auto const handle = OBLEA_TRY(u->open(way.ino, fs::OpenFor::writing));
    auto cut = u.truncate(at, 0);
    u->release(handle);
    return cut;
}

// Does one after the other.
Step both(Step first, Step second) {
    return [first = std::move(first), second = std::move(second)](UnionDriver& u) -> Status {
        OBLEA_TRY(first(u));
        return second(u);
    };
}
Step create(std::string at) {
    return [at](UnionDriver& u) -> Status {
        OBLEA_TRY(u.create(at));
        return u.write(at, "text of " + at);
    };
}
Step mkdir(std::string at) {
    return [at](UnionDriver& u) { return u.mkdir(at); };
}
Step write(std::string at) {
    return [at](UnionDriver& u) { return u.write(at, "WRITTEN"); };
}
Step write_at(std::string at, std::string text, std::uint64_t offset) {
    return [=](UnionDriver& u) { return u.write(at, text, offset); };
}
Step truncate(std::string at, std::uint64_t size) {
    return [=](UnionDriver& u) { return u.truncate(at, size); };
}
Step complete(std::string at) {
    return [at](UnionDriver& u) -> Status {
        auto const way = OBLEA_TRY(u.walk(at));
        return u->complete(way.ino);
    };
}
Step fsync(std::string at) {
    return [at](UnionDriver& u) -> Status {
        auto const way = OBLEA_TRY(u.walk(at));
        return u->fsync(way.ino, fs::DataOnly::no);
    };
}
Step unlink(std::string at) {
    return [at](UnionDriver& u) { return u.unlink(at); };
}
Step rmdir(std::string at) {
    return [at](UnionDriver& u) { return u.rmdir(at); };
}
Step rename(std::string from, std::string to, Mode mode = Mode::replace) {
    return [=](UnionDriver& u) { return u.rename(from, to, mode); };
}
Step link(std::string from, std::string to) {
    return [=](UnionDriver& u) { return u.link(from, to); };
}
Step chmod(std::string at, std::uint32_t permissions) {
    return [=](UnionDriver& u) { return u.chmod(at, permissions); };
}

std::vector<Operation> operations() {
    return {
        {"write to a file of the image", write("d/x")},
        {"write to a hard link of the image", write("d/h2")},
        {"write to a renamed hard link", write("moved"), rename("h1", "moved")},
        {"truncate a file of the image", [](UnionDriver& u) { return u.truncate("d/x", 3); }},
        {"lengthen a file of the image", [](UnionDriver& u) { return u.truncate("d/x", 30); }},
        {"open a file of the image with O_TRUNC",
         [](UnionDriver& u) { return open_truncated(u, "d/y"); }},
        {"chmod of a file", chmod("d/sub/deep", 0600)},
        {"chmod of a folder", chmod("d/sub", 0700)},
        {"chmod of the root", chmod("", 0700)},
        {"chmod of what was closed to its owner", chmod("d/x", 0755), chmod("d/x", 0444)},
        {"chmod of a fifo", chmod("pipe", 0600)},
        {"setxattr", [](UnionDriver& u) { return u.setxattr("d/x", "user.new", "1"); }},
        {"removexattr", [](UnionDriver& u) { return u.removexattr("top", "user.note"); }},
        {"create in a folder of the image",
         [](UnionDriver& u) { return u.create("d/sub/new", 0640); }},
        {"create without permissions", [](UnionDriver& u) { return u.create("d/new", 0); }},
        {"create over a whiteout", [](UnionDriver& u) { return u.create("d/x"); }, unlink("d/x")},
        {"mkdir", mkdir("d/sub/new")},
        {"mkdir over a whiteout", mkdir("d/sub"), both(unlink("d/sub/deep"), rmdir("d/sub"))},
        {"symlink", [](UnionDriver& u) { return u.symlink("there", "d/link"); }},
        {"unlink a file of the image", unlink("d/x")},
        {"unlink a hard link of the image", unlink("d/h2")},
        {"unlink a copied hard link", unlink("d/h2"), write("d/h2")},
        {"unlink the last hard link", unlink("e/h3"),
         both(write("h1"), both(unlink("h1"), unlink("d/h2")))},
        {"unlink a copied file", unlink("d/x"), write("d/x")},
        {"unlink a new file", unlink("d/new"), create("d/new")},
        {"rmdir a folder of the image", rmdir("empty")},
        {"rmdir a folder that holds whiteouts", rmdir("d/sub"), unlink("d/sub/deep")},
        {"rmdir a new folder", rmdir("new"), mkdir("new")},
        {"link a file of the image", link("d/x", "e/second")},
        {"link a hard link of the image", link("h1", "e/fourth")},
        {"link over a whiteout", link("d/x", "top"), unlink("top")},
        {"rename a file of the image", rename("d/x", "e/x")},
        {"rename a symbolic link", rename("l", "e/l")},
        {"rename a fifo", rename("pipe", "e/pipe")},
        {"rename a hard link of the image", rename("d/h2", "e/h2")},
        {"rename over a file of the image", rename("d/x", "d/y")},
        {"rename over a copied file", rename("d/x", "d/y"), write("d/y")},
        {"rename over a hard link of the image", rename("d/x", "d/h2")},
        {"rename over a copied hard link", rename("d/x", "d/h2"), write("h1")},
        {"rename over a new file", rename("d/x", "new"), create("new")},
        {"rename a new file over one of the image", rename("new", "d/x"), create("new")},
        {"rename a new file", rename("new", "d/new"), create("new")},
        {"rename a folder of the image", rename("d", "moved")},
        {"rename a folder of the image back", rename("moved", "d"), rename("d", "moved")},
        {"rename over an empty folder", rename("d/sub", "empty")},
        {"rename over a folder of whiteouts", rename("new", "d/sub"),
         both(unlink("d/sub/deep"), mkdir("new"))},
        {"rename a folder over a new one", rename("d", "new"), mkdir("new")},
        {"rename a new folder over a whiteout", rename("new", "top"),
         both(unlink("top"), mkdir("new"))},
        {"rename a folder over a whiteout", rename("d", "top"), unlink("top")},
        {"exchange files", rename("d/x", "top", Mode::exchange)},
        {"exchange a file and a folder", rename("d", "top", Mode::exchange)},
        {"exchange hard links and files", rename("h1", "d/y", Mode::exchange)},
        {"exchange folders", rename("d/sub", "e", Mode::exchange)},
    };
}

// Those that find a file of which the upper has a part, or make one.
std::vector<Operation> operations_on_parts() {
    return {
        {"write into the middle", write_at("d/x", "W", 4)},
        {"write over the end", write_at("d/x", "WWWW", 4)},
        {"write to a hard link of the image", write("d/h2")},
        {"write to a renamed hard link", write("moved"), rename("h1", "moved")},
        {"setxattr", [](UnionDriver& u) { return u.setxattr("d/x", "user.new", "1"); }},
        {"write over several blocks", write_at("d/x", "WWWW", 2)},
        {"write to what had its mode changed", write("d/x"), chmod("d/x", 0600)},
        {"write over what was written", write_at("d/x", "WWWWW", 1), write_at("d/x", "V", 4)},
        {"write beside what was written", write_at("d/x", "W", 6), write_at("d/x", "V", 0)},
        {"append", write_at("d/x", "WWW", 7)},
        {"append to a part", write_at("d/x", "WWW", 7), write_at("d/x", "V", 0)},
        {"write behind the end", write_at("d/x", "W", 12)},
        {"truncate", truncate("d/x", 4)},
        {"truncate a part", truncate("d/x", 4), write_at("d/x", "V", 5)},
        {"truncate a part to nothing", truncate("d/x", 0), write_at("d/x", "V", 5)},
        {"lengthen what was cut", truncate("d/x", 9), truncate("d/x", 4)},
        {"append to what was cut", write_at("d/x", "W", 6), truncate("d/x", 4)},
        {"write into what was cut", write_at("d/x", "W", 0), truncate("d/x", 5)},
        {"complete", complete("d/x"), write_at("d/x", "V", 5)},
        {"complete what was cut", complete("d/x"), both(chmod("d/x", 0600), truncate("d/x", 5))},
        {"complete what only has other attributes", complete("d/x"), chmod("d/x", 0600)},
        {"fsync", fsync("d/x"), write_at("d/x", "V", 5)},
        {"unlink a part", unlink("d/x"), write_at("d/x", "V", 5)},
        {"rename a part", rename("d/x", "e/x"), write_at("d/x", "V", 5)},
        {"rename over a part", rename("d/y", "d/x"), write_at("d/x", "V", 5)},
        {"write to a part by another name", write_at("d/h2", "W", 0), write_at("h1", "V", 5)},
        {"write to what has other attributes by another name", write_at("d/h2", "W", 0),
         chmod("h1", 0600)},
        {"link a part", link("d/x", "e/second"), write_at("d/x", "V", 5)},
    };
}

// How contents are copied: files as a whole, or blocks so small that each file has several.
fs::CopyUpBlocks blocks;
void choose(fs::CopyUpBlocks const& chosen) {
    blocks = chosen;
}
constexpr fs::CopyUpBlocks kWhole{};
constexpr fs::CopyUpBlocks kByBlocks{.whole_up_to = 0, .block_bytes = 3};

fs::UnionOptions chosen_options() {
    fs::UnionOptions options = test_options();
    options.blocks = blocks;
    return options;
}

// A file system beneath that offers less.
enum class Beneath { all, no_rename_whiteout, no_devices };
void choose(Beneath beneath) {
    using Offered = FaultyCalls::Offered;
    faulty_calls().rename_whiteout = beneath == Beneath::all ? Offered::yes : Offered::no;
    faulty_calls().whiteout_devices = beneath == Beneath::no_devices ? Offered::no : Offered::yes;
}

Seen seen_of(UnionDriver& u) {
    Seen seen;
    look(u, "", seen);
    return seen;
}

// A union on a folder of its own, made ready for an operation.
struct Ready {
    TempDir temp;
    UnionDriver driver;
    explicit Ready(std::shared_ptr<MemoryLower> const& lower)
        : driver(lower, temp.path(), chosen_options()) {
        driver.caller = test_caller();
    }
    Ready(std::shared_ptr<MemoryLower> const& lower, Operation const& operation) : Ready(lower) {
        value_of(operation.prepare(driver));
    }
    std::size_t under_way() const {
        std::size_t count = 0;
        for (char const* const folder : {"tmp", "orphans"}) {
            auto const dir = value_of(base::sys::open(driver.work_path(folder), O_RDONLY));
            count += value_of(base::sys::list_dir(dir.get())).size();
        }
        return count;
    }
};

// The tree before and after.
struct Trees {
    Seen before, after;
    Trees(std::shared_ptr<MemoryLower> const& lower, Operation const& operation) {
        Ready ready{lower, operation};
        before = seen_of(ready.driver);
        value_of(operation.act(ready.driver));
        after = seen_of(ready.driver);
        ready.driver.remount();
        CHECK(differences(after, seen_of(ready.driver)).empty());
    }
};

// In a process that ends before the given call; its exit status.
int end_at(std::uint64_t call, UnionDriver& u, Operation const& operation) {
    pid_t const child = ::fork();
    if (child == 0) {
        u.mount();
        int status = operation.prepare(u).has_value() ? 0 : 1;
        faulty_calls().arm(Kind::end_process, call);
        status += operation.act(u).has_value() ? 0 : 2;
        faulty_calls().disarm();
        ::_exit(status);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void end_everywhere(std::shared_ptr<MemoryLower> const& lower, Operation const& operation) {
    Trees const trees{lower, operation};
    for (std::uint64_t call = 1;; ++call) {
        CAPTURE(operation.name, call);
        Ready ready{lower};
        ready.driver.unmount();
        int const status = end_at(call, ready.driver, operation);
        CHECK(ready.driver.damage() == "");  // what a crash leaves is none
        ready.driver.mount();
        Seen const now = seen_of(ready.driver);
        CHECK(ready.under_way() == 0);
        if (status != FaultyCalls::kDied) {
            REQUIRE(status == 0);
            CHECK(differences(trees.after, now) == "");
            return;
        }
        if (now.lines != trees.before.lines) {
            CHECK(differences(trees.after, now) == "");
            continue;
        }
        CHECK(code_of(operation.act(ready.driver)) == 0);
        CHECK(differences(trees.after, seen_of(ready.driver)) == "");
    }
}

void fail_everywhere(std::shared_ptr<MemoryLower> const& lower, Operation const& operation,
                     Kind kind, int error) {
    Trees const trees{lower, operation};
    for (std::uint64_t call = 1;; ++call) {
        CAPTURE(operation.name, call, error);
        Ready ready{lower, operation};
        faulty_calls().arm(kind, call, error);
        Status const answer = operation.act(ready.driver);
        bool const fired = faulty_calls().fired;
        faulty_calls().disarm();
        CHECK(code_of(answer) == (answer.has_value() ? 0 : error));
        Seen const& expected = answer.has_value() ? trees.after : trees.before;
        CHECK(differences(expected, seen_of(ready.driver)) == "");
        ready.driver.remount();
        CHECK(differences(expected, seen_of(ready.driver)) == "");
        if (!answer.has_value()) {
            CHECK(code_of(operation.act(ready.driver)) == 0);
            CHECK(differences(trees.after, seen_of(ready.driver)) == "");
        }
        if (!fired) {
            return;
        }
    }
}

}  // namespace

TEST_CASE("a crash at any system call leaves each operation done or not done",
          "[fs][crash][everyone]") {
    auto const lower = image();
    for (Operation const& operation : operations()) {
        end_everywhere(lower, operation);
    }
}

TEST_CASE("a crash at any system call leaves each part of a file done or not done",
          "[fs][crash][everyone]") {
    choose(kByBlocks);
    auto const lower = image();
    for (Operation const& operation : operations_on_parts()) {
        end_everywhere(lower, operation);
    }
    choose(kWhole);
}

TEST_CASE("a crash leaves whiteouts whole where the file system beneath offers less",
          "[fs][crash]") {
    auto const beneath = GENERATE(Beneath::no_rename_whiteout, Beneath::no_devices);
    CAPTURE(static_cast<int>(beneath));
    choose(beneath);
    auto const lower = image();
    for (Operation const& operation : operations()) {
        if (operation.moves_names()) {
            end_everywhere(lower, operation);
        }
    }
    choose(Beneath::all);
}

TEST_CASE("a failing upper leaves the union as it was", "[fs][crash][fault]") {
    auto const lower = image();
    for (Operation const& operation : operations()) {
        fail_everywhere(lower, operation, Kind::fail_once, EIO);
    }
}

TEST_CASE("a failing or full upper leaves parts of files as they were", "[fs][crash][fault]") {
    choose(kByBlocks);
    auto const lower = image();
    for (Operation const& operation : operations_on_parts()) {
        fail_everywhere(lower, operation, Kind::fail_once, EIO);
        fail_everywhere(lower, operation, Kind::full_disk, ENOSPC);
    }
    choose(kWhole);
}

TEST_CASE("a full disk leaves the union as it was", "[fs][crash][fault]") {
    auto const lower = image();
    for (Operation const& operation : operations()) {
        fail_everywhere(lower, operation, Kind::full_disk, ENOSPC);
    }
}

TEST_CASE("a crash leaves each operation done or not done, without rights", "[fs][nobody]") {
    CHECK(run_as_nobody("[everyone]") == 0);
}

TEST_CASE("what must be on the disk is brought there", "[fs][crash][durable]") {
    fs::UnionOptions options = test_options();
    options.durable = GENERATE(fs::Durable::yes, fs::Durable::no);
    // Nobody wants what is not durable back after a crash, whatever its programs ask for.
    std::uint64_t const needed = options.durable == fs::Durable::yes ? 1 : 0;
    TempDir const temp;
    UnionDriver u{image(), temp.path(), options};
    auto const synced = [&](Step const& step) {
        faulty_calls().arm(Kind::fail_once, FaultyCalls::kNever);
        value_of(step(u));
        std::uint64_t const count = faulty_calls().syncs;
        faulty_calls().disarm();
        return count;
    };
    CHECK(synced(write("d/x")) == needed);  // the copy, before its name
    CHECK(synced(write("d/x")) == 0);
    CHECK(synced(unlink(std::string{"d/y"})) == 0);
    CHECK(synced(rename(std::string{"d"}, std::string{"moved"})) == 0);
    auto const file = value_of(u.walk("moved/x"));
    auto const folder = value_of(u.walk("moved"));
    auto const fsync = [&](fs::DataOnly data_only) {
        return synced([&](UnionDriver&) { return u->fsync(file.ino, data_only); });
    };
    CHECK(fsync(fs::DataOnly::no) == needed);
    CHECK(fsync(fs::DataOnly::yes) == needed);
    CHECK(synced([&](UnionDriver&) { return u->fsyncdir(folder.ino); }) == needed);
    CHECK(synced([&](UnionDriver&) { return u->fsyncdir(Ino::root); }) == needed);
}
