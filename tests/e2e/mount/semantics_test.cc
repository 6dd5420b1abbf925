// SPDX-License-Identifier: MIT
// What programs ask of a file system beyond reading and writing, through the kernel.
#include "mounted_image.h"
#include "open_file.h"
#include "tests/unit/fs/acl_text.h"

#include <sys/file.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <dirent.h>

#include <functional>
#include <memory>

using namespace oblea;
using namespace oblea::test;

namespace {

constexpr uid_t kNobody = 65534;

// The exit status of a process that does it, as another user where one is named.
int in_child(std::function<int()> const& act, std::optional<uid_t> user = {}) {
    pid_t const child = ::fork();
    if (child == 0) {
        if (user.has_value() &&
            (::setresgid(*user, *user, *user) != 0 || ::setresuid(*user, *user, *user) != 0)) {
            ::_exit(126);
        }
        ::_exit(act());
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int errno_of(int result) {
    return result < 0 ? errno : 0;
}

int open_errno(std::string const& path, int flags) {
    base::UniqueFd const file{::open(path.c_str(), flags | O_CLOEXEC, 0644)};
    return file.valid() ? 0 : errno;
}

// Removes the file, and returns when `bytes` are free on the file system beneath: the kernel tells
// that a file is closed and forgotten by messages that no program waits for. Bounded.
bool remove_for_room(std::string const& path, std::string const& beneath, std::uint64_t bytes) {
    if (::unlink(path.c_str()) != 0) {
        return false;
    }
    auto const has_room = [&] {
        struct statvfs info{};
        return ::statvfs(beneath.c_str(), &info) == 0 && info.f_bavail * info.f_frsize >= bytes;
    };
    for (int i = 0; i < kMinuteInPauses && !has_room(); ++i) {
        ::usleep(10'000);
    }
    return has_room();
}

}  // namespace

TEST_CASE("O_APPEND, O_DIRECT, O_SYNC and O_EXCL keep their word", "[e2e][semantics]") {
    MountedImage image;
    image.mount();
    {
        OpenFile const one{image / "etc/issue", O_WRONLY | O_APPEND};
        OpenFile const two{image / "etc/second-name", O_WRONLY | O_APPEND | O_SYNC};
        REQUIRE(::write(one.get(), "1", 1) == 1);
        REQUIRE(::write(two.get(), "2", 1) == 1);
        REQUIRE(::write(one.get(), "3", 1) == 1);
        CHECK(read_text(image / "etc/issue") == "hello\n123");

        constexpr std::size_t kBlock = 4096;
        std::unique_ptr<char, decltype(&std::free)> const block{
            static_cast<char*>(std::aligned_alloc(kBlock, kBlock)), &std::free};
        OpenFile const direct{image / "srv/large", O_RDWR | O_DIRECT};
        REQUIRE(::pread(direct.get(), block.get(), kBlock, kBlock) == kBlock);
        CHECK(std::string(block.get(), kBlock) == large_text().substr(kBlock, kBlock));
        std::fill_n(block.get(), kBlock, 'd');
        OpenFile const cached{image / "srv/large", O_RDONLY};
        CHECK(cached.read(1, kBlock) == large_text().substr(kBlock, 1));
        REQUIRE(::pwrite(direct.get(), block.get(), kBlock, kBlock) == kBlock);
        CHECK(cached.read(kBlock, kBlock) == std::string(kBlock, 'd'));

        CHECK(open_errno(image / "etc/issue", O_CREAT | O_EXCL | O_WRONLY) == EEXIST);
        CHECK(open_errno(image / "etc/link", O_CREAT | O_EXCL | O_WRONLY) == EEXIST);
        CHECK(open_errno(image / "etc/fresh", O_CREAT | O_EXCL | O_WRONLY) == 0);
    }
    image.unmount();
}

TEST_CASE("what runs is not written, and what is written does not run", "[e2e][semantics]") {
    MountedImage image;
    image.mount();
    REQUIRE(std::filesystem::copy_file("/bin/sleep", image / "bin/sleep"));
    std::string const path = image / "bin/sleep";
    pid_t const child = ::fork();
    if (child == 0) {
        ::execl(path.c_str(), "sleep", "60", nullptr);
        ::_exit(127);
    }
    // Until the child runs it.
    std::string const exe = "/proc/" + std::to_string(child) + "/exe";
    for (int i = 0; i < kMinuteInPauses; ++i) {
        std::error_code none;
        if (std::filesystem::read_symlink(exe, none) == path) {
            break;
        }
        ::usleep(10'000);
    }
    CHECK(open_errno(path, O_WRONLY) == ETXTBSY);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    {
        OpenFile const writer{path, O_WRONLY};
        CHECK(in_child([&] {
                  ::execl(path.c_str(), "sleep", "0", nullptr);
                  return errno == ETXTBSY ? 7 : 8;
              }) == 7);
    }
    image.unmount();
}

TEST_CASE("flock and fcntl locks hold between processes, across a copy-up", "[e2e][semantics]") {
    MountedImage image;
    image.mount();
    std::string const path = image / "etc/issue";
    {
        OpenFile const whole{path, O_RDWR};
        REQUIRE(::flock(whole.get(), LOCK_EX) == 0);
        OpenFile const ranged{path, O_RDWR};
        struct flock range = {};
        range.l_type = F_WRLCK;
        range.l_start = 2;
        range.l_len = 2;
        REQUIRE(::fcntl(ranged.get(), F_SETLK, &range) == 0);
        auto const others = [&] {
            int const fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
            struct flock taken = range;
            struct flock beside = range;
            beside.l_start = 4;
            bool const right = ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK &&
                               ::fcntl(fd, F_SETLK, &taken) != 0 &&
                               ::fcntl(fd, F_SETLK, &beside) == 0;
            return right ? 0 : 1;
        };
        CHECK(in_child(others) == 0);
        whole.write("HE", 0);
        CHECK(in_child(others) == 0);
    }
    image.unmount();
}

TEST_CASE("any name is a name", "[e2e][semantics]") {
    MountedImage image;
    auto const info = image.mount();
    std::vector<std::string> names{
        std::string(255, 'n'), ".wh.file",    ".wh..wh..opq", ".wh.", "...", "-rf *",
        "tab\tnew\nline",      "\xff\xfe\x80"};
    for (int byte = 1; byte < 256; ++byte) {
        if (byte != '/' && byte != '.') {
            names.push_back(std::string(1, static_cast<char>(byte)));
        }
    }
    for (std::string const& name : names) {
        CAPTURE(name);
        REQUIRE(write_text(image / ("srv/" + name), name));
    }
    CHECK(open_errno(image / ("srv/" + std::string(256, 'n')), O_CREAT | O_WRONLY) == ENAMETOOLONG);
    // A new name that hides nothing, and one that a whiteout of the image format would mean.
    REQUIRE(write_text(image / "etc/.wh.issue", "x"));
    image.unmount();
    auto request = image.request();
    request.source.container = info.container;
    image.mount(request);
    for (std::string const& name : names) {
        CAPTURE(name);
        CHECK(read_text(image / ("srv/" + name)) == name);
    }
    CHECK(read_text(image / "etc/issue") == "hello\n");
    image.unmount();
}

TEST_CASE("files go beyond 4 GiB, and stay sparse", "[e2e][semantics]") {
    MountedImage image;
    image.mount();
    constexpr off_t kFar = (off_t{5} << 30U) + 123;
    for (char const* const name : {"srv/large", "srv/new"}) {
        CAPTURE(name);
        OpenFile const file{image / name, O_RDWR | O_CREAT};
        file.write("far", kFar);
        CHECK(file.read(10, kFar) == "far");
        struct stat st{};
        REQUIRE(::fstat(file.get(), &st) == 0);
        CHECK(st.st_size == kFar + 3);
        CHECK(st.st_blocks < (off_t{64} << 20U) / 512);
        CHECK(::lseek(file.get(), off_t{1} << 30U, SEEK_DATA) > off_t{4} << 30U);
        REQUIRE(::ftruncate(file.get(), (off_t{4} << 30U) + 1) == 0);
        CHECK(file.read(10, off_t{4} << 30U) == std::string(1, '\0'));
    }
    image.unmount();
}

TEST_CASE("paths are as deep as Linux allows", "[e2e][semantics]") {
    MountedImage image;
    image.mount();
    std::string const name(200, 'd');
    constexpr int kDepth = 60;  // 12,000 bytes, three times PATH_MAX
    int const made = in_child([&] {
        if (::chdir((image / "srv").c_str()) != 0) {
            return 1;
        }
        for (int i = 0; i < kDepth; ++i) {
            if (::mkdir(name.c_str(), 0755) != 0 || ::chdir(name.c_str()) != 0) {
                return 2;
            }
        }
        int const fd = ::open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        return ::write(fd, "deep", 4) == 4 ? 0 : 3;
    });
    CHECK(made == 0);
    {
        base::UniqueFd at{::open((image / "srv").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        for (int i = 0; i < kDepth; ++i) {
            at = base::UniqueFd{
                ::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        }
        base::UniqueFd const file{::openat(at.get(), "file", O_RDONLY | O_CLOEXEC)};
        std::array<char, 4> text{};
        CHECK(::read(file.get(), text.data(), text.size()) == 4);
        CHECK(std::string_view{text.data(), 4} == "deep");
    }
    image.unmount();
}

TEST_CASE("access lists and sticky folders bind other users", "[e2e][semantics]") {
    if (::geteuid() != 0) {
        return;  // only root can become somebody else
    }
    MountedImage image;
    auto request = image.request();
    request.options.access = fs::MountOptions::Access::allow_other;
    image.mount(request);
    REQUIRE(::chmod(image.temp().path().c_str(), 0755) == 0);
    std::string const secret = image / "etc/issue";
    REQUIRE(::chmod(secret.c_str(), 0600) == 0);
    auto const reads = [&] { return open_errno(secret, O_RDONLY); };
    CHECK(in_child(reads, kNobody) == EACCES);
    std::string const list = acl({{AclTag::owner, 6},
                                  {AclTag::user, 4, kNobody},
                                  {AclTag::group, 0},
                                  {AclTag::mask, 4},
                                  {AclTag::others, 0}});
    REQUIRE(::setxattr(secret.c_str(), "system.posix_acl_access", list.data(), list.size(), 0) ==
            0);
    CHECK(in_child(reads, kNobody) == 0);
    CHECK(in_child(reads, kNobody - 1) == EACCES);
    CHECK((stat_of_path(secret).st_mode & 07777U) == 0640);
    REQUIRE(::removexattr(secret.c_str(), "system.posix_acl_access") == 0);
    REQUIRE(::chmod(secret.c_str(), 0600) == 0);
    CHECK(in_child(reads, kNobody) == EACCES);

    REQUIRE(::setxattr((image / "srv").c_str(), "system.posix_acl_default", list.data(),
                       list.size(), 0) == 0);
    REQUIRE(write_text(image / "srv/inherits", "text"));
    CHECK(in_child([&] { return open_errno(image / "srv/inherits", O_RDONLY); }, kNobody) == 0);

    REQUIRE(::chmod((image / "bin").c_str(), 01777) == 0);
    CHECK(in_child([&] { return errno_of(::unlink((image / "bin/suid").c_str())); }, kNobody) ==
          EPERM);
    CHECK(in_child([&] { return open_errno(image / "bin/own", O_CREAT | O_WRONLY); }, kNobody) ==
          0);
    CHECK(stat_of_path(image / "bin/own").st_uid == kNobody);
    CHECK(in_child([&] { return errno_of(::unlink((image / "bin/own").c_str())); }, kNobody - 1) ==
          EPERM);
    CHECK(in_child([&] { return errno_of(::unlink((image / "bin/own").c_str())); }, kNobody) == 0);
    CHECK(in_child([&] {
              ::umask(0027);
              return open_errno(image / "bin/masked", O_CREAT | O_WRONLY);
          }) == 0);
    CHECK((stat_of_path(image / "bin/masked").st_mode & 07777U) == 0640);
    image.unmount();
}

TEST_CASE("a full upper is ENOSPC, and nothing is lost", "[e2e][semantics]") {
    MountedImage image;
    std::string const small = image.temp() / "small";
    REQUIRE(::mkdir(small.c_str(), 0755) == 0);
    if (::mount("oblea-test", small.c_str(), "tmpfs", 0, "size=512k") != 0) {
        return;  // no right to mount
    }
    auto request = image.request();
    request.upper_dir = small + "/upper";
    image.mount(request);
    std::string const text(300'000, 'x');
    // Of the contents nothing is copied.
    CHECK(::chmod((image / "srv/large").c_str(), 0600) == 0);
    REQUIRE(write_text(image / "srv/filler", text));
    {
        OpenFile const rest{image / "srv/rest", O_WRONLY | O_CREAT};
        std::string const page(4096, 'y');
        while (::write(rest.get(), page.data(), page.size()) > 0) {
        }
        CHECK(errno == ENOSPC);
    }
    {
        // The blocks around it have no room: the write fails, and the file is what it was.
        OpenFile const file{image / "srv/large", O_RDWR};
        CHECK(::pwrite(file.get(), "W", 1, 0) == -1);
        CHECK(errno == ENOSPC);
        CHECK((read_text(image / "srv/large") == large_text()));
        CHECK(::chmod((image / "srv/large").c_str(), 0640) == 0);
        CHECK(::truncate((image / "srv/large").c_str(), 10) == 0);
    }
    CHECK(read_text(image / "srv/large") == large_text().substr(0, 10));
    CHECK(read_text(image / "srv/filler") == text);
    REQUIRE(remove_for_room(image / "srv/filler", small, text.size()));
    CHECK(write_text(image / "srv/again", text));
    image.unmount();
    CHECK(::umount2(small.c_str(), MNT_DETACH) == 0);
}

TEST_CASE("on a full upper as much is written as there is room for", "[e2e][semantics]") {
    MountedImage image;
    std::string const small = image.temp() / "small";
    REQUIRE(::mkdir(small.c_str(), 0755) == 0);
    if (::mount("oblea-test", small.c_str(), "tmpfs", 0, "size=300k") != 0) {
        return;  // no right to mount
    }
    auto request = image.request();
    request.upper_dir = small + "/upper";
    image.mount(request);
    std::string const text = large_text();
    {
        OpenFile const file{image / "srv/written", O_RDWR | O_CREAT};
        ssize_t const count = ::pwrite(file.get(), text.data(), text.size(), 0);
        CAPTURE(count);
        CHECK(count > 0);
        CHECK(file.read(text.size()) ==
              text.substr(0, static_cast<std::size_t>(std::max<ssize_t>(count, 0))));
        CHECK(stat_of_path(image / "srv/written").st_size == count);
        CHECK(::pwrite(file.get(), text.data(), text.size(), count) == -1);
        CHECK(errno == ENOSPC);
        CHECK(stat_of_path(image / "srv/written").st_size == count);
    }
    REQUIRE(remove_for_room(image / "srv/written", small, 200'000));
    {
        OpenFile const source{image / "srv/large", O_RDONLY};
        OpenFile const file{image / "srv/copied", O_RDWR | O_CREAT};
        off_t from = 0;
        off_t to = 0;
        ssize_t const count =
            ::copy_file_range(source.get(), &from, file.get(), &to, text.size(), 0);
        CAPTURE(count);
        CHECK(count > 0);
        CHECK(file.read(text.size()) ==
              text.substr(0, static_cast<std::size_t>(std::max<ssize_t>(count, 0))));
        CHECK(stat_of_path(image / "srv/copied").st_size == count);
    }
    image.unmount();
    CHECK(::umount2(small.c_str(), MNT_DETACH) == 0);
}
