// SPDX-License-Identifier: MIT
// Files of which the upper has the attributes and some blocks: what is copied, what is shown, and
// what lasts.
#include "fs/block_map.h"
#include "store/base/boot_id.h"
#include "tests/unit/fs/fixture.h"

#include <linux/capability.h>
#include <linux/falloc.h>
#include <sys/syscall.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace oblea;
using namespace oblea::test;
using Fixture = UnionFixture;
using fs::BlockMap;
namespace sys = base::sys;

namespace {

constexpr std::uint32_t kBlock = 16;

fs::UnionOptions small_blocks() {
    fs::UnionOptions options = test_options();
    options.blocks = {.whole_up_to = 0, .block_bytes = kBlock};
    return options;
}

std::string letters(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        text += static_cast<char>('a' + i % 26);
    }
    return text;
}

struct PartialFixture : UnionFixture {
    std::string text = letters(200);
    UnionDriver& start_with(fs::UnionOptions const& options) {
        builder.add({dir("d"), dir("e"), builder.text_file("d/f", text), hard_link("e/g", "d/f"),
                     builder.text_file("d/alone", text)});
        return start(options);
    }
    [[nodiscard]] std::string stored(std::string const& at) const {
        return value_of(sys::read_file(AT_FDCWD, driver->upper_path(at).c_str(), 1U << 20U));
    }
    [[nodiscard]] std::vector<std::string> maps() const {
        std::vector<std::string> names;
        std::error_code none;
        for (auto const& entry :
             std::filesystem::directory_iterator{driver->work_path("maps"), none}) {
            names.push_back(entry.path());
        }
        std::ranges::sort(names);
        return names;
    }
    // As after a restart of the machine: what is in the page cache and was not synced may be on the
    // disk or not, and the live form of the map counts no more.
    void restart_machine() {
        driver->unmount();
        for (std::string const& path : maps()) {
            if (!path.ends_with(".synced")) {
                std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
                file.seekp(40);
                file << std::string(36, 'x');
            }
        }
        driver->mount();
    }
    std::uint64_t seek(std::string const& at, std::uint64_t offset, int whence) {
        auto const way = value_of(driver->walk(at));
        return value_of((*driver)->seek(way.ino, offset, whence));
    }
};

// The calling thread may not keep set-user-id bits when it writes: as servers of ordinary users.
bool drop_cap_fsetid() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[2];
    if (::syscall(SYS_capget, &header, sets) != 0) {
        return false;
    }
    sets[0].effective &= ~(1U << CAP_FSETID);
    return ::syscall(SYS_capset, &header, sets) == 0;
}

// cap_net_raw+ep, as setcap(8) writes it.
std::string capability() {
    std::string value(20, '\0');
    value[0] = 1;
    value[3] = 2;  // VFS_CAP_REVISION_2
    value[5] = 1U << (CAP_NET_RAW - 8);
    return value;
}

}  // namespace

TEST_CASE_METHOD(PartialFixture, "attributes, xattrs, links and renames copy no contents",
                 "[fs][partial]") {
    UnionDriver& u = start_with(test_options());
    value_of(u.chmod("d/alone", 0600));
    value_of(u.change("d/alone", {.uid = ::geteuid(), .gid = ::getegid()}));
    value_of(u.change("d/alone", {.mtime = fs::TimePoint{1, 2}}));
    value_of(u.setxattr("d/alone", "user.note", "text"));
    value_of(u.removexattr("d/alone", "user.note"));
    value_of(u.link("d/alone", "e/linked"));
    value_of(u.rename("d/alone", "e/moved"));
    value_of(u.chmod("e/g", 0600));
    CHECK(lower->bytes_read == 0);
    CHECK(u->copied_bytes() == 0);
    now_and_later([&] {
        for (char const* const at : {"e/linked", "e/moved", "d/f", "e/g"}) {
            CHECK(value_of(u.read(at)) == text);
            CHECK(value_of(u.stat(at)).size == text.size());
            CHECK(value_of(u.stat(at)).nlink == 2);
        }
        CHECK(value_of(u.stat("e/moved")).mtime == fs::TimePoint{1, 2});
        CHECK(maps().empty());
        value_of(u->resume());
    });
    value_of(u.write("e/moved", "W"));
    CHECK(u->copied_bytes() == text.size());
    text[0] = 'W';
    now_and_later([&] {
        CHECK(value_of(u.read("e/linked")) == text);
        CHECK(stored("e/moved") == text);
    });
}

TEST_CASE_METHOD(PartialFixture, "a write copies what shares a block with it, and no more",
                 "[fs][partial]") {
    UnionDriver& u = start_with(small_blocks());
    SECTION("in one block") {
        value_of(u.write("d/f", "WRITE", 50));
        CHECK(u->copied_bytes() == kBlock - 5);
        text.replace(50, 5, "WRITE");
        value_of(u.write("d/f", "again", 52));
        CHECK(u->copied_bytes() == kBlock - 5);
        text.replace(52, 5, "again");
    }
    SECTION("over many blocks") {
        std::string const many(100, 'W');
        value_of(u.write("d/f", many, 30));
        CHECK(u->copied_bytes() == 14 + 14);
        text.replace(30, 100, many);
    }
    SECTION("of whole blocks") {
        std::string const blocks(std::size_t{3} * kBlock, 'W');
        value_of(u.write("d/f", blocks, kBlock));
        CHECK(u->copied_bytes() == 0);
        text.replace(kBlock, blocks.size(), blocks);
    }
    SECTION("at the end") {
        value_of(u.write("d/f", "more", text.size()));
        CHECK(u->copied_bytes() == 0);
        text += "more";
    }
    SECTION("behind the end") {
        value_of(u.write("d/f", "more", text.size() + 40));
        CHECK(u->copied_bytes() == 0);
        text += std::string(40, '\0') + "more";
    }
    SECTION("from another file of the image") {
        auto const from = value_of(u.walk("d/alone"));
        auto const to = value_of(u.walk("d/f"));
        CHECK(value_of(u->copy_range(from.ino, 3, to.ino, 70, 100)) == 100);
        text.replace(70, 100, letters(200).substr(3, 100));
    }
    now_and_later([&] {
        CHECK(value_of(u.read("d/f")) == text);
        CHECK(value_of(u.read("e/g")) == text);
        value_of(u->resume());
        CHECK(value_of(u.read("d/f")) == text);
    });
    value_of(u->complete(value_of(u.walk("d/f")).ino));
    CHECK(stored("d/f") == text);
    CHECK(maps().empty());
    now_and_later([&] { CHECK(value_of(u.read("d/f")) == text); });
}

TEST_CASE_METHOD(PartialFixture, "an append to a small file copies nothing at first",
                 "[fs][partial]") {
    UnionDriver& u = start_with(test_options());
    value_of(u.write("d/alone", "more", text.size()));
    value_of(u.write("d/f", "far", text.size() + 10));
    CHECK(u->copied_bytes() == 0);
    now_and_later([&] {
        CHECK(value_of(u.read("d/alone")) == text + "more");
        CHECK(value_of(u.read("e/g")) == text + std::string(10, '\0') + "far");
    });
    value_of(u.write("d/alone", "again", text.size() + 2));
    value_of(u.write("d/alone", "W"));
    text += "moagain";
    text[0] = 'W';
    now_and_later([&] { CHECK(value_of(u.read("d/alone")) == text); });
    CHECK(stored("d/alone") == text);
}

TEST_CASE_METHOD(PartialFixture, "4 KiB into 1 GiB copy at most one block", "[fs][partial]") {
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
    builder.add({builder.sparse_file("large", letters(2 * kMiB), 500 * kMiB, 1024 * kMiB)});
    UnionDriver& u = start();
    value_of(u.chmod("large", 0600));
    value_of(u.change("large", {.uid = ::geteuid(), .gid = ::getegid()}));
    value_of(u.setxattr("large", "user.note", "text"));
    CHECK(u->copied_bytes() == 0);
    value_of(u.write("large", std::string(4096, 'W'), 501 * kMiB + 1000));
    CHECK(u->copied_bytes() > 0);
    CHECK(u->copied_bytes() <= fs::CopyUpBlocks{}.block_bytes);
}

TEST_CASE_METHOD(PartialFixture, "what was cut off never comes back", "[fs][partial]") {
    UnionDriver& u = start_with(small_blocks());
    if (GENERATE(false, true)) {
        value_of(u.write("d/f", "WRITE", 50));
        text.replace(50, 5, "WRITE");
    }
    value_of(u.truncate("d/f", 70));
    text.resize(70);
    if (GENERATE(false, true)) {
        u.remount();
    }
    SECTION("lengthened") {
        value_of(u.truncate("d/f", 150));
        text.resize(150);
    }
    SECTION("written behind the end") {
        value_of(u.write("d/f", "W", 100));
        text.resize(100);
        text += 'W';
    }
    SECTION("given room") {
        auto const way = value_of(u.walk("d/f"));
        value_of(u->fallocate(way.ino, 0, 0, 120));
        text.resize(120);
    }
    now_and_later([&] { CHECK(value_of(u.read("d/f")) == text); });
    value_of(u.write("d/f", "V", 2));
    text[2] = 'V';
    now_and_later([&] { CHECK(value_of(u.read("d/f")) == text); });
    value_of(u.truncate("d/f", 0));
    value_of(u.truncate("d/f", 100));
    now_and_later([&] { CHECK(value_of(u.read("d/f")) == std::string(100, '\0')); });
    CHECK(maps().empty());
}

TEST_CASE_METHOD(PartialFixture, "holes of both layers are holes of a part", "[fs][partial]") {
    // Larger than the blocks of any file system, so that holes are seen.
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
    builder.add({builder.sparse_file("s", "data", 4 * kMiB, 8 * kMiB)});
    fs::UnionOptions options = test_options();
    options.blocks.block_bytes = 64U << 10U;
    UnionDriver& u = start(options);
    value_of(u.write("s", "W", kMiB));
    now_and_later([&] {
        CHECK(seek("s", 0, SEEK_HOLE) == 0);
        std::uint64_t const first = seek("s", 0, SEEK_DATA);
        CHECK(first <= kMiB);
        CHECK(first >= kMiB - (64U << 10U));
        std::uint64_t const hole = seek("s", kMiB, SEEK_HOLE);
        CHECK(hole > kMiB);
        CHECK(hole <= kMiB + (64U << 10U));
        CHECK(seek("s", hole, SEEK_DATA) == 4 * kMiB);
        CHECK(seek("s", 4 * kMiB, SEEK_HOLE) == 4 * kMiB + 4);
        auto const way = value_of(u.walk("s"));
        CHECK(code_of(u->seek(way.ino, 5 * kMiB, SEEK_DATA)) == ENXIO);
        CHECK(code_of(u->seek(way.ino, 8 * kMiB, SEEK_HOLE)) == ENXIO);
    });
}

TEST_CASE_METHOD(PartialFixture, "holes are punched into a part", "[fs][partial]") {
    UnionDriver& u = start_with(small_blocks());
    value_of(u->fallocate(value_of(u.walk("d/f")).ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          20, 70));
    CHECK(u->copied_bytes() == 4 + 6);
    text.replace(20, 70, 70, '\0');
    now_and_later([&] { CHECK(value_of(u.read("d/f")) == text); });
}

TEST_CASE_METHOD(PartialFixture, "an unlinked part lives as long as it is open", "[fs][partial]") {
    UnionDriver& u = start_with(small_blocks());
    {
        auto const way = value_of(u.walk("d/alone"));
        auto const handle = value_of(u->open(way.ino, fs::OpenFor::writing));
        value_of(u->write(way.ino, base::bytes_of("WRITE"), 50));
        value_of(u.unlink("d/alone"));
        value_of(u->write(way.ino, base::bytes_of("V"), 100));
        text.replace(50, 5, "WRITE");
        text[100] = 'V';
        CHECK(value_of(u.read(way.ino, text.size())) == text);
        value_of(u->resume());
        CHECK(value_of(u.read(way.ino, text.size())) == text);
        CHECK(maps().size() == 1);
        u->release(handle);
    }
    CHECK(maps().empty());
    CHECK(work_entries("orphans") == 0);
}

TEST_CASE_METHOD(PartialFixture, "what becomes whole keeps its times", "[fs][partial]") {
    UnionDriver& u = start_with(small_blocks());
    value_of(u.write("d/f", "W", 50));
    value_of(u.change("d/f", {.mtime = fs::TimePoint{1000, 7}}));
    value_of(u->complete(value_of(u.walk("d/f")).ino));
    CHECK(value_of(u.stat("d/f")).mtime == fs::TimePoint{1000, 7});
}

TEST_CASE_METHOD(PartialFixture, "what becomes whole keeps set-user-id and capabilities",
                 "[fs][partial]") {
    bool const in_steps = GENERATE(false, true);
    fs::UnionOptions options = small_blocks();
    options.blocks.whole_up_to = in_steps ? 0 : 1000;
    UnionDriver& u = start_with(options);
    bool const may_give = ::geteuid() == 0;
    for (char const* const at : {"d/f", "d/alone"}) {
        value_of(u.chmod(at, 06755));
        if (may_give) {
            value_of(u.setxattr(at, "security.capability", capability()));
        }
        value_of(u.change(at, {.mtime = fs::TimePoint{1000, 7}}));
    }
    auto const one = value_of(u.walk("d/f"));
    auto const other = value_of(u.walk("d/alone"));
    bool all_well = false;
    std::thread{[&] {
        all_well = drop_cap_fsetid() && u->complete(one.ino).has_value() &&
                   u->complete(other.ino).has_value();
    }}.join();
    REQUIRE(all_well);
    for (char const* const at : {"d/f", "d/alone"}) {
        CHECK(stored(at) == text);
        CHECK(value_of(u.stat(at)).permissions == 06755);
        CHECK(value_of(u.stat(at)).mtime == fs::TimePoint{1000, 7});
        if (may_give) {
            CHECK(value_of(u.getxattr(at, "security.capability")) == capability());
        }
    }
}

TEST_CASE_METHOD(PartialFixture, "sealing makes every part whole", "[fs][partial]") {
    UnionDriver& u = start_with(small_blocks());
    value_of(u.write("d/alone", "W", 50));
    value_of(u.chmod("e/g", 0600));
    value_of(u.rename("d", "moved"));
    value_of(u->seal());
    CHECK(stored("moved/f") == text);
    CHECK(stored("e/g") == text);
    text[50] = 'W';
    CHECK(stored("moved/alone") == text);
    CHECK_FALSE(std::filesystem::exists(u.work_path("maps")));
}

TEST_CASE_METHOD(PartialFixture, "after a restart of the machine a part is what was synced",
                 "[fs][partial][durable]") {
    fs::UnionOptions options = small_blocks();
    options.durable = fs::Durable::yes;
    UnionDriver& u = start_with(options);
    value_of(u.write("d/f", "SYNCED", 50));
    text.replace(50, 6, "SYNCED");
    SECTION("by fsync") {
        value_of(u->fsync(value_of(u.walk("d/f")).ino, fs::DataOnly::yes));
    }
    SECTION("by fsync of the root") {
        value_of(u->fsyncdir(Ino::root));
    }
    SECTION("by unmounting") {
        u.remount();
    }
    SECTION("by unmounting after the server was killed") {
        value_of(u->resume());
        CHECK(value_of(u.read("d/f")) == text);
        value_of(u.write("d/f", "V", 150));
        text[150] = 'V';
    }
    restart_machine();
    CHECK(value_of(u.read("d/f")) == text);
    value_of(u.truncate("d/f", 120));
    value_of(u->fsync(value_of(u.walk("d/f")).ino, fs::DataOnly::no));
    value_of(u.truncate("d/f", 180));
    text.resize(120);
    text.resize(180);
    restart_machine();
    CHECK(value_of(u.read("d/f")) == text);
}

TEST_CASE_METHOD(PartialFixture, "of what was not synced a restart leaves what the image has",
                 "[fs][partial][durable]") {
    UnionDriver& u = start_with(small_blocks());  // not durable: nothing is synced by itself
    value_of(u.write("d/f", "LOST", 50));
    restart_machine();
    CHECK(value_of(u.read("d/f")) == text);
    value_of(u.write("d/f", "W", 100));
    text[100] = 'W';
    now_and_later([&] { CHECK(value_of(u.read("d/f")) == text); });
}

TEST_CASE_METHOD(PartialFixture, "a part whose image is gone is an error, and not zeros",
                 "[fs][partial]") {
    UnionDriver& u = start_with(small_blocks());
    value_of(u.chmod("d/alone", 0600));
    u.unmount();
    LowerBuilder other;
    other.add({dir("d"), other.text_file("d/alone", "another image")});
    UnionDriver wrong{other.build(), temp.path(), small_blocks()};
    CHECK(code_of(wrong.read("d/alone")) == EIO);
    CHECK(code_of(wrong.write("d/alone", "W")) == EIO);
    CHECK(value_of(wrong.stat("d/alone")).permissions == 0600);
}

TEST_CASE_METHOD(PartialFixture, "a damaged map is an error", "[fs][partial]") {
    fs::UnionOptions options = small_blocks();
    options.durable = fs::Durable::yes;
    UnionDriver& u = start_with(options);
    value_of(u.write("d/f", "W", 50));
    u.remount();
    restart_machine();
    u.unmount();
    for (std::string const& path : maps()) {
        std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(-1, std::ios::end);
        file << '\xff';
    }
    u.mount();
    CHECK(code_of(u.read("d/f")) == EUCLEAN);
}

TEST_CASE_METHOD(PartialFixture, "parts become whole in the background", "[fs][partial]") {
    UnionDriver& u = start_with(small_blocks());
    value_of(u.write("d/f", "W", 50));
    value_of(u.chmod("d/alone", 0600));
    text[50] = 'W';
    u.remount();  // the next mount goes on with it
    value_of(u->start_background());
    auto const way = value_of(u.walk("d/f"));
    for (int i = 0; i < 6000 && !u->is_settled(way.ino); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    CHECK(u->is_settled(way.ino));
    u->stop_background();
    CHECK(stored("d/f") == text);
    CHECK(maps().empty());
    // Of what nobody wrote to, the contents stay the image's.
    CHECK_FALSE(u->is_settled(value_of(u.walk("d/alone")).ino));
}

TEST_CASE_METHOD(PartialFixture, "who writes and reads while a file becomes whole loses nothing",
                 "[fs][partial][race]") {
    text = letters(20'000);
    builder.add({builder.text_file("big", text)});
    fs::UnionOptions options = small_blocks();
    UnionDriver& u = start(options);
    auto const way = value_of(u.walk("big"));
    value_of(u->write(way.ino, base::bytes_of("W"), 0));
    text[0] = 'W';
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned thread = 0; thread < 3; ++thread) {
        threads.emplace_back([&, thread] {
            for (std::uint64_t i = 1 + thread; i < 1500; i += 3) {
                std::string const mine(5, static_cast<char>('A' + thread));
                wrong += u->write(way.ino, base::bytes_of(mine), i * 13).has_value() ? 0 : 1;
                std::string back(5, ' ');
                auto const read = u->read(
                    way.ino, base::MutableBytes{reinterpret_cast<std::byte*>(back.data()), 5},
                    i * 13);
                wrong += read.has_value() && back == mine ? 0 : 1;
            }
        });
    }
    wrong += u->complete(way.ino).has_value() ? 0 : 1;
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (std::size_t i = 1; i < 1500; ++i) {
        text.replace(i * 13, 5, 5, static_cast<char>('A' + (i - 1) % 3));
    }
    CHECK(wrong == 0);
    CHECK(u->is_settled(way.ino));
    CHECK(value_of(u.read("big")) == text);
    CHECK(stored("big") == text);
}

// --- the map ---

TEST_CASE("a map tells who has which bytes", "[fs][partial][block_map]") {
    using Owner = BlockMap::Owner;
    BlockMap map{100, 16};
    auto const is = [&](std::uint64_t from, std::uint64_t end, Owner owner, std::uint64_t to) {
        auto const stretch = map.stretch_at(from, end);
        return stretch.owner == owner && stretch.end == to;
    };
    CHECK(is(0, 1000, Owner::lower, 100));
    CHECK(is(100, 1000, Owner::upper, 1000));
    CHECK_FALSE(map.owns_some());
    map.own({1, 3});
    CHECK(is(0, 1000, Owner::lower, 16));
    CHECK(is(20, 1000, Owner::upper, 48));
    CHECK(is(20, 40, Owner::upper, 40));
    CHECK(is(48, 1000, Owner::lower, 100));
    map.own({6, 7});
    CHECK(is(96, 1000, Owner::upper, 1000));
    CHECK(map.touched(90, 200).first == 5);
    CHECK(map.touched(90, 200).end == 7);
    CHECK(map.touched(100, 200).empty());
    map.cut(50);
    map.cut(80);
    CHECK(map.limit() == 50);
    CHECK(is(48, 1000, Owner::lower, 50));
    CHECK_FALSE(map.is_whole());
    map.cut(0);
    CHECK(map.is_whole());
}

TEST_CASE("a map is read as it was written, or not at all", "[fs][partial][block_map]") {
    std::string const boot(36, 'b');
    BlockMap map{100, 16};
    map.own({1, 3});
    map.cut(90);
    BlockMap live{100, 4};  // blocks of another setting
    CHECK(value_of(live.load_live(map.encode_live(boot), boot)));
    CHECK(live.encode_synced() == map.encode_synced());
    BlockMap other{100, 16};
    CHECK_FALSE(value_of(other.load_live(map.encode_live(boot), std::string(36, 'c'))));
    CHECK_FALSE(value_of(other.load_live(map.encode_live(""), "")));
    BlockMap synced{100, 16};
    value_of(synced.load_synced(map.encode_synced()));
    CHECK(synced.encode_live(boot) == map.encode_live(boot));
    std::string const form = map.encode_synced();
    for (std::size_t at = 0; at < form.size(); ++at) {
        CAPTURE(at);
        std::string damaged = form;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        CHECK_FALSE(BlockMap{100, 16}.load_synced(damaged).has_value());
        CHECK_FALSE(BlockMap{100, 16}.load_synced(form.substr(0, at)).has_value());
    }
    CHECK_FALSE(BlockMap{1000, 16}.load_synced(form).has_value());
}

TEST_CASE("a patch of a map is what it will be", "[fs][partial][block_map]") {
    std::string const boot(36, 'b');
    BlockMap map{1000, 10};
    map.own({3, 5});
    std::string form = map.encode_live(boot);
    auto const patch = map.patch_for({13, 30});
    form.replace(patch.at, patch.bytes.size(), base::text_of(patch.bytes));
    map.own({13, 30});
    BlockMap patched{1000, 10};
    CHECK(value_of(patched.load_live(form, boot)));
    CHECK(patched.encode_synced() == map.encode_synced());
}
