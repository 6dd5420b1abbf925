// SPDX-License-Identifier: MIT
// What a look at an upper finds that was damaged, kind by kind and at random; the crash and model
// tests look at uppers that are sound.
#include "fs/upper/check_upper.h"

#include "fs/block_map.h"
#include "store/base/boot_id.h"
#include "tests/support/random.h"
#include "tests/unit/fs/fixture.h"
#include "tests/unit/fs/seen.h"

#include <filesystem>
#include <fstream>

using namespace oblea;
using namespace oblea::test;
using Catch::Matchers::Contains;
namespace sys = base::sys;

namespace {

// An upper with one of everything, that nobody has mounted any more.
struct Layer : UnionFixture {
    fs::MarkNames names{fs::MarkSpace::user};
    std::string key_of_x, key_of_h;  // of d/x and h1

    Layer() {
        builder.add({dir("d"), builder.text_file("d/x", "lower x"),
                     builder.text_file("d/y", "lower y"), dir("d/sub"),
                     builder.text_file("d/sub/deep", "deep"), dir("e"), dir("empty"),
                     builder.text_file("far", "far away"), builder.text_file("h1", "linked"),
                     hard_link("d/h2", "h1"), hard_link("e/h3", "h1"),
                     builder.text_file("top", "top of the image")});
        fs::UnionOptions options = test_options();
        options.blocks = {.whole_up_to = 0, .block_bytes = 3};
        UnionDriver& u = start(options);
        value_of(u.write("d/x", "W", 4));
        value_of(u.chmod("d/y", 0600));
        value_of(u.rename("d/sub", "moved"));
        value_of(u.rmdir("empty"));
        value_of(u.mkdir("empty"));
        value_of(u.rename("far", "e/far"));
        value_of(u.write("h1", "LINKED"));
        value_of(u.unlink("d/h2"));
        value_of(u.unlink("top"));
        value_of(u.create("new"));
        auto const key = [&](char const* name) {
            auto const entry = value_of(lower->lookup(store::InodeNo::root, name)).value();
            return entry.ino;
        };
        key_of_h = value_of(lower->origin_key(key("h1")));
        auto const below = value_of(lower->lookup(key("d"), "x")).value();
        key_of_x = value_of(lower->origin_key(below.ino));
        save_map();
    }
    // As fsync does it, and without waiting for the disk.
    void save_map() const {
        fs::BlockMap saved{std::string_view{"lower x"}.size(), 3};
        REQUIRE(value_of(saved.load_live(stored(map()), base::boot_id())));
        store(map() + ".synced", saved.encode_synced());
    }
    void close() {
        auto const work = value_of(sys::open(driver->work_path(""), O_RDONLY));
        names = fs::MarkNames{value_of(fs::mark_space_of(work.get()))};
        driver->unmount();
    }

    void mark(std::string const& at, std::string const& name, std::string_view text) {
        value_of(sys::lsetxattr(driver->upper_path(at), name.c_str(), text));
    }
    void unmark(std::string const& at, std::string const& name) {
        value_of(sys::lremovexattr(driver->upper_path(at), name.c_str()));
    }
    [[nodiscard]] std::string text_of(std::string const& at, std::string const& name) const {
        return value_of(sys::lgetxattr(driver->upper_path(at), name.c_str())).value();
    }
    static std::string stored(std::string const& path) {
        return value_of(sys::read_file(AT_FDCWD, path.c_str(), 1U << 20U));
    }
    static void store(std::string const& path, std::string const& text) {
        std::ofstream{path, std::ios::binary} << text;
    }
    static void flip(std::string const& path, std::size_t at, int bit = 0) {
        std::string text = stored(path);
        text.at(at) = static_cast<char>(text.at(at) ^ (1 << bit));
        store(path, text);
    }
    void relink(std::string const& at, std::string const& text) {
        std::string const path = driver->work_path(at);
        std::filesystem::remove(path);
        std::filesystem::create_symlink(text, path);
    }
    [[nodiscard]] std::string map() const { return driver->work_path("maps/" + key_of_x); }
};

struct Damage {
    char const* what;
    std::function<void(Layer&)> plant;
    char const* path;  // begins the line; KEY_X and KEY_H stand for the keys
    char const* said;  // a part of it
};

std::vector<Damage> kinds_of_damage() {
    return {
        {"a mark of no version",
         [](Layer& l) { l.mark("d/x", l.names.inode, "7 " + l.key_of_x + " -"); },
         "upper/d/x: ", "oblea.inode is damaged"},
        {"a mark cut short", [](Layer& l) { l.mark("d", l.names.inode, "1 ab"); },
         "upper/d: ", "oblea.inode is damaged"},
        {"opaque in a word that means nothing",
         [](Layer& l) { l.mark("empty", l.names.opaque, "z"); },
         "upper/empty: ", "opaque is damaged"},
        {"an opaque file", [](Layer& l) { l.mark("new", l.names.opaque, "y"); },
         "upper/new: ", "opaque is damaged"},
        {"a redirect that leads out", [](Layer& l) { l.mark("moved", l.names.redirect, "/../x"); },
         "upper/moved: ", "redirect is damaged"},
        {"a redirect that leads nowhere",
         [](Layer& l) {
             l.unmark("moved", l.names.inode);
             l.mark("moved", l.names.redirect, "/d/nothing");
         },
         "upper/moved: ", "no folder where its redirect leads"},
        {"an origin that the image has not",
         [](Layer& l) { l.mark("d/x", l.names.inode, "1 " + std::string(64, 'a') + ".3 -"); },
         "upper/d/x: ", "no such inode"},
        {"an origin of another kind",
         [](Layer& l) { l.mark("d/x", l.names.inode, l.text_of("d", l.names.inode)); },
         "upper/d/x: ", "of another kind"},
        {"two copies of one file",
         [](Layer& l) { l.mark("d/y", l.names.inode, l.text_of("d/x", l.names.inode)); },
         "upper/d/", "the same inode of the image as upper/d/"},
        {"a copy of what still shows",
         [](Layer& l) { std::filesystem::remove(l.driver->upper_path("far")); },
         "upper/e/far: ", "also shows by its own name"},
        {"a moved file in a folder that does not say so",
         [](Layer& l) { l.unmark("e", l.names.impure); }, "upper/e: ", "not marked to hold"},
        {"a whiteout with contents",
         [](Layer& l) {
             l.mark("new", l.names.whiteout, "y");
             Layer::store(l.driver->upper_path("new"), "contents");
         },
         "upper/new: ", "whiteout is damaged"},
        {"a mark that nobody knows", [](Layer& l) { l.mark("new", l.names.own + "more", "1"); },
         "upper/new: ", "oblea.more is damaged"},
        {"all marks lost", [](Layer& l) { l.unmark("", l.names.inode); },
         "upper: ", "lacks the mark of the image's root"},
        {"a folder's mark lost", [](Layer& l) { l.unmark("d", l.names.inode); },
         "upper/d: ", "shows through it"},
        {"a state that nobody knows", [](Layer& l) { l.mark("", l.names.format, "9 new"); },
         "upper: ", "newer version"},
        {"a part that is none of a known file", [](Layer& l) { l.unmark("d/x", l.names.inode); },
         "upper/d/x: ", "no mark says of which"},
        {"no maps", [](Layer& l) { std::filesystem::remove_all(l.driver->work_path("maps")); },
         "upper/d/x: ", "work/maps is missing"},
        {"a saved map with a bit flipped",
         [](Layer& l) { Layer::flip(l.map() + ".synced", 80, 1); },
         "work/maps/KEY_X.synced: ", "damaged block map"},
        {"a map for a file of another size", [](Layer& l) { Layer::flip(l.map(), 24, 1); },
         "work/maps/KEY_X: ", "damaged block map"},
        {"a map that is cut behind the file's end", [](Layer& l) { Layer::flip(l.map(), 16, 5); },
         "work/maps/KEY_X: ", "damaged block map"},
        {"a map with blocks behind the file's end", [](Layer& l) { Layer::flip(l.map(), 80, 7); },
         "work/maps/KEY_X: ", "damaged block map"},
        {"a map that lost a block", [](Layer& l) { Layer::flip(l.map(), 80, 1); },
         "work/maps/KEY_X: ", "lacks blocks that had been saved"},
        {"a map cut short",
         [](Layer& l) { Layer::store(l.map(), Layer::stored(l.map()).substr(0, 80)); },
         "work/maps/KEY_X: ", "damaged block map"},
        {"a format that nobody knows",
         [](Layer& l) { Layer::store(l.driver->work_path("format"), "oblea-upper 9\n"); },
         "work/format: ", "newer version"},
        {"a format without maps",
         [](Layer& l) { Layer::store(l.driver->work_path("format"), "oblea-upper 1 private\n"); },
         "work/format: ", "block maps"},
        {"a hard link that is not anchored",
         [](Layer& l) { std::filesystem::remove(l.driver->work_path("index/" + l.key_of_h)); },
         "upper/h1: ", "work/index lacks it"},
        {"an anchor with another name",
         [](Layer& l) {
             std::filesystem::rename(l.driver->work_path("index/" + l.key_of_h),
                                     l.driver->work_path("index/" + l.key_of_x));
         },
         "work/index/KEY_X: ", "another inode of the image than its name"},
        {"an anchor named after nothing",
         [](Layer& l) {
             std::filesystem::rename(l.driver->work_path("index/" + l.key_of_h),
                                     l.driver->work_path("index/nothing"));
         },
         "work/index/nothing: ", "no such inode"},
        {"a link count that is none", [](Layer& l) { l.relink("links/" + l.key_of_h, "one"); },
         "work/links/KEY_H: ", "damaged link count"},
        {"a wrong link count", [](Layer& l) { l.relink("links/" + l.key_of_h, "7"); },
         "work/links/KEY_H: ", "counts 7 names of the image that show, and 0 do"},
        {"no link count",
         [](Layer& l) { std::filesystem::remove(l.driver->work_path("links/" + l.key_of_h)); },
         "work/links/KEY_H: ", "is missing"},
        {"a note that is none", [](Layer& l) { l.relink("tmp/t5.belongs", "nowhere"); },
         "work/tmp/t5.belongs: ", "damaged note"},
        {"a file in place of a folder",
         [](Layer& l) {
             std::filesystem::remove_all(l.driver->work_path("links"));
             Layer::store(l.driver->work_path("links"), "");
         },
         "work/links: ", "directory"},
    };
}

std::string with_keys(Layer const& layer, std::string text) {
    for (auto const& [word, key] :
         {std::pair{"KEY_X", layer.key_of_x}, std::pair{"KEY_H", layer.key_of_h}}) {
        auto const at = text.find(word);
        if (at != std::string::npos) {
            text.replace(at, 5, key);
        }
    }
    return text;
}

fs::UpperCheck beside_a_mount(int upper, int work, Layer const& layer) {
    return {.upper = upper,
            .work = work,
            .space = value_of(fs::mark_space_of(work)),
            .lower = layer.lower.get(),
            .mounted = fs::UpperCheck::Mounted::yes};
}

}  // namespace

TEST_CASE("an upper that is sound has no faults, whatever is in it", "[fs][check_upper]") {
    Layer layer;
    layer.close();
    CHECK(layer.driver->damage() == "");
    layer.driver->mount();
    CHECK(layer.driver->damage() == "");
}

TEST_CASE("each kind of damage in an upper is found and named", "[fs][check_upper]") {
    for (Damage const& damage : kinds_of_damage()) {
        CAPTURE(damage.what);
        Layer layer;
        layer.close();
        damage.plant(layer);
        std::string const found = layer.driver->damage();
        CHECK_THAT(found, Contains(with_keys(layer, damage.path)));
        CHECK_THAT(found, Contains(damage.said));
    }
}

TEST_CASE("beside a mount what each mark says is looked at, and nothing that is under way",
          "[fs][check_upper]") {
    Layer layer;
    UnionDriver& u = *layer.driver;
    auto const upper = value_of(sys::open(u.upper_path(""), O_RDONLY | O_DIRECTORY));
    auto const work = value_of(sys::open(u.work_path(""), O_RDONLY | O_DIRECTORY));
    fs::UpperCheck const check = beside_a_mount(upper.get(), work.get(), layer);
    CHECK(value_of(fs::check_upper(check)).empty());
    layer.relink("links/" + layer.key_of_h, "7");  // as while a name is being covered
    CHECK(value_of(fs::check_upper(check)).empty());
    layer.names = fs::MarkNames{check.space};
    layer.mark("d", layer.names.inode, "7");
    auto const faults = value_of(fs::check_upper(check));
    REQUIRE(faults.size() == 1);
    CHECK(faults.front().path == "upper/d");
    std::atomic<bool> const interrupted{true};
    fs::UpperCheck stopped = check;
    stopped.cancel = &interrupted;
    CHECK(code_of(fs::check_upper(stopped)) == ECANCELED);
}

namespace {

// A bit of a mark, or of something in the work folder that has a second copy or a check. Not of
// permissions (nothing tells which were meant), nor of the part of a live map that is changed in
// place.
std::string damage_something(Random& random, Layer const& layer) {
    std::vector<std::function<std::string()>> ways;
    auto const flip_in = [&](std::string text) {
        auto const at = random.below(text.size());
        text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
        return text;
    };
    std::string const top = layer.driver->upper_path("");
    std::vector<std::string> paths{top};
    for (auto const& entry : std::filesystem::recursive_directory_iterator{top}) {
        paths.push_back(entry.path());
    }
    for (std::string const& path : paths) {
        for (std::string const& name : value_of(sys::llistxattr(path))) {
            if (name.starts_with(layer.names.overlay)) {
                ways.emplace_back([=] {
                    std::string const text = value_of(sys::lgetxattr(path, name.c_str())).value();
                    std::string changed = flip_in(text);
                    value_of(sys::lsetxattr(path, name.c_str(), changed));
                    return fmt::format("{} {}: {} -> {}", path, name, text, changed);
                });
            }
        }
    }
    std::string const map = layer.map() + ".synced";
    std::string const format = layer.driver->work_path("format");
    for (std::string const& path : {map, format}) {
        ways.emplace_back([=] {
            Layer::store(path, flip_in(Layer::stored(path)));
            return path;
        });
    }
    std::string const link = layer.driver->work_path("links/" + layer.key_of_h);
    ways.emplace_back([=] {
        std::string const text = std::filesystem::read_symlink(link);
        std::string changed = flip_in(text);
        changed = changed.find('\0') == std::string::npos ? changed : "x";
        std::filesystem::remove(link);
        std::filesystem::create_symlink(changed, link);
        return fmt::format("{}: {} -> {}", link, text, changed);
    });
    std::string const key = layer.key_of_h;
    for (std::string const& file : {"index/" + key, "links/" + key}) {
        std::string const path = layer.driver->work_path(file);
        ways.emplace_back([=] {
            std::string name = flip_in(key);
            std::ranges::replace_if(name, [](char c) { return c == '/' || c == '\0'; }, 'x');
            std::filesystem::rename(path, path.substr(0, path.rfind('/') + 1) + name);
            return path + " -> " + name;
        });
    }
    return random.pick(ways)();
}

// What the union shows, or why it shows nothing.
std::string seen_in(Layer& layer) {
    try {
        layer.driver->mount();
        Seen seen;
        look(*layer.driver, "", seen);
        std::string text;
        for (auto const& [path, line] : seen.lines) {
            text += path + ": " + line + '\n';
        }
        return text;
    } catch (std::exception const& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("damage that changes what an upper shows is found, wherever it is", "[fs][check_upper]") {
    std::uint64_t const seed = random_seed();
    CAPTURE(seed);
    Random random{seed};
    std::string sound;
    {
        Layer layer;
        layer.close();
        sound = seen_in(layer);
    }
    int harmless = 0;
    for (int round = 0; round < 150; ++round) {
        Layer layer;
        layer.close();
        std::string const what = damage_something(random, layer);
        std::string const found = layer.driver->damage();
        CAPTURE(round, what);
        if (found.empty()) {
            ++harmless;
            CHECK(seen_in(layer) == sound);
        }
    }
    CHECK(harmless < 50);
}
