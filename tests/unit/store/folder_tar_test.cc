// SPDX-License-Identifier: MIT
#include "store/image/folder_tar.h"

#include "store/image/archive_reader.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/image_builder.h"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <map>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
namespace sys = oblea::base::sys;

namespace {

std::string tar_of_folder(std::string const& folder, std::optional<std::int64_t> latest = {}) {
    FolderTar tar{value_of(sys::open(folder, O_RDONLY | O_DIRECTORY)), {.latest = latest}};
    std::string text;
    base::Bytes buffer(10'000);
    for (;;) {
        std::size_t const count = value_of(tar.read(buffer));
        if (count == 0) {
            return text;
        }
        text += base::text_of(buffer).substr(0, count);
    }
}

struct Seen {
    ArchiveEntry entry;
    std::string content;
};

// As libarchive sees it.
std::map<std::string, Seen> read_back(std::string const& tar) {
    base::MemorySource source{base::bytes_of(tar)};
    auto archive = value_of(ArchiveReader::open(source, ArchiveReader::Format::tar));
    std::map<std::string, Seen> seen;
    while (auto entry = value_of(archive.next())) {
        ArchiveEntrySource content{archive};
        base::Bytes bytes(4 << 20);
        std::size_t const count = value_of(base::read_full(content, bytes));
        std::string const path = entry->path;
        seen[path] = {*std::move(entry), std::string{base::text_of(bytes).substr(0, count)}};
    }
    return seen;
}

void set_times(std::string const& path, std::int64_t seconds, long nanoseconds) {
    struct timespec const times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
    value_of(sys::utimensat(AT_FDCWD, path.c_str(), times));
}

}  // namespace

TEST_CASE("a folder becomes the same tar twice, and libarchive reads it back", "[store][rootfs]") {
    TempDir dir;
    std::string const root = dir / "root";
    std::string const deep = std::string(120, 'd') + "/" + std::string(100, 'e');
    write_folder(root, {{"b", "text"}, {"a/file", std::string(1000, 'x')}, {deep + "/x", "deep"}});
    value_of(sys::symlinkat(std::string(150, 't'), AT_FDCWD, (root + "/link").c_str()));
    value_of(sys::linkat(AT_FDCWD, (root + "/a/file").c_str(), AT_FDCWD, (root + "/hard").c_str()));
    value_of(sys::mknodat(AT_FDCWD, (root + "/fifo").c_str(), S_IFIFO | 0600, 0));
    value_of(sys::fchmodat(AT_FDCWD, (root + "/b").c_str(), 04711));
    set_times(root + "/b", -5, 250'000'000);
    set_times(root + "/a", 1'000, 0);
    bool const has_xattr = [&] {
        auto const fd = value_of(sys::open(root + "/b", O_RDONLY));
        return sys::fsetxattr(fd.get(), "user.key", std::string_view{"v\0w", 3}).has_value();
    }();
    std::string const tar = tar_of_folder(root);
    CHECK(tar == tar_of_folder(root));
    CHECK(tar.size() % 512 == 0);

    auto const seen = read_back(tar);
    CHECK(seen.size() == 10);
    CHECK(seen.contains("./"));
    CHECK(seen.at("b").content == "text");
    CHECK(seen.at("b").entry.permissions == 04711);
    CHECK(tar.contains("mtime=-4.75\n"));  // which libarchive takes for another time
    CHECK(seen.at("a/").entry.mtime == Timestamp{1'000, 0});
    CHECK(seen.at("a/file").content == std::string(1000, 'x'));
    CHECK(seen.at("hard").entry.hard_link_target == "a/file");
    CHECK(seen.at(deep + "/x").content == "deep");
    CHECK(seen.at("link").entry.symlink_target == std::string(150, 't'));
    CHECK(seen.at("fifo").entry.type == FileType::fifo);
    if (has_xattr) {
        CHECK(seen.at("b").entry.xattrs ==
              Xattrs{{"user.key", std::string{std::string_view{"v\0w", 3}}}});
    }
    SECTION("later times are brought back to the epoch") {
        auto const clamped = read_back(tar_of_folder(root, 500));
        CHECK(clamped.at("a/").entry.mtime == Timestamp{500, 0});
    }
}

TEST_CASE("holes of a file are kept as holes", "[store][rootfs]") {
    TempDir dir;
    value_of(sys::mkdir_all(dir / "root", 0755));
    auto const fd = value_of(sys::open(dir / "root/sparse", O_RDWR | O_CREAT));
    std::string const data(4096, 'x');
    value_of(sys::pwrite_all(fd.get(), base::bytes_of(data), 1 << 20));
    value_of(sys::ftruncate(fd.get(), 3 << 20));
    std::string const tar = tar_of_folder(dir / "root");
    auto const seen = read_back(tar);
    auto const& sparse = seen.at("sparse");
    CHECK(sparse.content ==
          std::string(1 << 20, '\0') + data + std::string((2 << 20) - data.size(), '\0'));
    if (value_of(sys::fstat(fd.get())).st_blocks < 100) {
        CHECK(tar.size() < 100'000);
    }
}

TEST_CASE("devices and owners are those of the folder", "[store][rootfs]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root makes devices");
        return;
    }
    TempDir dir;
    value_of(sys::mkdir_all(dir / "root", 0755));
    value_of(sys::mknodat(AT_FDCWD, (dir / "root/null").c_str(), S_IFCHR | 0666, makedev(1, 3)));
    value_of(sys::fchownat(AT_FDCWD, (dir / "root/null").c_str(), 3'000'000, 5));
    auto const seen = read_back(tar_of_folder(dir / "root"));
    CHECK(seen.at("null").entry.device == DeviceNumber{1, 3});
    CHECK(seen.at("null").entry.uid == 3'000'000);
    CHECK(seen.at("null").entry.gid == 5);
}
