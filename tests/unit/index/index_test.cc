// SPDX-License-Identifier: MIT
#include "store/index/index.h"

#include "store/base/sigbus_guard.h"
#include "store/index/format.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/index/sample_trees.h"

namespace {

using namespace oblea;
using namespace oblea::test;
using base::sys::Sync;
using store::Index;
using store::InodeNo;
using store::format::Header;

base::UniqueFd file_of(TempDir const& folder, base::ByteView bytes) {
    std::string const name = folder / "index";
    value_of(base::sys::replace_file(AT_FDCWD, name.c_str(), base::text_of(bytes), 0600, Sync::no));
    return value_of(base::sys::open(name, O_RDWR));
}

TEST_CASE("an index file is opened in place", "[index][open]") {
    TempDir const folder;
    base::Bytes const bytes = sample_lower();
    Index const index = value_of(Index::open(file_of(folder, bytes), "the index"));
    value_of(index.check());
    CHECK(index.kind() == store::IndexKind::layer);
    CHECK(index.file_bytes() == bytes.size());
    CHECK(std::equal(bytes.begin(), bytes.end(), index.bytes().begin(), index.bytes().end()));
    CHECK(value_of(index.layer(store::LayerPos::bottom)) == diff_id("sample lower"));
    CHECK(index.layer(store::LayerPos{1}).error().code == Errno::einval);
}

TEST_CASE("what is no index is refused with its name", "[index][open]") {
    TempDir const folder;
    auto const open = [&](base::ByteView bytes) {
        auto const index = Index::open(file_of(folder, bytes), "layers/x/index");
        REQUIRE_FALSE(index.has_value());
        return index.error();
    };
    base::Bytes const whole = sample_lower();
    CHECK(open({}).message() == "layers/x/index: not an index");
    CHECK(open(base::bytes_of("#!/bin/sh")).code == Errno::euclean);
    CHECK(open(base::Bytes(4096)).message() == "layers/x/index: not an index");
    CHECK(open(base::ByteView{whole}.first(sizeof(Header) - 1)).code == Errno::euclean);
    Error const cut = open(base::ByteView{whole}.first(whole.size() - 1));
    CHECK(cut.code == Errno::euclean);
    CHECK_THAT(cut.message(), Catch::Matchers::Contains("bytes instead of"));
    auto directory = value_of(base::sys::open(folder.path(), O_RDONLY | O_DIRECTORY));
    CHECK(Index::open(std::move(directory), "x").error().code == Errno::euclean);
    CHECK(Index::open(base::UniqueFd{}, "x").error().code == Errno::ebadf);

    auto const changed_field = [&](std::size_t offset, auto value) {
        base::Bytes changed = whole;
        base::store_le(&changed[offset], value);
        auto const head = base::ByteView{changed}.first(offsetof(Header, header_check));
        base::store_le(&changed[offsetof(Header, header_check)], base::xxh3_64(head));
        return open(changed);
    };
    Error const version = changed_field(offsetof(Header, version), std::uint32_t{2});
    CHECK(version.code == Errno::eopnotsupp);
    CHECK_THAT(version.message(),
               Catch::Matchers::Contains("version 2; this program reads version 1"));
    CHECK(changed_field(offsetof(Header, required_features), std::uint64_t{1}).code ==
          Errno::eopnotsupp);
    CHECK(changed_field(offsetof(Header, kind), std::uint32_t{3}).code == Errno::euclean);
    CHECK(changed_field(offsetof(Header, inode_count), std::uint32_t{0}).code == Errno::euclean);
    CHECK(changed_field(offsetof(Header, file_bytes), std::uint64_t{1}).code == Errno::euclean);
    CHECK(changed_field(offsetof(Header, sections) + 8, std::uint64_t{1} << 63U).code ==
          Errno::euclean);
    CHECK(changed_field(offsetof(Header, sections) + 16, UINT64_MAX).code == Errno::euclean);
}

TEST_CASE("an optional feature that nobody knows does not matter", "[index][open]") {
    base::Bytes bytes = sample_lower();
    base::store_le(&bytes[offsetof(Header, optional_features)], std::uint64_t{1} << 63U);
    auto const head = base::ByteView{bytes}.first(offsetof(Header, header_check));
    base::store_le(&bytes[offsetof(Header, header_check)], base::xxh3_64(head));
    value_of(value_of(Index::from_bytes(std::move(bytes), "x")).check());
}

TEST_CASE("entries are found by name and by path", "[index]") {
    Index const index = open_index(sample_lower());
    auto const bin = value_of(index.lookup(InodeNo::root, "bin"));
    REQUIRE(bin.has_value());
    CHECK(bin->type == store::FileType::directory);
    auto const shell = value_of(index.lookup(bin->ino, "sh"));
    REQUIRE(shell.has_value());
    CHECK(shell->name == "sh");
    CHECK(shell->type == store::FileType::regular);
    CHECK(value_of(index.lookup(bin->ino, "bash"))->ino == shell->ino);
    CHECK(value_of(index.resolve(path("bin/sh"))) == shell->ino);
    CHECK(value_of(index.resolve(path(""))) == InodeNo::root);
    CHECK(value_of(index.parent(bin->ino)) == InodeNo::root);
    CHECK(value_of(index.parent(InodeNo::root)) == InodeNo::root);

    for (std::string const& name : {std::string("s"), std::string("shh"), std::string(),
                                    std::string(".."), std::string("bin/sh"), std::string(255, 'x'),
                                    std::string(256, 'x'), std::string(100'000, 'x')}) {
        CAPTURE(name);
        CHECK(value_of(index.lookup(bin->ino, name)) == std::nullopt);
    }
    for (char const* at : {"bin/x", "x/y", "bin/sh/x", "lib/libc.so", "lib/x"}) {
        CAPTURE(at);
        CHECK(value_of(index.resolve(path(at))) == std::nullopt);
    }
    Index const upper = open_index(sample_upper());
    for (char const* at : {"home", "bin/dash", "home/user"}) {
        CAPTURE(at);
        CHECK(value_of(upper.resolve(path(at))) == std::nullopt);
    }
}

TEST_CASE("attributes are what the members had", "[index]") {
    Index const index = open_index(sample_lower());
    auto const ino = [&](std::string_view at) { return value_of(index.resolve(path(at))).value(); };
    auto const attr = [&](std::string_view at) { return value_of(index.attr(ino(at))); };
    CHECK(attr("bin/sh").permissions == 0755);
    CHECK(attr("bin/sh").nlink == 2);
    CHECK(attr("bin/sh").size == 7);
    CHECK(attr("bin/sh").mtime == store::Timestamp{1'600'000'000, 123'456'789});
    CHECK(attr("home/user/\xff\xfe old").mtime == store::Timestamp{-1, 999'999'999});
    CHECK(attr("home/user").uid == 1000);
    CHECK(attr("home/user").gid == 4'000'000'000);
    CHECK(attr("dev/sda").device == store::DeviceNumber{8, 1048575});
    CHECK(attr("lib").size == 7);
    CHECK(attr("").permissions == 0711);
    CHECK(attr("").nlink == 9);
    CHECK(value_of(index.symlink_target(ino("lib"))) == "usr/lib");
    CHECK(value_of(index.is_implicit(ino("dev"))));
    CHECK_FALSE(value_of(index.is_implicit(ino("usr"))));
    CHECK(value_of(index.xattr_names(ino("bin/ping"))) ==
          std::vector<std::string_view>{"security.capability", "user.note"});
    CHECK(value_of(index.xattr(ino("bin/ping"), "user.note")) == "");
    CHECK(value_of(index.xattr(ino("bin/ping"), "user.none")) == std::nullopt);
    CHECK(value_of(index.has_xattrs(ino("bin/ping"))));
    CHECK_FALSE(value_of(index.has_xattrs(ino("bin/sh"))));
    CHECK(value_of(index.find_origin({store::LayerPos::bottom, ino("bin")})) == ino("bin"));
    CHECK(value_of(index.find_origin({store::LayerPos{1}, ino("bin")})) == std::nullopt);
}

TEST_CASE("questions that make no sense are refused", "[index]") {
    Index const index = open_index(sample_lower());
    InodeNo const shell = *value_of(index.resolve(path("bin/sh")));
    InodeNo const beyond{index.inode_count() + 1};
    CHECK(index.lookup(shell, "x").error().code == Errno::enotdir);
    CHECK(index.entry_count(shell).error().code == Errno::enotdir);
    CHECK(index.entry(shell, 0).error().code == Errno::enotdir);
    CHECK(index.parent(shell).error().code == Errno::enotdir);
    CHECK(index.is_opaque(shell).error().code == Errno::enotdir);
    CHECK(index.entry(InodeNo::root, 1000).error().code == Errno::einval);
    CHECK(index.symlink_target(shell).error().code == Errno::einval);
    CHECK(index.content(InodeNo::root).error().code == Errno::einval);
    for (InodeNo const none : {InodeNo::none, beyond}) {
        CHECK(index.attr(none).error().code == Errno::einval);
        CHECK(index.lookup(none, "x").error().code == Errno::einval);
        CHECK(index.xattr_names(none).error().code == Errno::einval);
        CHECK(index.origin(none).error().code == Errno::einval);
    }
}

TEST_CASE("a large folder is searched by hash", "[index]") {
    std::vector<LayerEntry> members;
    for (int i = 0; i < 20'000; ++i) {
        members.push_back(file("d/" + std::to_string(i), ""));
    }
    Index const index = layer(std::move(members));
    InodeNo const folder = *value_of(index.resolve(path("d")));
    CHECK(value_of(index.entry_count(folder)) == 20'000);
    std::size_t found = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string const name = std::to_string(i);
        auto const entry = value_of(index.lookup(folder, name));
        found += entry.has_value() && entry->name == name ? 1U : 0U;
    }
    CHECK(found == 20'000);
}

TEST_CASE("an index that shrinks under a guard gives EIO", "[index]") {
    TempDir const folder;
    std::vector<LayerEntry> members;
    for (int i = 0; i < 1000; ++i) {
        members.push_back(file(std::to_string(i), "x"));
    }
    base::Bytes const bytes = layer_bytes(std::move(members));
    base::UniqueFd file = file_of(folder, bytes);
    base::UniqueFd const again = value_of(base::sys::open(folder / "index", O_RDWR));
    Index const index = value_of(Index::open(std::move(file), "x"));
    value_of(base::sys::ftruncate(again.get(), 4096));
    auto const found =
        base::read_guarded(index.bytes(), [&] { return index.lookup(InodeNo::root, "999"); });
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Errno::eio);
}

}  // namespace
