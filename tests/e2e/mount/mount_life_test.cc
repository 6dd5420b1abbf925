// SPDX-License-Identifier: MIT
// The life of a mount: its server, container, lease and end.
#include "mounted_image.h"
#include "store/layer/layout.h"
#include "tools/mount/containers.h"

#include <sys/mount.h>
#include <sys/wait.h>

#include <thread>

using namespace oblea;
using namespace oblea::test;

using Transport = fs::MountOptions::Transport;

namespace {

std::size_t leases(MountedImage const& image) {
    auto const folder = value_of(
        base::sys::openat(image.store().root(), store::layout::kLeases, O_RDONLY | O_DIRECTORY));
    return value_of(base::sys::list_dir(folder.get())).size();
}

}  // namespace

TEST_CASE("a read-only mount shows the image and refuses changes", "[e2e][mount]") {
    MountedImage image;
    auto request = image.request();
    request.mode = tools::MountMode::read_only;
    auto const info = image.mount(request);
    CHECK(info.mode == "read-only");
    CHECK(info.container.empty());
    CHECK(info.image_name == "small:latest");
    if (data_under_test() == fs::MountOptions::Data::automatic) {
        CHECK(info.data == "no-open");
    }

    CHECK(read_text(image / "etc/issue") == "hello\n");
    CHECK(read_text(image / "etc/link") == "hello\n");
    CHECK(read_text(image / "srv/large") == large_text());
    CHECK(stat_of_path(image / "etc/issue").st_nlink == 2);
    CHECK(stat_of_path(image / "etc/issue").st_ino ==
          stat_of_path(image / "etc/second-name").st_ino);
    CHECK_FALSE(exists(image / "etc/none"));
    CHECK(::mkdir((image / "new").c_str(), 0755) == -1);
    CHECK(errno == EROFS);
    CHECK(::unlink((image / "etc/issue").c_str()) == -1);
    CHECK(errno == EROFS);

    auto const mounts = tools::list_mounts(image.store());
    REQUIRE(mounts.has_value());
    REQUIRE(mounts->size() == 1);
    CHECK(mounts->front().pid == info.pid);
    CHECK(mounts->front().mount_point == image.mount_point());
    CHECK(mounts->front().transport ==
          (transport_under_test() == Transport::io_uring ? "io_uring" : "device"));

    auto const done = image.unmount();
    CHECK_FALSE(done.kept);
    CHECK_FALSE(done.dropped);
    CHECK_FALSE(is_alive(info.pid));
    CHECK(leases(image) == 0);
    CHECK(tools::list_mounts(image.store())->empty());
}

TEST_CASE("an untouched container is dropped, a changed one kept and found again", "[e2e][mount]") {
    MountedImage image;
    auto const first = image.mount();
    CHECK_FALSE(first.container.empty());
    CHECK(read_text(image / "etc/issue") == "hello\n");
    auto const untouched = image.unmount();
    CHECK(untouched.dropped == first.container);
    CHECK_FALSE(is_alive(first.pid));
    CHECK(tools::list_containers(image.store())->all.empty());

    auto const second = image.mount();
    REQUIRE(write_text(image / "etc/issue", "changed\n"));
    REQUIRE(write_text(image / "etc/new", "new\n"));
    REQUIRE(::unlink((image / "srv/large").c_str()) == 0);
    CHECK(image.unmount().kept == second.container);

    SECTION("by its name, without naming the image") {
        auto request = image.request();
        request.source = {.image = "", .container = second.container};
        auto const third = image.mount(request);
        CHECK(third.container == second.container);
        CHECK(read_text(image / "etc/issue") == "changed\n");
        CHECK(read_text(image / "etc/new") == "new\n");
        CHECK_FALSE(exists(image / "srv/large"));
        CHECK(read_text(image / "etc/second-name") == "changed\n");
        CHECK(image.unmount().kept == second.container);
    }
    SECTION("and dropped when that is asked for") {
        auto request = image.request();
        request.source.container = second.container;
        request.remove = tools::RemoveAtUnmount::always;
        image.mount(request);
        CHECK(image.unmount().dropped == second.container);
        CHECK(tools::list_containers(image.store())->all.empty());
    }
    SECTION("the image itself is as it was") {
        image.mount();
        CHECK(read_text(image / "etc/issue") == "hello\n");
        CHECK(exists(image / "srv/large"));
        image.unmount();
    }
    SECTION("but not while it is mounted") {
        auto request = image.request();
        request.source.container = second.container;
        image.mount(request);
        auto const container = tools::find_container(image.store(), second.container);
        CHECK(tools::remove_container(image.store(), **container).error().code == Errno::ebusy);
        REQUIRE(::mkdir((image.temp() / "other").c_str(), 0755) == 0);
        request.mount_point = image.temp() / "other";
        CHECK(tools::mount_image(image.store(), request).error().code == Errno::ebusy);
        image.unmount();
        CHECK(tools::remove_container(image.store(), **container).has_value());
    }
}

TEST_CASE("changes can go to a folder of the user's own", "[e2e][mount]") {
    MountedImage image;
    auto request = image.request();
    request.upper_dir = image.temp() / "upper/";
    auto const info = image.mount(request);
    CHECK(info.container.empty());
    REQUIRE(write_text(image / "etc/new", "new\n"));
    image.unmount();
    CHECK(read_text(image.temp() / "upper/etc/new") == "new\n");
    CHECK(tools::list_containers(image.store())->all.empty());
}

TEST_CASE("a mount that cannot be made leaves nothing behind", "[e2e][mount]") {
    MountedImage image;
    auto request = image.request();
    SECTION("no such image") {
        request.source.image = "other";
        CHECK(tools::mount_image(image.store(), request).error().code == Errno::enoent);
    }
    SECTION("no such mount point") {
        request.mount_point += "/none";
        auto const failed = tools::mount_image(image.store(), request);
        CHECK(failed.error().code == Errno::enoent);
        CHECK_THAT(failed.error().message(), Catch::Matchers::Contains("does not exist"));
    }
    SECTION("a mount point that covers the store") {
        request.mount_point = image.temp().path();
        auto const failed = tools::mount_image(image.store(), request);
        CHECK(failed.error().code == Errno::einval);
        CHECK_THAT(failed.error().message(), Catch::Matchers::Contains("the server needs"));
    }
    SECTION("a read-only mount with a container") {
        request.mode = tools::MountMode::read_only;
        request.source.container = "mine";
        CHECK(tools::mount_image(image.store(), request).error().code == Errno::einval);
    }
    CHECK(tools::list_containers(image.store())->all.empty());
    CHECK(leases(image) == 0);
    CHECK(fs::unmount(image.mount_point(), fs::Lazy::no).error().code == Errno::einval);
}

TEST_CASE("a mount point that has a mount of ours already is refused", "[e2e][mount]") {
    MountedImage image;
    image.mount();
    auto const second = tools::mount_image(image.store(), image.request());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == Errno::ebusy);
    CHECK(read_text(image / "etc/issue") == "hello\n");
    image.unmount();
}

TEST_CASE("a pack that shrinks under a mount gives an error and no hang", "[e2e][mount]") {
    MountedImage image;
    auto request = image.request();
    request.mode = tools::MountMode::read_only;
    image.mount(request);
    std::string const pack =
        image.store().path() + "/" + store::layout::layer_pack(diff_id("base"));
    REQUIRE(::truncate(pack.c_str(), 0) == 0);
    int const fd = ::open((image / "etc/issue").c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    char byte = 0;
    CHECK(::read(fd, &byte, 1) == -1);
    CHECK(errno == EIO);
    ::close(fd);
    image.unmount();
}

TEST_CASE("a mount in use names its users and goes lazily", "[e2e][mount]") {
    MountedImage image;
    auto const info = image.mount();
    std::optional<std::ifstream> open{image / "etc/issue"};
    REQUIRE(open->good());
    auto const busy = tools::unmount_by(image.store(), info.container, fs::Lazy::no);
    REQUIRE_FALSE(busy.has_value());
    CHECK(busy.error().code == Errno::ebusy);
    CHECK_THAT(busy.error().message(),
               Catch::Matchers::Contains("(pid " + std::to_string(::getpid()) + ")"));

    // Nobody can wait for the end of what this very thread keeps open.
    REQUIRE(fs::unmount(image.mount_point(), fs::Lazy::yes).has_value());
    CHECK_FALSE(exists(image / "etc"));
    CHECK(is_alive(info.pid));
    std::string word;
    *open >> word;
    CHECK(word == "hello");
    open.reset();
    CHECK(ends_soon(info.pid));
}

TEST_CASE("a server that is told to end unmounts", "[e2e][mount]") {
    MountedImage image;
    auto const info = image.mount();
    auto const signal = GENERATE(SIGTERM, SIGINT);
    SECTION("an idle mount") {
        ::kill(static_cast<pid_t>(info.pid), signal);
        CHECK(ends_soon(info.pid));
    }
    SECTION("a mount in use") {
        std::ifstream const open{image / "etc/issue"};
        ::kill(static_cast<pid_t>(info.pid), signal);
        CHECK(ends_soon(info.pid));
    }
    CHECK_FALSE(exists(image / "etc"));
    CHECK(tools::list_containers(image.store())->all.empty());
    CHECK(leases(image) == 0);
}

TEST_CASE("a background server does not mind its terminal's end", "[e2e][mount]") {
    MountedImage image;
    auto const info = image.mount();
    ::kill(static_cast<pid_t>(info.pid), SIGHUP);
    ::kill(static_cast<pid_t>(info.pid), SIGPIPE);
    CHECK(read_text(image / "etc/issue") == "hello\n");
    CHECK(is_alive(info.pid));
    image.unmount();
}

TEST_CASE("a mount whose server was killed can be taken away and made again", "[e2e][mount]") {
    MountedImage image;
    auto const info = image.mount();
    REQUIRE(write_text(image / "etc/new", "new\n"));
    std::int64_t const server = server_of(info.pid).value();
    ::kill(static_cast<pid_t>(info.pid), SIGKILL);
    ::kill(static_cast<pid_t>(server), SIGKILL);
    REQUIRE(ends_soon(info.pid));
    REQUIRE(ends_soon(server));
    CHECK(::access((image / "etc/none").c_str(), F_OK) == -1);
    int const code = errno;
    // What goes by a ring is told of its end in other words.
    CHECK((code == ENOTCONN ||
           (transport_under_test() == Transport::io_uring && code == ECONNABORTED)));
    CHECK(tools::list_mounts(image.store())->empty());

    auto again = image.request();
    again.source.container = info.container;
    auto const over_dead = tools::mount_image(image.store(), again);
    REQUIRE_FALSE(over_dead.has_value());
    CHECK_THAT(over_dead.error().message(), Catch::Matchers::Contains("oblea umount"));

    REQUIRE(tools::unmount_by(image.store(), image.mount_point(), fs::Lazy::no).has_value());
    image.mount(again);
    CHECK(read_text(image / "etc/new") == "new\n");
    CHECK(image.unmount().kept == info.container);
}

TEST_CASE("a server that ends leaves what was mounted in its place since", "[e2e][mount]") {
    MountedImage image;
    for (int i = 0; i < 20; ++i) {
        auto request = image.request();
        request.source.container = "kept";
        auto const info = image.mount(request);
        // The kernel gives the number of the mount's device to the next one.
        if (::umount2(image.mount_point().c_str(), 0) != 0 ||
            ::mount("oblea-test", image.mount_point().c_str(), "tmpfs", 0, "size=64k") != 0) {
            return;  // no right to mount
        }
        REQUIRE(ends_soon(info.pid));
        REQUIRE(::umount2(image.mount_point().c_str(), 0) == 0);
    }
}

TEST_CASE("what is mounted while the mount before drops its container has one of its own",
          "[e2e][mount]") {
    MountedImage image;
    auto request = image.request();
    request.source.container = "kept";
    for (int i = 0; i < 3; ++i) {
        auto const before = image.mount(request);
        // umount(8) does not wait for whoever tidies up.
        REQUIRE(::kill(static_cast<pid_t>(before.pid), SIGSTOP) == 0);
        REQUIRE(fs::unmount(image.mount_point(), fs::Lazy::no).has_value());
        std::optional<Result<tools::MountInfo>> after;
        std::thread next{[&] { after = tools::mount_image(image.store(), request); }};
        ::usleep(100'000);  // it waits by now, or comes later: both must go well
        CHECK(::kill(static_cast<pid_t>(before.pid), SIGCONT) == 0);
        next.join();
        CAPTURE(after->has_value() ? "" : after->error().message());
        REQUIRE(after->has_value());
        CHECK(ends_soon(before.pid));
        auto const listed = tools::list_containers(image.store());
        REQUIRE(listed->all.size() == 1);
        CHECK(listed->all.front().id == (*after)->container_id);
        image.unmount();
    }
}

TEST_CASE("a foreground server ends when it is told to", "[e2e][mount]") {
    MountedImage image;
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    pid_t const server = ::fork();
    if (server == 0) {
        auto const served =
            tools::serve_image(image.store(), image.request(), [&](tools::MountInfo const&) {
                static_cast<void>(::write(ends[1], "m", 1) == 1);
            });
        ::_exit(served.has_value() ? 0 : 1);
    }
    char byte = 0;
    REQUIRE(::read(ends[0], &byte, 1) == 1);
    CHECK(read_text(image / "etc/issue") == "hello\n");
    ::kill(server, SIGTERM);
    int status = -1;
    REQUIRE(::waitpid(server, &status, 0) == server);
    CHECK(status == 0);
    CHECK_FALSE(exists(image / "etc"));
    CHECK(tools::list_containers(image.store())->all.empty());
    ::close(ends[0]);
    ::close(ends[1]);
}
