// SPDX-License-Identifier: MIT
#include "tools/unpack/unpack_tree.h"

#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/fake_layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace oblea;
using namespace oblea::tools;
using namespace oblea::test;
using Catch::Matchers::Contains;
using store::FileType;
namespace sys = oblea::base::sys;

namespace {

constexpr std::uint32_t kNobody = 65534;

// A store, an image of one layer in it, and a folder to unpack into.
class Scene {
public:
    explicit Scene(std::vector<LayerEntry> entries, std::string_view pack = "") {
        auto const store =
            value_of(store::Store::open(dir_ / "store", store::Store::Create::if_missing));
        std::vector<store::Digest> const layers{
            put_layer(store, "layer", std::move(entries), pack)};
        view_ = value_of(store::ImageView::open(store, layers));
        value_of(sys::mkdirat(AT_FDCWD, target().c_str(), 0755));
        value_of(sys::mkdirat(AT_FDCWD, outside().c_str(), 0755));
    }

    [[nodiscard]] std::string target() const { return dir_ / "target"; }
    [[nodiscard]] std::string outside() const { return dir_ / "outside"; }

    Result<UnpackSummary> unpack(UnpackOptions const& options = as_user()) const {
        auto const folder = value_of(sys::open(target(), O_RDONLY | O_DIRECTORY));
        return unpack_tree(*view_, folder.get(), options);
    }
    static UnpackOptions as_user() { return {}; }
    static UnpackOptions as_root() { return {.ownership = UnpackOptions::Ownership::keep}; }
    static UnpackOptions by_force() { return {.existing = UnpackOptions::Existing::replace}; }

    [[nodiscard]] std::string text(std::string const& at) const {
        return value_of(sys::read_file(AT_FDCWD, (target() + '/' + at).c_str(), 1U << 20U));
    }
    [[nodiscard]] struct stat status(std::string const& at) const {
        return value_of(sys::fstatat(AT_FDCWD, (target() + '/' + at).c_str()));
    }
    [[nodiscard]] std::string link(std::string const& at) const {
        return value_of(sys::readlinkat(AT_FDCWD, (target() + '/' + at).c_str()));
    }
    [[nodiscard]] std::size_t outside_entries() const {
        auto const folder = value_of(sys::open(outside(), O_RDONLY | O_DIRECTORY));
        return value_of(sys::list_dir(folder.get())).size();
    }
    void write(std::string const& at, std::string_view content) const {
        value_of(sys::replace_file(AT_FDCWD, at.c_str(), content, 0644, sys::Sync::no));
    }
    void make_link(std::string const& at, std::string const& to) const {
        value_of(sys::symlinkat(to, AT_FDCWD, (target() + '/' + at).c_str()));
    }

    // Unpacks as nobody, in a process of its own; the losses, one a line, or the error.
    std::string unpack_as_nobody() const {
        value_of(sys::fchownat(AT_FDCWD, target().c_str(), kNobody, kNobody));
        int pipe_ends[2];
        REQUIRE(::pipe(pipe_ends) == 0);
        base::UniqueFd const out{pipe_ends[0]};
        base::UniqueFd in{pipe_ends[1]};
        auto const folder = value_of(sys::open(target(), O_RDONLY | O_DIRECTORY));
        pid_t const child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            std::string said = "cannot become nobody";
            if (::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
                ::setresuid(kNobody, kNobody, kNobody) == 0) {
                auto const done = unpack_tree(*view_, folder.get(), as_user());
                said = done.has_value() ? fmt::format("{}", fmt::join(describe_losses(*done), "\n"))
                                        : done.error().message();
            }
            static_cast<void>(sys::write_all(in.get(), base::bytes_of(said)));
            ::_exit(0);
        }
        in.reset();
        std::string said;
        base::Bytes buffer(4096);
        while (std::size_t const count = value_of(sys::read_some(out.get(), buffer))) {
            said += base::text_of(base::ByteView{buffer}.first(count));
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(status == 0);
        return said;
    }

private:
    TempDir dir_;
    std::shared_ptr<store::ImageView const> view_;
};

LayerEntry sparse_file(std::string_view at) {
    LayerEntry entry = inode(at, FileType::regular, 0644);
    entry.attr.size = 10U << 20U;
    entry.content.kind = store::ContentKind::pack;
    entry.content.pack_check = base::xxh3_128(base::bytes_of("abcdef"));
    entry.content.blob_bytes = 6;
    entry.content.extents = {{1U << 20U, 0, 3}, {5U << 20U, 3, 3}};
    return entry;
}

bool is_root() {
    return ::geteuid() == 0;
}

}  // namespace

TEST_CASE("a tree is written with contents, modes, times and links", "[tools][unpack]") {
    Scene const scene({dir("etc", 0750), with_mtime(packed_file("etc/issue", 0, "Debian"), 1000, 5),
                       soft_link("etc/absolute", "/etc/issue"), soft_link("up", "../../x"),
                       hard_link("etc/second", "etc/issue"),
                       inode("empty", FileType::regular, 0600),
                       inode("pipe", FileType::fifo, 0640)},
                      "Debian");
    auto const summary = value_of(scene.unpack());
    CHECK(scene.text("etc/issue") == "Debian");
    CHECK((scene.status("etc").st_mode & 07777U) == 0750);
    CHECK((scene.status("etc/issue").st_mode & 07777U) == 0644);
    CHECK(scene.status("etc/issue").st_mtim.tv_sec == 1000);
    CHECK(scene.status("etc/issue").st_mtim.tv_nsec == 5);
    CHECK(scene.status("etc").st_mtim.tv_sec == 0);
    CHECK(scene.link("etc/absolute") == "/etc/issue");
    CHECK(scene.link("up") == "../../x");
    CHECK(scene.status("etc/second").st_ino == scene.status("etc/issue").st_ino);
    CHECK(scene.status("empty").st_size == 0);
    CHECK(S_ISFIFO(scene.status("pipe").st_mode));
    CHECK((scene.status("pipe").st_mode & 07777U) == 0640);
    CHECK(summary.files == 2);
    CHECK(summary.folders == 1);
    CHECK(summary.links == 3);
    CHECK(summary.others == 1);
    CHECK(summary.bytes == 6);
}

TEST_CASE("objects and holes come out as they were", "[tools][unpack]") {
    TempDir const dir;
    auto const store =
        value_of(store::Store::open(dir / "store", store::Store::Create::if_missing));
    std::string const large(300'000, 'x');
    put_object(store, large);
    std::vector<store::Digest> const layers{
        put_layer(store, "l", {object_file("large", large), sparse_file("sparse")}, "abcdef")};
    auto const view = value_of(store::ImageView::open(store, layers));
    value_of(sys::mkdirat(AT_FDCWD, (dir / "t").c_str(), 0755));
    auto const target = value_of(sys::open(dir / "t", O_RDONLY | O_DIRECTORY));
    value_of(unpack_tree(*view, target.get(), {}));
    CHECK(value_of(sys::read_file(target.get(), "large", 1U << 20U)) == large);

    auto const status = value_of(sys::fstatat(target.get(), "sparse"));
    CHECK(status.st_size == 10 << 20);
    CHECK(status.st_blocks * 512 < 1 << 20);
    auto const sparse = value_of(sys::read_file(target.get(), "sparse", 20U << 20U));
    CHECK(sparse.substr((1U << 20U) - 1, 5) == std::string_view{"\0abc\0", 5});
    CHECK(sparse.substr((5U << 20U) - 1, 5) == std::string_view{"\0def\0", 5});
    CHECK(std::ranges::count(sparse, '\0') == (10 << 20) - 6);
}

TEST_CASE("root keeps owners, devices, set-id bits and capabilities", "[tools][unpack]") {
    if (!is_root()) {
        return;  // nobody else can
    }
    std::string const capability{"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                 "\x00\x00\x00\x00",
                                 20};
    Scene const scene({with_owner(dir("srv", 02775), 1000, 33),
                       with_owner(with_xattrs(inode("tool", FileType::regular, 04755),
                                              {{"security.capability", capability}}),
                                  0, 42),
                       with_owner(soft_link("link", "tool"), 7, 8),
                       device("null", FileType::char_device, {1, 3})});
    auto const summary = value_of(scene.unpack(Scene::as_root()));
    CHECK(scene.status("srv").st_uid == 1000);
    CHECK(scene.status("srv").st_gid == 33);
    CHECK((scene.status("srv").st_mode & 07777U) == 02775);
    CHECK(scene.status("tool").st_gid == 42);
    CHECK((scene.status("tool").st_mode & 07777U) == 04755);
    CHECK(scene.status("link").st_uid == 7);
    // Containers may lack the right to make devices.
    if (summary.devices_lost == 0) {
        CHECK(scene.status("null").st_rdev == makedev(1, 3));
    }
    if (summary.xattrs_lost == 0) {
        auto const tool = value_of(sys::open(scene.target() + "/tool", O_RDONLY));
        CHECK(value_of(sys::fgetxattr(tool.get(), "security.capability")) == capability);
    }
}

TEST_CASE("an ordinary user gets a whole tree, and is told what it lacks", "[tools][unpack]") {
    if (!is_root()) {
        return;  // the process cannot become somebody whose rights are known
    }
    Scene const scene({with_owner(dir("closed", 0500), 0, 0),
                       with_owner(packed_file("closed/file", 0, "Debian"), 1000, 33),
                       with_owner(inode("su", FileType::regular, 06755), 0, 0),
                       with_owner(inode("mine", FileType::regular, 04755), kNobody, kNobody),
                       device("null", FileType::char_device, {1, 3}),
                       with_owner(with_xattrs(inode("capable", FileType::regular, 0755),
                                              {{"trusted.x", "1"}, {"user.kept", "yes"}}),
                                  kNobody, kNobody)},
                      "Debian");
    auto const losses = scene.unpack_as_nobody();
    CHECK_THAT(losses, Contains("4 owners"));  // the root folder's too
    CHECK_THAT(losses, Contains("1 setuid or setgid programs"));
    CHECK_THAT(losses, Contains("1 device nodes"));
    CHECK_THAT(losses, Contains("1 files lost extended attributes"));
    CHECK(scene.text("closed/file") == "Debian");
    CHECK((scene.status("closed").st_mode & 07777U) == 0500);
    CHECK((scene.status("su").st_mode & 07777U) == 0755);
    CHECK((scene.status("mine").st_mode & 07777U) == 04755);
    auto const capable = value_of(sys::open(scene.target() + "/capable", O_RDONLY));
    CHECK(value_of(sys::fgetxattr(capable.get(), "user.kept")) == "yes");
}

TEST_CASE("set-id bits never outlive their owner", "[tools][unpack]") {
    Scene const scene({with_owner(inode("su", FileType::regular, 06755), 12345, 12345)});
    auto const summary = value_of(scene.unpack(Scene::as_user()));
    CHECK((scene.status("su").st_mode & 07777U) == 0755);
    CHECK(summary.set_id_bits_lost == 1);
}

TEST_CASE("marks of overlay file systems are not written", "[tools][unpack]") {
    Scene const scene({with_xattrs(dir("d"), {{"user.overlay.opaque", "y"}})});
    auto const summary = value_of(scene.unpack());
    CHECK(summary.xattrs_lost == 1);
    auto const folder = value_of(sys::open(scene.target() + "/d", O_RDONLY));
    CHECK(!value_of(sys::fgetxattr(folder.get(), "user.overlay.opaque")).has_value());
}

TEST_CASE("a folder that is not empty is refused", "[tools][unpack]") {
    Scene const scene({dir("etc")});
    scene.write(scene.target() + "/mine", "x");
    auto const refused = scene.unpack();
    REQUIRE(!refused.has_value());
    CHECK(refused.error().code == Errno::enotempty);
    CHECK(scene.text("mine") == "x");
}

TEST_CASE("links in the way are replaced and never followed", "[tools][unpack]") {
    Scene const scene({dir("etc"), packed_file("etc/passwd", 0, "Debian"), dir("var"),
                       dir("var/log"), packed_file("motd", 0, "Debian"),
                       hard_link("var/motd", "motd")},
                      "Debian");
    std::string const victim = scene.outside() + "/passwd";
    scene.write(victim, "precious");
    scene.make_link("etc", scene.outside());  // an absolute one to a folder
    scene.make_link("var", "../outside");     // a relative one
    scene.make_link("motd", victim);          // one to a file
    value_of(scene.unpack(Scene::by_force()));
    CHECK(value_of(sys::read_file(AT_FDCWD, victim.c_str(), 100)) == "precious");
    CHECK(scene.outside_entries() == 1);
    CHECK(S_ISDIR(scene.status("etc").st_mode));
    CHECK(S_ISDIR(scene.status("var").st_mode));
    CHECK(S_ISREG(scene.status("motd").st_mode));
    CHECK(scene.text("etc/passwd") == "Debian");
    CHECK(scene.text("var/motd") == "Debian");
}

TEST_CASE("what stands in the way is replaced, but no folder with contents", "[tools][unpack]") {
    Scene const scene({packed_file("a", 0, "Debian"), packed_file("b", 0, "Debian"), dir("c")},
                      "Debian");
    scene.write(scene.target() + "/a", "old");
    value_of(sys::mkdirat(AT_FDCWD, (scene.target() + "/b").c_str(), 0755));
    value_of(sys::mkdirat(AT_FDCWD, (scene.target() + "/c").c_str(), 0755));
    scene.write(scene.target() + "/c/kept", "kept");
    SECTION("files, links, empty folders") {
        value_of(scene.unpack(Scene::by_force()));
        CHECK(scene.text("a") == "Debian");
        CHECK(scene.text("b") == "Debian");
        CHECK(scene.text("c/kept") == "kept");
    }
    SECTION("a folder with contents") {
        scene.write(scene.target() + "/b/mine", "mine");
        auto const refused = scene.unpack(Scene::by_force());
        REQUIRE(!refused.has_value());
        CHECK(refused.error().code == Errno::eexist);
        CHECK_THAT(refused.error().message(), Contains("/b"));
        CHECK(scene.text("b/mine") == "mine");
    }
}

TEST_CASE("an earlier file's hard link is not written through", "[tools][unpack]") {
    Scene const scene({packed_file("a", 0, "Debian")}, "Debian");
    std::string const victim = scene.outside() + "/victim";
    scene.write(victim, "precious");
    value_of(sys::linkat(AT_FDCWD, victim.c_str(), AT_FDCWD, (scene.target() + "/a").c_str()));
    value_of(scene.unpack(Scene::by_force()));
    CHECK(scene.text("a") == "Debian");
    CHECK(value_of(sys::read_file(AT_FDCWD, victim.c_str(), 100)) == "precious");
}

TEST_CASE("unpacking can be interrupted", "[tools][unpack]") {
    Scene const scene({dir("a"), dir("b")});
    std::atomic<bool> const cancel{true};
    auto const ended = scene.unpack({.cancel = &cancel});
    REQUIRE(!ended.has_value());
    CHECK(ended.error().code == Errno::ecanceled);
}

TEST_CASE("deep trees are written", "[tools][unpack]") {
    std::string at = "d";
    std::vector<LayerEntry> entries{dir(at)};
    for (int depth = 0; depth < 300; ++depth) {
        at += "/a-long-name-for-a-folder";
        entries.push_back(dir(at));
    }
    entries.push_back(packed_file(at + "/file", 0, "Debian"));
    entries.push_back(hard_link("second", at + "/file"));
    Scene const scene(std::move(entries), "Debian");
    auto const summary = value_of(scene.unpack());
    CHECK(summary.folders == 301);
    CHECK(scene.text("second") == "Debian");
    CHECK(scene.status("second").st_nlink == 2);
}
