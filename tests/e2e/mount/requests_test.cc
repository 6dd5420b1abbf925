// SPDX-License-Identifier: MIT
// What needs a request to the server, and what the kernel does without: counted, not timed.
#include "fs/fuse/counters.h"
#include "mounted_image.h"
#include "open_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include <map>
#include <vector>

using namespace oblea;
using namespace oblea::test;

namespace {

using Counts = std::map<std::string, std::uint64_t>;

Counts counts_of(MountedImage const& image) {
    auto const mounts = tools::list_mounts(image.store());
    REQUIRE(mounts.has_value());
    REQUIRE(mounts->size() == 1);
    REQUIRE(mounts->front().requests.has_value());
    return {mounts->front().requests->begin(), mounts->front().requests->end()};
}

// The requests that `work` leads to. Those that end something come when the kernel likes, and
// nobody waits for them.
template <typename F>
Counts requests_of(MountedImage const& image, F const& work) {
    Counts const before = counts_of(image);
    work();
    Counts caused;
    for (auto const& [name, count] : counts_of(image)) {
        auto const earlier = before.find(name);
        std::uint64_t const more = count - (earlier != before.end() ? earlier->second : 0);
        if (more != 0 && name != "release" && name != "releasedir" && name != "forget") {
            caused[name] = more;
        }
    }
    return caused;
}

std::uint64_t sum_of(Counts const& counts) {
    std::uint64_t sum = 0;
    for (auto const& [name, count] : counts) {
        sum += count;
    }
    return sum;
}

unsigned char first_mapped_byte(std::string const& path) {
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    void* const at = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    REQUIRE(at != MAP_FAILED);
    unsigned char const byte = *static_cast<unsigned char const volatile*>(at);
    ::munmap(at, 4096);
    return byte;
}

tools::MountRequest read_only(MountedImage const& image) {
    auto request = image.request();
    request.mode = tools::MountMode::read_only;
    request.options.data = fs::MountOptions::Data::automatic;
    return request;
}

// Other modes have tests of their own; but where everything is there, the best must be chosen.
bool has_passthrough(tools::MountInfo const& info) {
    char const* const ci = std::getenv("CI");
    if (::geteuid() == 0 && ci != nullptr && std::string_view{ci} == "true" &&
        data_under_test() == fs::MountOptions::Data::automatic) {
        CAPTURE(info.reason);
        REQUIRE(info.data == "passthrough");
    }
    return info.data == "passthrough";
}

}  // namespace

TEST_CASE("what is warm needs no request on a read-only mount", "[e2e][requests]") {
    MountedImage image;
    image.mount(read_only(image));
    auto const use = [&] {
        CHECK(read_text(image / "etc/issue") == "hello\n");
        CHECK(read_text(image / "etc/link") == "hello\n");
        CHECK(stat_of_path(image / "srv/large").st_size > 0);
        CHECK(first_mapped_byte(image / "srv/large") == '0');
        CHECK_FALSE(exists(image / "etc/none"));
        CHECK(std::distance(std::filesystem::directory_iterator{image / "etc"}, {}) == 3);
    };
    use();
    CHECK(requests_of(image, use) == Counts{});
    image.unmount();
}

TEST_CASE("a cold small file on a read-only mount takes two requests", "[e2e][requests]") {
    MountedImage image;
    image.mount(read_only(image));
    read_text(image / "bin/suid");  // the way there, and that files are not opened
    stat_of_path(image / "etc");
    Counts const caused = requests_of(image, [&] { read_text(image / "etc/issue"); });
    CHECK(caused == Counts{{"lookup", 1}, {"read", 1}});
    image.unmount();
}

TEST_CASE("listing a folder tells its entries' attributes too", "[e2e][requests]") {
    MountedImage image;
    image.mount();
    stat_of_path(image.mount_point());
    Counts const caused = requests_of(image, [&] {
        for (auto const& entry : std::filesystem::directory_iterator{image / "etc"}) {
            stat_of_path(entry.path());
        }
    });
    CHECK_FALSE(caused.contains("getattr"));
    CHECK(caused.at("readdirplus") <= 2);
    CHECK(caused.at("lookup") == 1);  // the folder itself
    image.unmount();
}

TEST_CASE("names of a large folder come without attributes that nobody asks for",
          "[e2e][requests]") {
    MountedImage image;
    image.mount();
    for (int i = 0; i < 1000; ++i) {
        write_text(image / ("etc/name-" + std::to_string(i)), "");
    }
    Counts const caused = requests_of(image, [&] {
        CHECK(std::distance(std::filesystem::directory_iterator{image / "etc"}, {}) == 1003);
    });
    CHECK(caused.at("readdirplus") == 1);
    CHECK(caused.at("readdir") >= 1);
    image.unmount();
}

TEST_CASE("what is warm needs no request but open on a writable mount", "[e2e][requests]") {
    MountedImage image;
    image.mount();
    auto const use = [&] {
        CHECK(read_text(image / "etc/issue") == "hello\n");
        CHECK(stat_of_path(image / "srv/large").st_size > 0);
        CHECK_FALSE(exists(image / "etc/none"));
    };
    use();
    Counts const caused = requests_of(image, use);
    CHECK(sum_of(caused) <= 1);
    CHECK((caused.empty() || caused.begin()->first == "open"));
    image.unmount();
}

TEST_CASE("a new file takes a lookup and a create, and the kernel writes it", "[e2e][requests]") {
    MountedImage image;
    auto const info = image.mount();
    if (has_passthrough(info)) {
        read_text(image / "etc/issue");
        Counts const caused =
            requests_of(image, [&] { REQUIRE(write_text(image / "etc/new", "new\n")); });
        CHECK(caused.at("create") == 1);
        CHECK_FALSE(caused.contains("write"));
        Counts const reading =
            requests_of(image, [&] { CHECK(read_text(image / "etc/new") == "new\n"); });
        CHECK_FALSE(reading.contains("read"));
    }
    image.unmount();
}

TEST_CASE("a large file of the image that is opened with O_TRUNC is the kernel's to write",
          "[e2e][requests]") {
    std::map<std::string, std::string> others;
    for (int i = 0; i < 8; ++i) {
        others["srv/other" + std::to_string(i)] = large_text() + std::to_string(i);
    }
    MountedImage image{others};
    auto const info = image.mount();
    if (has_passthrough(info)) {
        bool is_kernels = false;
        // Whether the server sees what the program is about depends on how busy the machine is.
        for (auto other = others.begin(); other != others.end() && !is_kernels; ++other) {
            std::string const path = image / other->first;
            stat_of_path(path);
            Counts const caused = requests_of(image, [&] {
                OpenFile const file{path, O_WRONLY | O_TRUNC};
                file.write("new", 0);
            });
            CHECK_FALSE(caused.contains(std::string{fs::kCopiedBytes}));
            CHECK(caused.at("open") == 1);
            CHECK(caused.at("setattr") == 1);
            CHECK(read_text(path) == "new");
            CHECK(stat_of_path(path).st_size == 3);
            is_kernels = !caused.contains("write");
        }
        CHECK(is_kernels);
    }
    image.unmount();
}

TEST_CASE("a file that somebody has open is emptied for everybody", "[e2e][requests]") {
    MountedImage image;
    image.mount();
    std::string const path = image / "srv/large";
    {
        OpenFile const before{path, O_RDONLY};
        CHECK(before.read(4) == "0 of");
        OpenFile const writer{path, O_WRONLY | O_TRUNC};
        CHECK(before.read(4).empty());
        writer.write("new", 0);
        OpenFile const after{path, O_RDONLY};
        CHECK(before.read(100) == "new");
        CHECK(after.read(100) == "new");
    }
    image.unmount();
}

TEST_CASE("what opens without O_TRUNC is not emptied, whatever its flags", "[e2e][requests]") {
    MountedImage image;
    image.mount();
    std::string const path = image / "srv/large";
    for (int const flags : {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_WRONLY | O_CREAT,
                            O_RDWR | O_NOFOLLOW, O_RDONLY | O_NONBLOCK}) {
        CAPTURE(flags);
        OpenFile const file{path, flags};
        CHECK(stat_of_path(path).st_size == static_cast<off_t>(large_text().size()));
    }
    CHECK(read_text(path) == large_text());
    image.unmount();
}

TEST_CASE("4 KiB written into a large file of the image copy one block, attributes nothing",
          "[e2e][requests][partial]") {
    std::map<std::string, std::string> others;
    for (int i = 0; i < 8; ++i) {
        others["srv/other" + std::to_string(i)] = large_text() + std::to_string(i);
    }
    MountedImage image{others};
    image.mount();
    std::string const path = image / "srv/large";
    auto const copied = [&](auto const& work) {
        return requests_of(image, work)[std::string{fs::kCopiedBytes}];
    };
    CHECK(copied([&] {
              REQUIRE(::chmod(path.c_str(), 0600) == 0);
              REQUIRE(::chown(path.c_str(), ::getuid(), ::getgid()) == 0);
              REQUIRE(::setxattr(path.c_str(), "user.note", "text", 4, 0) == 0);
              REQUIRE(::link(path.c_str(), (image / "srv/linked").c_str()) == 0);
              REQUIRE(::rename(path.c_str(), (image / "srv/moved").c_str()) == 0);
              REQUIRE(::rename((image / "srv/moved").c_str(), path.c_str()) == 0);
              CHECK(read_text(path) == large_text());
          }) == 0);
    std::string model = large_text();
    auto const copied_by_write_to = [&](std::string const& file) {
        return copied([&] {
            int const fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
            REQUIRE(::pwrite(fd, std::string(4096, 'W').data(), 4096, 300'001) == 4096);
            ::close(fd);
        });
    };
    // A file that rests for seconds is copied whole in the background: where the machine was so
    // busy that this came in between, another file tells.
    std::uint64_t least = copied_by_write_to(path);
    for (auto other = others.begin(); other != others.end() && least > 128U << 10U; ++other) {
        least = std::min(least, copied_by_write_to(image / other->first));
    }
    CHECK(least <= 128U << 10U);
    model.replace(300'001, 4096, 4096, 'W');
    CHECK(read_text(image / "srv/linked") == model);
    image.unmount();
}

TEST_CASE("one file open in both ways is the same file", "[e2e][requests]") {
    MountedImage image;
    image.mount();
    auto const open = [&](int flags) {
        int const fd = ::open((image / "srv/large").c_str(), flags | O_CLOEXEC);
        REQUIRE(fd >= 0);
        return fd;
    };
    auto const text_at_start = [](int fd) {
        std::string text(4, ' ');
        REQUIRE(::pread(fd, text.data(), 4, 0) == 4);
        return text;
    };
    int const before = open(O_RDONLY);  // of the image, through the page cache
    CHECK(text_at_start(before) == "0 of");
    int const writer = open(O_WRONLY);
    REQUIRE(::pwrite(writer, "ABCD", 4, 0) == 4);
    int const after = open(O_RDWR);
    CHECK(text_at_start(before) == "ABCD");
    CHECK(text_at_start(after) == "ABCD");
    REQUIRE(::pwrite(after, "EFGH", 4, 0) == 4);
    CHECK(text_at_start(before) == "EFGH");
    for (int const fd : {before, writer, after}) {
        ::close(fd);
    }
    // Nobody has it open any more: now the kernel gets it, whatever its cache still has.
    int const alone = open(O_RDWR);
    CHECK(text_at_start(alone) == "EFGH");
    REQUIRE(::pwrite(alone, "IJKL", 4, 0) == 4);
    int const beside = open(O_RDONLY);
    CHECK(text_at_start(beside) == "IJKL");
    ::close(alone);
    ::close(beside);
    CHECK(read_text(image / "srv/large").substr(0, 4) == "IJKL");
    image.unmount();
}
