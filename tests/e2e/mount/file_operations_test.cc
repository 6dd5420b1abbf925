// SPDX-License-Identifier: MIT
// File operations through the kernel, on a writable mount.
#include "mounted_image.h"
#include "open_file.h"
#include "tests/support/random.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

using namespace oblea;
using namespace oblea::test;

namespace {

std::string xattr_of(std::string const& path, char const* name) {
    std::array<char, 256> value{};
    ssize_t const size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    return size < 0 ? "errno " + std::to_string(errno)
                    : std::string{value.data(), static_cast<std::size_t>(size)};
}

std::multiset<std::string> names_in(std::string const& path) {
    std::multiset<std::string> names;
    DIR* const folder = ::opendir(path.c_str());
    REQUIRE(folder != nullptr);
    while (dirent const* entry = ::readdir(folder)) {
        names.insert(entry->d_name);
        if (std::string_view{entry->d_name}.find('.') != 0) {
            CHECK(entry->d_ino == stat_of_path(path + "/" + entry->d_name).st_ino);
        }
    }
    ::closedir(folder);
    return names;
}

int rename_with(std::string const& from, std::string const& to, unsigned flags) {
    return static_cast<int>(
        ::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
}

}  // namespace

TEST_CASE("names are made, listed, moved and removed", "[e2e][files]") {
    MountedImage image;
    image.mount();
    REQUIRE(::mkdir((image / "new").c_str(), 0750) == 0);
    CHECK((stat_of_path(image / "new").st_mode & 07777U) == 0750);
    REQUIRE(write_text(image / "new/file", "1"));
    REQUIRE(::symlink("file", (image / "new/link").c_str()) == 0);
    REQUIRE(::link((image / "new/file").c_str(), (image / "new/second").c_str()) == 0);
    REQUIRE(::mkfifo((image / "new/fifo").c_str(), 0600) == 0);
    CHECK(stat_of_path(image / "new/file").st_nlink == 2);
    CHECK(names_in(image / "new") ==
          std::multiset<std::string>{".", "..", "fifo", "file", "link", "second"});

    REQUIRE(::rename((image / "new/file").c_str(), (image / "etc/moved").c_str()) == 0);
    CHECK_FALSE(exists(image / "new/file"));
    CHECK(read_text(image / "etc/moved") == "1");
    CHECK(rename_with(image / "etc/moved", image / "etc/issue", RENAME_NOREPLACE) == -1);
    CHECK(errno == EEXIST);
    CHECK(rename_with(image / "etc/moved", image / "etc/issue", RENAME_EXCHANGE) == 0);
    CHECK(read_text(image / "etc/issue") == "1");
    CHECK(read_text(image / "etc/moved") == "hello\n");
    CHECK(rename_with(image / "etc/moved", image / "etc/x", RENAME_WHITEOUT) == -1);
    CHECK(errno == EINVAL);

    CHECK(::rmdir((image / "new").c_str()) == -1);
    CHECK(errno == ENOTEMPTY);
    for (char const* name : {"new/link", "new/second", "new/fifo"}) {
        CHECK(::unlink((image / name).c_str()) == 0);
    }
    CHECK(::rmdir((image / "new").c_str()) == 0);
    CHECK(names_in(image.mount_point()) ==
          std::multiset<std::string>{".", "..", "bin", "etc", "srv"});
    image.unmount();
}

TEST_CASE("a folder shows what was made while it is listed before and after", "[e2e][files]") {
    MountedImage image;
    image.mount();
    for (int i = 0; i < 2000; ++i) {
        REQUIRE(write_text(image / ("srv/" + std::to_string(i)), ""));
    }
    CHECK(names_in(image / "srv").size() == 2003);  // with ".", ".." and "large"
    REQUIRE(::unlink((image / "srv/7").c_str()) == 0);
    auto const names = names_in(image / "srv");
    CHECK(names.size() == 2002);
    CHECK_FALSE(names.contains("7"));
    image.unmount();
}

TEST_CASE("attributes change and hold over a remount", "[e2e][files]") {
    MountedImage image;
    auto const info = image.mount();
    std::string const path = image / "etc/issue";
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    timespec const times[2] = {{.tv_sec = 1, .tv_nsec = 2}, {.tv_sec = -3, .tv_nsec = 4}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    REQUIRE(::setxattr(path.c_str(), "user.new", "value", 5, 0) == 0);
    CHECK(::setxattr(path.c_str(), "user.new", "x", 1, XATTR_CREATE) == -1);
    CHECK(errno == EEXIST);
    REQUIRE(::removexattr(path.c_str(), "user.kind") == 0);

    auto const check = [&] {
        struct stat const st = stat_of_path(path);
        CHECK((st.st_mode & 07777U) == 0640);
        CHECK(st.st_mtim.tv_sec == -3);
        CHECK(st.st_mtim.tv_nsec == 4);
        CHECK(xattr_of(path, "user.new") == "value");
        CHECK(xattr_of(path, "user.kind") == "errno " + std::to_string(ENODATA));
        CHECK(read_text(path) == "hello\n");
    };
    check();
    image.unmount();
    auto request = image.request();
    request.source.container = info.container;
    image.mount(request);
    check();
    image.unmount();
}

TEST_CASE("xattrs follow the two-step size protocol", "[e2e][files]") {
    MountedImage image;
    image.mount();
    std::string const path = image / "etc/issue";
    std::array<char, 4> small{};
    CHECK(::getxattr(path.c_str(), "user.kind", nullptr, 0) == 8);
    CHECK(::getxattr(path.c_str(), "user.kind", small.data(), small.size()) == -1);
    CHECK(errno == ERANGE);
    CHECK(xattr_of(path, "user.kind") == "greeting");
    CHECK(xattr_of(path, "user.none") == "errno " + std::to_string(ENODATA));
    CHECK(::listxattr(path.c_str(), nullptr, 0) == 10);
    CHECK(::listxattr(path.c_str(), small.data(), small.size()) == -1);
    CHECK(errno == ERANGE);
    image.unmount();
}

TEST_CASE("whoever reads sees the last write, through handles from before it", "[e2e][files]") {
    MountedImage image;
    image.mount();
    {
        std::string const path = image / "srv/large";
        OpenFile const before{path, O_RDONLY};
        void* const map = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, before.get(), 0);
        REQUIRE(map != MAP_FAILED);
        char const* const mapped = static_cast<char const*>(map);
        CHECK(mapped[0] == '0');

        OpenFile const writer{path, O_WRONLY};
        REQUIRE(::pwrite(writer.get(), "XYZ", 3, 0) == 3);
        std::array<char, 4> seen{};
        REQUIRE(::pread(before.get(), seen.data(), seen.size(), 0) == 4);
        CHECK(std::string_view{seen.data(), 3} == "XYZ");
        CHECK(std::string_view{mapped, 3} == "XYZ");
        CHECK(stat_of_path(path).st_size == static_cast<off_t>(large_text().size()));
        CHECK(read_text(path).substr(3) == large_text().substr(3));
        ::munmap(map, 4096);
    }
    image.unmount();
}

TEST_CASE("truncating on open and by name both leave what was asked for", "[e2e][files]") {
    MountedImage image;
    image.mount();
    std::string const path = image / "srv/large";
    CHECK(read_text(path) == large_text());
    SECTION("on open") {
        OpenFile const file{path, O_WRONLY | O_TRUNC};
        REQUIRE(::write(file.get(), "short", 5) == 5);
        CHECK(read_text(path) == "short");
    }
    SECTION("by name, shorter and longer again") {
        REQUIRE(::truncate(path.c_str(), 10) == 0);
        REQUIRE(::truncate(path.c_str(), 20) == 0);
        CHECK(read_text(path) == large_text().substr(0, 10) + std::string(10, '\0'));
    }
    SECTION("a shared mapping that is written") {
        OpenFile const file{path, O_RDWR};
        void* const map = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
        REQUIRE(map != MAP_FAILED);
        static_cast<char*>(map)[5000] = '#';
        REQUIRE(::msync(map, 8192, MS_SYNC) == 0);
        ::munmap(map, 8192);
        std::string expected = large_text();
        expected[5000] = '#';
        CHECK(read_text(path) == expected);
    }
    image.unmount();
}

TEST_CASE("an unlinked file lives as long as it is open", "[e2e][files]") {
    MountedImage image;
    image.mount();
    {
        auto const name = GENERATE(std::string{"etc/issue"}, std::string{"srv/large"});
        OpenFile const file{image / name, O_RDWR};
        REQUIRE(::unlink((image / name).c_str()) == 0);
        REQUIRE(::pwrite(file.get(), "HE", 2, 0) == 2);
        std::array<char, 3> seen{};
        CHECK(::pread(file.get(), seen.data(), seen.size(), 0) == 3);
        CHECK(std::string_view{seen.data(), 2} == "HE");
        CHECK_FALSE(exists(image / name));
    }
    image.unmount();
}

TEST_CASE("a file without a name can get one", "[e2e][files]") {
    MountedImage image;
    image.mount();
    {
        OpenFile const file{image / "etc", O_TMPFILE | O_RDWR};
        REQUIRE(::write(file.get(), "named late", 10) == 10);
        std::string const source = "/proc/self/fd/" + std::to_string(file.get());
        REQUIRE(::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, (image / "etc/late").c_str(),
                         AT_SYMLINK_FOLLOW) == 0);
        CHECK(read_text(image / "etc/late") == "named late");
    }
    image.unmount();
}

TEST_CASE("holes, space and ranges are handed on", "[e2e][files]") {
    MountedImage image;
    image.mount();
    {
        OpenFile const source{image / "srv/large", O_RDONLY};
        OpenFile const file{image / "srv/copy", O_RDWR | O_CREAT};
        loff_t from = 100;
        loff_t to = 65536;
        REQUIRE(::copy_file_range(source.get(), &from, file.get(), &to, 5000, 0) == 5000);
        std::string const text = read_text(image / "srv/copy");
        CHECK(text.size() == 65536 + 5000);
        CHECK(text.substr(65536) == large_text().substr(100, 5000));
        CHECK(::lseek(file.get(), 0, SEEK_DATA) == 65536);
        CHECK(::lseek(file.get(), 0, SEEK_HOLE) == 0);
        CHECK(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 4096) ==
              0);
        CHECK(read_text(image / "srv/copy").substr(65536, 4096) == std::string(4096, '\0'));
        CHECK(::fsync(file.get()) == 0);
    }
    image.unmount();
}

TEST_CASE("a writer without the right drops set-user-id", "[e2e][files]") {
    if (::geteuid() != 0) {
        return;  // only root can become somebody else
    }
    MountedImage image;
    auto request = image.request();
    request.options.access = fs::MountOptions::Access::allow_other;
    image.mount(request);
    REQUIRE(::chmod(image.temp().path().c_str(), 0755) == 0);
    std::string const path = image / "bin/suid";
    REQUIRE(::chmod(path.c_str(), 06777) == 0);
    CHECK((stat_of_path(path).st_mode & 07777U) == 06777);
    auto const change = GENERATE(0, 1, 2);
    CAPTURE(change);
    pid_t const child = ::fork();
    if (child == 0) {
        if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) {
            ::_exit(2);
        }
        bool done = false;
        if (change == 0) {
            int const fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
            done = ::write(fd, "x", 1) == 1;
        } else if (change == 1) {
            done = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC) >= 0;
        } else {
            done = ::truncate(path.c_str(), 3) == 0;
        }
        ::_exit(done ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    CHECK((stat_of_path(path).st_mode & 07777U) == 0777);
    image.unmount();
}

TEST_CASE("random reads and writes agree with a copy in memory", "[e2e][files]") {
    MountedImage image;
    image.mount();
    {
        auto const seed = random_seed();
        CAPTURE(seed);
        Random random{seed};
        auto const name = GENERATE(std::string{"srv/large"}, std::string{"srv/new"});
        std::string model = name == "srv/large" ? large_text() : "";
        OpenFile file{image / name, O_RDWR | O_CREAT};
        constexpr std::size_t kSizeMax = 2U << 20U;
        for (int step = 0; step < 600; ++step) {
            CAPTURE(step);
            std::size_t const offset = random.below(kSizeMax / 2);
            std::size_t const length = 1 + random.below(random.one_in(8) ? 300'000 : 5'000);
            switch (random.below(6)) {
            case 0:
            case 1: {
                std::string const data(length, static_cast<char>('a' + random.below(26)));
                REQUIRE(::pwrite(file.get(), data.data(), data.size(),
                                 static_cast<off_t>(offset)) == static_cast<ssize_t>(data.size()));
                if (model.size() < offset + length) {
                    model.resize(offset + length);
                }
                model.replace(offset, length, data);
                break;
            }
            case 2:
                if (random.one_in(4)) {
                    REQUIRE(::ftruncate(file.get(), static_cast<off_t>(offset)) == 0);
                    model.resize(offset);
                }
                break;
            case 3:
                if (random.one_in(8)) {
                    file = OpenFile{image / name, O_RDWR};
                }
                break;
            default: {
                std::string seen(length, '\0');
                ssize_t const count =
                    ::pread(file.get(), seen.data(), seen.size(), static_cast<off_t>(offset));
                REQUIRE(count >= 0);
                seen.resize(static_cast<std::size_t>(count));
                std::string const expected =
                    offset < model.size() ? model.substr(offset, length) : std::string{};
                REQUIRE(seen == expected);
            }
            }
        }
        CHECK(read_text(image / name) == model);
    }
    image.unmount();
}

TEST_CASE("many threads work side by side", "[e2e][files]") {
    MountedImage image;
    image.mount();
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            std::string const own = image / ("srv/thread" + std::to_string(t));
            wrong += ::mkdir(own.c_str(), 0755) != 0;
            for (int i = 0; i < 100; ++i) {
                std::string const path = own + "/" + std::to_string(i % 10);
                std::string const text = std::to_string(t) + ":" + std::to_string(i);
                wrong += !write_text(path, text) || read_text(path) != text;
                wrong += ::rename(path.c_str(), (path + "x").c_str()) != 0;
                wrong += read_text(image / "etc/second-name").substr(0, 5) != "hello";
                wrong += ::unlink((path + "x").c_str()) != 0;
            }
            // Everybody is the first to change the shared file, once.
            int const shared = ::open((image / "srv/large").c_str(), O_WRONLY | O_CLOEXEC);
            wrong += ::pwrite(shared, "#", 1, t * 1000) != 1;
            ::close(shared);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
    std::string expected = large_text();
    for (std::size_t t = 0; t < 8; ++t) {
        expected[t * 1000] = '#';
    }
    CHECK(read_text(image / "srv/large") == expected);
    image.unmount();
}
