// SPDX-License-Identifier: MIT
// A store with one small image, and mounts of it that are gone at the end whatever happens.
#pragma once
#include "fs/fuse/server.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/fake_layers.h"
#include "tools/mount/mount_image.h"

#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace oblea::test {

// Ends the program as skipped where nothing can be mounted.
inline void need_fuse() {
    int const fd = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        std::puts("skipped: /dev/fuse cannot be opened");
        std::fflush(stdout);
        std::_Exit(77);
    }
    ::close(fd);
}

// As tests/e2e/lib.sh has it for root: a namespace that another test makes meanwhile would copy
// the mounts of this one, and keep them and their servers alive. Before any other thread starts.
inline void leave_common_namespace() {
    static bool const left = ::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0 &&
                             ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    static_cast<void>(left);  // who has no right to it shares mounts with nobody's tests
}

inline std::string read_text(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    return std::move(text).str();
}

inline bool write_text(std::string const& path, std::string_view text) {
    std::ofstream file{path, std::ios::binary | std::ios::trunc};
    file << text;
    return file.flush().good();
}

inline struct stat stat_of_path(std::string const& path) {
    struct stat st{};
    CAPTURE(path);
    REQUIRE(::lstat(path.c_str(), &st) == 0);
    return st;
}

inline bool exists(std::string const& path) {
    struct stat st{};
    return ::lstat(path.c_str(), &st) == 0;
}

// Whether the process runs; one that has ended but was not yet waited for does not.
inline bool is_alive(std::int64_t pid) {
    std::string const stat = read_text("/proc/" + std::to_string(pid) + "/stat");
    auto const name_end = stat.rfind(')');
    if (name_end == std::string::npos || stat.compare(name_end, 4, ") Z ", 0, 4) != 0) {
        return name_end != std::string::npos;
    }
    // A killed process whose first thread is gone keeps its files until the last of the others is.
    std::error_code gone;
    std::filesystem::directory_iterator const threads{"/proc/" + std::to_string(pid) + "/task",
                                                      gone};
    return !gone && std::distance(begin(threads), end(threads)) > 1;
}

// How often to look, with 10 ms between, for what a busy machine may bring late.
inline constexpr int kMinuteInPauses = 6000;

// The process that serves at the moment, a child of the one that holds the mount; waits a moment
// for one that is about to be started.
inline std::optional<pid_t> server_of(std::int64_t holder) {
    std::string const number = std::to_string(holder);
    for (int i = 0; i < kMinuteInPauses; ++i) {
        std::ifstream children{"/proc/" + number + "/task/" + number + "/children"};
        if (pid_t server = 0; children >> server) {
            return server;
        }
        ::usleep(10'000);
    }
    return std::nullopt;
}

// Bounded: the kernel takes a moment to end a killed process.
inline bool ends_soon(std::int64_t pid) {
    for (int i = 0; i < kMinuteInPauses && is_alive(pid); ++i) {
        ::usleep(10'000);
    }
    return !is_alive(pid);
}

inline std::string large_text() {
    std::string text;
    for (int line = 0; line < 40'000; ++line) {
        text += std::to_string(line) + " of the large file\n";
    }
    return text;
}

// The whole suite runs once for each way of the data; an answer that depends on it is a defect.
inline fs::MountOptions::Data data_under_test() {
    using Data = fs::MountOptions::Data;
    char const* const chosen = std::getenv("OBLEA_TEST_DATA");
    std::string_view const word = chosen != nullptr ? chosen : "";
    return word == "cached" ? Data::cached : word == "no-open" ? Data::no_open : Data::automatic;
}

// And once more with requests by io_uring, where the others have them by the device.
inline fs::MountOptions::Transport transport_under_test() {
    using Transport = fs::MountOptions::Transport;
    char const* const chosen = std::getenv("OBLEA_TEST_TRANSPORT");
    return chosen != nullptr && std::string_view{chosen} == "io_uring" ? Transport::io_uring
                                                                       : Transport::device;
}

class MountedImage {
public:
    // `objects`: more files of the image, by path, with their contents.
    explicit MountedImage(std::map<std::string, std::string> const& objects = {})
        : store_(open_store(dir_of_test_ / "store")), mount_point_(dir_of_test_ / "root") {
        need_fuse();
        leave_common_namespace();
        REQUIRE(::mkdir(mount_point_.c_str(), 0755) == 0);
        std::string const pack = "hello\nsecond\n";
        put_object(store_, large_text());
        LayerEntry with_xattr = packed_file("etc/issue", 0, "hello\n");
        with_xattr.xattrs = {{"user.kind", "greeting"}};
        LayerEntry set_user_id = packed_file("bin/suid", 6, "second\n");
        set_user_id.attr.permissions = 06755;
        LayerEntry large = object_file("srv/large", large_text());
        std::vector<LayerEntry> entries{dir("etc"),
                                        dir("bin"),
                                        dir("srv"),
                                        with_xattr,
                                        set_user_id,
                                        large,
                                        soft_link("etc/link", "issue"),
                                        hard_link("etc/second-name", "etc/issue")};
        for (auto const& [path, contents] : objects) {
            put_object(store_, contents);
            entries.push_back(object_file(path, contents));
        }
        auto const layer = put_layer(store_, "base", std::move(entries), pack);
        value_of(store_.change_images([&](store::Images& images) -> Status {
            images.put(image_of("small", {layer}));
            return {};
        }));
    }
    MountedImage(MountedImage const&) = delete;
    MountedImage& operator=(MountedImage const&) = delete;
    ~MountedImage() { static_cast<void>(fs::unmount(mount_point_, fs::Lazy::yes)); }

    tools::MountRequest request() const {
        tools::MountRequest request;
        request.source.image = "small";
        request.mount_point = mount_point_;
        request.options.data = data_under_test();
        request.options.transport = transport_under_test();
        return request;
    }

    // In the background, as `oblea mount` does it.
    tools::MountInfo mount() { return mount(request()); }
    tools::MountInfo mount(tools::MountRequest const& request) {
        auto info = tools::mount_image(store_, request);
        if (!info.has_value()) {
            FAIL(info.error().message());
        }
        if (request.options.transport == fs::MountOptions::Transport::io_uring) {
            REQUIRE(info->transport == "io_uring");
        }
        return *std::move(info);
    }

    tools::Unmounted unmount() {
        auto done = tools::unmount_by(store_, mount_point_, fs::Lazy::no);
        if (!done.has_value()) {
            FAIL(done.error().message());
        }
        return *std::move(done);
    }

    store::Store const& store() const { return store_; }
    std::string const& mount_point() const { return mount_point_; }
    std::string operator/(std::string const& name) const { return mount_point_ + '/' + name; }
    TempDir const& temp() const { return dir_of_test_; }

private:
    static store::Store open_store(std::string const& path) {
        return value_of(store::Store::open(path, store::Store::Create::if_missing));
    }
    TempDir dir_of_test_;
    store::Store store_;
    std::string mount_point_;
};

}  // namespace oblea::test
