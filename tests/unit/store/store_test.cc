// SPDX-License-Identifier: MIT
#include "store/store.h"

#include "store/lease_files.h"
#include "store/publish.h"
#include "store/store_setup.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

using namespace oblea;
using namespace oblea::store;
namespace sys = oblea::base::sys;

namespace {

Store open_new(test::TempDir const& dir) {
    return Store::open(dir / "store", Store::Create::if_missing).value();
}

void write(std::string const& path, std::string_view text) {
    REQUIRE(sys::replace_file(AT_FDCWD, path.c_str(), text, 0600, sys::Sync::no).has_value());
}

bool exists(Store const& store, std::string const& path) {
    return sys::stat_if_exists(store.root(), path.c_str()).value().has_value();
}

std::size_t count(Store const& store, char const* folder) {
    auto const fd = sys::openat(store.root(), folder, O_RDONLY | O_DIRECTORY).value();
    return sys::list_dir(fd.get()).value().size();
}

Image image_of(std::string_view text, std::vector<std::string> names) {
    Image image;
    image.id = base::sha256(text);
    image.names = std::move(names);
    return image;
}

Status put(Store const& store, Image const& image) {
    return store.change_images([&](Images& images) -> Status {
        images.put(image);
        return {};
    });
}

}  // namespace

TEST_CASE("a store is made once, private to its owner, and opened again", "[store]") {
    test::TempDir dir;
    CHECK(Store::open(dir / "store", Store::Create::no).error().code == Errno::enoent);
    REQUIRE(Store::open(dir / "a/b/store", Store::Create::if_missing).has_value());
    auto const store = Store::open(dir / "a/b/store", Store::Create::no);
    REQUIRE(store.has_value());
    CHECK((sys::fstat(store->root())->st_mode & 07777U) == 0700);
    for (char const* file : {"images.json", "index.json", "oci-layout", "tmp/reserve", "lock"}) {
        CAPTURE(file);
        CHECK((sys::fstatat(store->root(), file)->st_mode & 07777U) == 0600);
    }
    CHECK(sys::fstatat(store->root(), "tmp/reserve")->st_blocks * 512 >= 1 << 20);
    CHECK(count(*store, "tmp") == 1);
}

TEST_CASE("an empty folder becomes a store, another one does not", "[store]") {
    test::TempDir dir;
    REQUIRE(sys::mkdir_all(dir / "store", 0755).has_value());
    SECTION("empty") {
        CHECK(Store::open(dir / "store", Store::Create::no).error().code == Errno::enoent);
        auto const store = open_new(dir);
        CHECK((sys::fstat(store.root())->st_mode & 07777U) == 0700);
    }
    SECTION("somebody's files") {
        write(dir / "store/notes", "x");
        for (auto const create : {Store::Create::no, Store::Create::if_missing}) {
            auto const store = Store::open(dir / "store", create);
            REQUIRE_FALSE(store.has_value());
            CHECK(store.error().code == Errno::euclean);
            CHECK(store.error().detail.contains("not a store of oblea"));
        }
        CHECK((sys::fstatat(AT_FDCWD, (dir / "store").c_str())->st_mode & 0777U) == 0755);
    }
    SECTION("an OCI layout is named as such") {
        write(dir / "store/oci-layout", "{}");
        auto const store = Store::open(dir / "store", Store::Create::if_missing);
        CHECK(store.error().detail.contains("OCI image layout"));
    }
    SECTION("one that was not finished is finished") {
        write(dir / "store/lock", "");
        REQUIRE(sys::mkdir_all(dir / "store/layers", 0700).has_value());
        CHECK(Store::open(dir / "store", Store::Create::no).error().code == Errno::enoent);
        CHECK(Store::open(dir / "store", Store::Create::if_missing).has_value());
    }
    SECTION("a file is none") {
        write(dir / "file", "x");
        CHECK(Store::open(dir / "file", Store::Create::if_missing).error().code == Errno::enotdir);
    }
}

TEST_CASE("a store of a newer version is refused", "[store]") {
    test::TempDir dir;
    static_cast<void>(open_new(dir));
    write(dir / "store/images.json", "{\"version\": 9, \"images\": []}");
    auto const store = Store::open(dir / "store", Store::Create::if_missing);
    CHECK(store.error().code == Errno::eopnotsupp);
    CHECK(store.error().detail.contains("version 9"));
}

TEST_CASE("a failed change leaves the images as they were", "[store]") {
    test::TempDir dir;
    auto const store = open_new(dir);
    REQUIRE(put(store, image_of("a", {"docker.io/library/a:latest"})).has_value());
    auto const failed = store.change_images([](Images& images) -> Status {
        images.put(image_of("b", {}));
        return fail(Errno::einval, "", "no");
    });
    CHECK(failed.error().detail == "no");
    CHECK(store.images()->all().size() == 1);
}

TEST_CASE("changes of many writers are all kept", "[store]") {
    test::TempDir dir;
    auto const store = open_new(dir);
    auto const add = [&](std::string const& prefix) {
        for (int i = 0; i < 10; ++i) {
            std::string const text = prefix + std::to_string(i);
            if (!put(store, image_of(text, {"docker.io/library/x:" + text})).has_value()) {
                return false;
            }
        }
        return true;
    };
    pid_t const child = ::fork();
    if (child == 0) {
        ::_exit(add("child") ? 0 : 1);
    }
    bool one_added = false;
    bool two_added = false;
    {
        std::jthread const one{[&] { one_added = add("one"); }};
        std::jthread const two{[&] { two_added = add("two"); }};
    }
    CHECK(one_added);
    CHECK(two_added);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(store.images()->all().size() == 30);
}

TEST_CASE("a blob is checked when it is read", "[store]") {
    test::TempDir dir;
    auto const store = open_new(dir);
    Digest const digest = base::sha256("text");
    CHECK_FALSE(store.read_blob(digest, 100).value().has_value());
    REQUIRE(store.write_blob("text", digest).has_value());
    REQUIRE(store.write_blob("text", digest).has_value());
    CHECK(store.read_blob(digest, 100).value() == "text");
    CHECK(store.read_blob(digest, 2).error().code == Errno::efbig);
    CHECK(count(store, "tmp") == 1);
    write(store.path() + "/blobs/sha256/" + digest.hex(), "test");
    CHECK(store.read_blob(digest, 100).error().code == Errno::euclean);
}

TEST_CASE("a lease leaves nothing behind when it ends", "[store][lease]") {
    test::TempDir dir;
    auto const store = open_new(dir);
    {
        auto one = store.take_lease("import").value();
        auto const two = store.take_lease("mount").value();
        CHECK(one.path() != two.path());
        CHECK(one.describe("no json").error().code == Errno::einval);
        CHECK(one.describe("{\"image\": \"x\"}").has_value());
        CHECK(count(store, "leases") == 6);
        auto const moved = std::move(one);
        CHECK(sys::read_file(store.root(), (moved.path() + ".json").c_str(), 1000)
                  ->contains("\"image\":\"x\""));
    }
    CHECK(count(store, "leases") == 0);
}

TEST_CASE("a lease lives as long as a child that has its descriptor", "[store][lease]") {
    test::TempDir dir;
    auto const store = open_new(dir);
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    std::optional<Lease> lease = store.take_lease("mount").value();
    std::string const path = lease->path();
    pid_t const child = ::fork();
    if (child == 0) {
        char byte = 0;
        ::close(pipe_ends[1]);
        ::_exit(::read(pipe_ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    ::close(pipe_ends[0]);
    lease.reset();
    CHECK(exists(store, path));
    auto const file = sys::openat(store.root(), path.c_str(), O_RDWR).value();
    CHECK_FALSE(sys::try_lock(file.get(), sys::LockKind::exclusive).value());
    ::close(pipe_ends[1]);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(sys::try_lock(file.get(), sys::LockKind::exclusive).value());
}

TEST_CASE("a lease remembers the images that there were, until it is narrowed", "[store][lease]") {
    test::TempDir dir;
    auto const store = open_new(dir);
    REQUIRE(put(store, image_of("a", {})).has_value());
    auto lease = store.take_lease("mount").value();
    REQUIRE(store
                .change_images([](Images& images) -> Status {
                    CHECK(images.remove(base::sha256("a")));
                    return {};
                })
                .has_value());
    auto const held = lease_files::read(store.root(), lease.path()).value();
    CHECK_FALSE(held.layers.has_value());
    CHECK(held.images.find(base::sha256("a")) != nullptr);
    std::vector<Digest> const layers{base::sha256("layer")};
    REQUIRE(lease.narrow_to(layers).has_value());
    auto const narrowed = lease_files::read(store.root(), lease.path()).value();
    CHECK(narrowed.layers == layers);
    CHECK(narrowed.images.all().empty());
}

TEST_CASE("refreshing makes a published thing young and tells when it is gone", "[store]") {
    test::TempDir dir;
    auto const store = open_new(dir);
    Digest const digest = base::sha256("text");
    std::string const path = "blobs/sha256/" + digest.hex();
    CHECK_FALSE(refresh_published(store.root(), path.c_str()).value());
    REQUIRE(store.write_blob("text", digest).has_value());
    struct timespec const old[2] = {{1, 0}, {1, 0}};
    REQUIRE(sys::utimensat(store.root(), path.c_str(), old).has_value());
    CHECK(refresh_published(store.root(), path.c_str()).value());
    CHECK(sys::fstatat(store.root(), path.c_str())->st_mtim.tv_sec > 1);
}

TEST_CASE("images.json can be rewritten on a full disk", "[store]") {
    test::TempDir dir;
    REQUIRE(sys::mkdir_all(dir / "disk", 0700).has_value());
    if (::mount("tmpfs", (dir / "disk").c_str(), "tmpfs", 0, "size=3m") != 0) {
        WARN("skipped: cannot mount a tmpfs here");
        return;
    }
    {
        auto const store = Store::open(dir / "disk/store", Store::Create::if_missing).value();
        std::string name(4096, 'x');
        REQUIRE(put(store, image_of("a", {"docker.io/library/a:latest"})).has_value());
        auto const filler = sys::open(dir / "disk/filler", O_WRONLY | O_CREAT).value();
        while (sys::write_all(filler.get(), base::bytes_of(name)).has_value()) {
        }
        Image big = image_of("b", {});
        big.origin = std::string(200'000, 'x');
        CHECK(put(store, big).has_value());
        CHECK(store.images()->all().size() == 2);
        CHECK_FALSE(exists(store, "tmp/reserve"));
        REQUIRE(sys::ftruncate(filler.get(), 0).has_value());
        CHECK(put(store, image_of("c", {})).has_value());
        CHECK(exists(store, "tmp/reserve"));
    }
    CHECK(::umount2((dir / "disk").c_str(), MNT_DETACH) == 0);
}
