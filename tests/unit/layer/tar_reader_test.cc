// SPDX-License-Identifier: MIT
// What no writer at hand produces, block by block.
#include "store/layer/tar_reader.h"

#include "tests/support/catch.h"
#include "tests/unit/layer/layer_store.h"
#include "tests/unit/layer/tar_builder.h"

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
using Kind = LayerEntry::Kind;
using Checksum = TarFields::Checksum;

namespace {

std::vector<ReadMember> members_of(std::string const& tar) {
    auto members = read_tar(tar, 700);
    REQUIRE((members.has_value() ? "" : members.error().message()) == "");
    return std::move(*members);
}

LayerEntry only(std::string const& tar) {
    auto members = members_of(tar);
    REQUIRE(members.size() == 1);
    return std::move(members[0].member.entry);
}

std::string error_of(std::string const& tar) {
    auto const members = read_tar(tar, 700);
    REQUIRE_FALSE(members.has_value());
    return members.error().message();
}

}  // namespace

TEST_CASE("every byte of a tar is content or literal, in order", "[layer][tar_reader]") {
    std::string const tar =
        TarBuilder{}.folder("d").file("d/f", "text").pax({{"path", "g"}}).file("x", "more").end() +
        "trailing bytes";
    StepSource source{tar, 100};
    base::BufferedChunks chunks{source};
    LiteralText all;
    TarReader reader{chunks, all};
    while (reader.next().value().has_value()) {
        for (;;) {
            auto const piece = reader.content().value();
            if (piece.empty()) {
                break;
            }
            REQUIRE(all.literal(piece).has_value());
        }
    }
    CHECK(all.text == tar);
    CHECK(reader.offset() == tar.size());
}

TEST_CASE("numbers may be octal or binary, negative too", "[layer][tar_reader]") {
    TarFields fields{.name = "f"};
    fields.uid = base256(-2, 8);
    fields.gid = base256(4'000'000'000, 8);
    fields.mtime = base256(-1'000'000'000'000, 12);
    LayerEntry const entry = only(TarBuilder{}.member(fields).end());
    CHECK(entry.attr.uid == 4'294'967'294);
    CHECK(entry.attr.gid == 4'000'000'000);
    CHECK(entry.attr.mtime == Timestamp{-1'000'000'000'000, 0});

    auto const number = [](std::string_view field) {
        return parse_tar_number(base::bytes_of(field));
    };
    CHECK(number("  644 \0").value() == 0644);
    CHECK(number({"\0\0\0\0\0\0\0\0", 8}).value() == 0);
    CHECK(number("        ").value() == 0);
    CHECK(number({"644\0junk", 8}).value() == 0644);
    CHECK(number("777777777777").value() == 0777777777777);
    CHECK(number(base256(std::int64_t{1} << 40U, 12)).value() == std::int64_t{1} << 40U);
    CHECK(number(base256(-1, 12)).value() == -1);
    CHECK_FALSE(number("64 4").has_value());
    CHECK_FALSE(number("648").has_value());
    CHECK_FALSE(number("-1").has_value());
    CHECK_FALSE(number(std::string{"\x80\x01"} + std::string(10, '\0')).has_value());
    CHECK_FALSE(number(std::string{"\xbf"} + std::string(11, '\xff')).has_value());
}

TEST_CASE("times of pax are exact, before 1970 too", "[layer][pax]") {
    auto const [text, seconds, nanoseconds] =
        GENERATE(table<std::string, std::int64_t, std::uint32_t>({
            {"0", 0, 0},
            {"1.5", 1, 500'000'000},
            {"1.", 1, 0},
            {"-1", -1, 0},
            {"-1.5", -2, 500'000'000},
            {"-0.25", -1, 750'000'000},
            {"1.0000000019", 1, 1},
            {"12345678901.123456789123", 12'345'678'901, 123'456'789},
        }));
    CAPTURE(text);
    CHECK(parse_pax_time(text).value() == Timestamp{seconds, nanoseconds});
    for (char const* const wrong :
         {"", "x", "1,5", "1.5x", "1.-5", "--1", " 1", "99999999999999999999"}) {
        CHECK_FALSE(parse_pax_time(wrong).has_value());
    }
}

TEST_CASE("pax records replace what the header says", "[layer][pax]") {
    std::string const text(600, 't');
    auto const members = members_of(TarBuilder{}
                                        .pax({{"path", "./" + std::string(200, 'n')},
                                              {"size", "600"},
                                              {"uid", "3000000000"},
                                              {"gid", "70000"},
                                              {"mtime", "1.25"},
                                              {"comment", "a=b"}})
                                        .member({.name = "short", .size = "00000000000"}, text)
                                        .pax({{"linkpath", "t/with=sign"}})
                                        .soft_link("soft", "other")
                                        .file("plain", "x")
                                        .end());
    REQUIRE(members.size() == 3);
    InodeAttr const& attr = members[0].member.entry.attr;
    CHECK(members[0].member.entry.path.string() == std::string(200, 'n'));
    CHECK(members[0].content == text);
    CHECK(attr.uid == 3'000'000'000);
    CHECK(attr.gid == 70'000);
    CHECK(attr.mtime == Timestamp{1, 250'000'000});
    CHECK(members[1].member.entry.symlink_target == "t/with=sign");
    CHECK(members[2].member.entry.path.string() == "plain");
    CHECK(members[2].member.entry.attr.uid == 0);
}

TEST_CASE("extended attributes come from both kinds of records", "[layer][pax]") {
    LayerEntry const entry =
        only(TarBuilder{}
                 .pax({{"LIBARCHIVE.xattr.user.e%25n%3D", "AP8gYQ"},
                       {"LIBARCHIVE.xattr.user.a", "d3Jvbmc="},
                       {"SCHILY.xattr.user.a", "right"},
                       {"SCHILY.xattr.user.z", ""},
                       {"SCHILY.xattr.trusted.overlay.opaque", "y"},
                       {"SCHILY.xattr.security.capability", std::string{"\x01\0\n=\x02", 5}}})
                 .file("f", "")
                 .end());
    Xattrs const expected{{"security.capability", std::string{"\x01\0\n=\x02", 5}},
                          {"trusted.overlay.opaque", "y"},
                          {"user.a", "right"},
                          {"user.e%n=", std::string{"\0\xff a", 4}},
                          {"user.z", ""}};
    CHECK(entry.xattrs == expected);
}

TEST_CASE("malformed pax headers are refused", "[layer][pax]") {
    std::string const record = GENERATE(
        as<std::string>{}, "x", "5", "6 a=b", "5 a=b\n", "99 a=b\n", "6 a:b\n", "6 =bc\n",
        "-6 a=b\n", TarBuilder::pax_record("size", "-1"), TarBuilder::pax_record("size", "1x"),
        TarBuilder::pax_record("uid", "root"), TarBuilder::pax_record("mtime", "now"),
        TarBuilder::pax_record("path", std::string{"a\0b", 3}),
        TarBuilder::pax_record("SCHILY.xattr.", "x"),
        TarBuilder::pax_record("SCHILY.xattr.user." + std::string(300, 'n'), "x"),
        TarBuilder::pax_record("SCHILY.xattr.user.v", std::string(70000, 'v')),
        TarBuilder::pax_record("LIBARCHIVE.xattr.user.v", "*"),
        TarBuilder::pax_record("LIBARCHIVE.xattr.user.%4", "YQ"),
        TarBuilder::pax_record("GNU.sparse.numbytes", "1"),
        TarBuilder::pax_record("GNU.sparse.map", "1"));
    CAPTURE(record.substr(0, 60));
    std::string const message = error_of(TarBuilder{}
                                             .file("first", "")
                                             .member({.name = "p", .type = 'x'}, record)
                                             .file("f", "")
                                             .end());
    CHECK_THAT(message, Catch::Matchers::Contains("byte 512 of the tar"));
}

TEST_CASE("GNU long names count for the member that follows", "[layer][tar_reader]") {
    std::string const name = std::string(200, 'n') + "/" + std::string(200, 'm');
    std::string const target = std::string(200, 't') + "/t";
    auto const members = members_of(TarBuilder{}
                                        .gnu_long('K', target)
                                        .gnu_long('L', name)
                                        .soft_link("cut", "cut")
                                        .file("next", "")
                                        .end());
    REQUIRE(members.size() == 2);
    CHECK(members[0].member.entry.path.string() == name);
    CHECK(members[0].member.entry.symlink_target == target);
    CHECK(members[1].member.entry.path.string() == "next");
}

TEST_CASE("headers of all ages are read", "[layer][tar_reader]") {
    std::string const gnu_magic{"ustar  \0", 8};
    SECTION("ustar joins prefix and name") {
        CHECK(only(TarBuilder{}.member({.name = "n", .prefix = "a/b"}).end()).path.string() ==
              "a/b/n");
    }
    SECTION("GNU has times where ustar has the prefix") {
        std::string const times = "00000000001\0"
                                  "00000000002";
        CHECK(only(TarBuilder{}
                       .member({.name = "n",
                                .magic = gnu_magic,
                                .tail = std::string{"00000000001\0", 12} + "00000000002"})
                       .end())
                  .path.string() == "n");
    }
    SECTION("old Go wrote prefixes under the magic of GNU") {
        CHECK(only(TarBuilder{}
                       .member({.name = "n", .magic = gnu_magic, .prefix = "usr/share/go"})
                       .end())
                  .path.string() == "usr/share/go/n");
    }
    SECTION("star has a shorter prefix") {
        std::string tail(167, '\0');
        tail.replace(0, 100, std::string(100, 'p'));
        tail.replace(131, 11, "00000000001");
        tail.replace(163, 4, std::string{"tar\0", 4});
        CHECK(only(TarBuilder{}.member({.name = "n", .tail = tail}).end()).path.string() ==
              std::string(100, 'p') + "/n");
    }
    SECTION("v7 knows folders by their names") {
        CHECK(
            only(TarBuilder{}.member({.name = "d/", .type = '\0', .magic = ""}).end()).attr.type ==
            FileType::directory);
    }
    SECTION("checksums of signed characters") {
        CHECK(
            only(TarBuilder{}.member({.name = "\xe9t\xe9", .checksum = Checksum::as_signed}).end())
                .path.string() == "\xe9t\xe9");
    }
    SECTION("types '7' and unknown ones are files") {
        CHECK(only(TarBuilder{}.member({.name = "f", .type = '7'}, "x").end()).attr.type ==
              FileType::regular);
        CHECK(only(TarBuilder{}.member({.name = "f", .type = 'Q'}, "x").end()).attr.size == 1);
    }
}

TEST_CASE("only what can have contents has any", "[layer][tar_reader]") {
    TarBuilder tar;
    for (char const type : {'1', '2', '3', '4', '5', '6'}) {
        tar.member({.name = "m", .type = type, .link_name = "t", .size = "00000001000"});
    }
    CHECK(members_of(tar.file("last", "x").end()).size() == 7);
    SECTION("hard links of pax archives do") {
        auto const members =
            members_of(TarBuilder{}
                           .pax({{"path", "link"}})
                           .member({.name = "l", .type = '1', .link_name = "f"}, "data")
                           .file("after", "x")
                           .end());
        REQUIRE(members.size() == 2);
        CHECK(members[0].member.entry.kind == Kind::hard_link);
        CHECK(members[1].content == "x");
    }
}

TEST_CASE("names lose what leads outside, and the root is the empty path", "[layer][tar_reader]") {
    auto const members = members_of(
        TarBuilder{}.folder("./").folder("/").file("//a/./b", "").hard_link("/c", "/a/b").end());
    REQUIRE(members.size() == 4);
    CHECK(members[0].member.entry.path.is_root());
    CHECK(members[1].member.entry.path.is_root());
    CHECK(members[2].member.entry.path.string() == "a/b");
    CHECK(members[3].member.entry.target_path.string() == "a/b");
}

TEST_CASE("whiteouts are known by name, and aufs' leftovers are passed over",
          "[layer][tar_reader]") {
    auto const members = members_of(TarBuilder{}
                                        .file("d/.wh.gone", "even with text")
                                        .soft_link(".wh.too", "x")
                                        .pax({{"path", ".wh..wh.plnk/1"}})
                                        .file("p", "left over")
                                        .file(".wh..wh.aufs", "")
                                        .file("d/.wh..wh..opq", "")
                                        .file("f", "text")
                                        .end());
    REQUIRE(members.size() == 4);
    CHECK(members[0].member.entry.kind == Kind::whiteout);
    CHECK(members[0].member.entry.path.string() == "d/gone");
    CHECK(members[1].member.entry.path.string() == "too");
    CHECK(members[2].member.entry.kind == Kind::opaque);
    CHECK(members[3].member.entry.path.string() == "f");
    CHECK(members[3].content == "text");
}

TEST_CASE("global headers and labels say nothing of members", "[layer][tar_reader]") {
    LayerEntry const entry = only(TarBuilder{}
                                      .pax({{"uid", "7"}, {"comment", "commit"}}, 'g')
                                      .member({.name = "label", .type = 'V'})
                                      .file("f", "")
                                      .end());
    CHECK(entry.attr.uid == 0);
    CHECK(entry.path.string() == "f");
}

TEST_CASE("a tar ends with two zero blocks, or with the stream", "[layer][tar_reader]") {
    TarBuilder const one = TarBuilder{}.file("a", "x");
    CHECK(members_of(one.bytes()).size() == 1);
    CHECK(members_of(one.bytes() + std::string(512, '\0')).size() == 1);
    CHECK(members_of(one.end() + one.end()).size() == 1);
    CHECK(members_of("").empty());
    CHECK_THAT(error_of(one.bytes() + std::string(512, '\0') + one.end()),
               Catch::Matchers::Contains("lone zero block"));
}

TEST_CASE("a tar may end inside of the padding, but not inside of contents",
          "[layer][tar_reader]") {
    // As umoci insert writes it, and Go's archive/tar, so docker and podman, read it.
    std::string const whole = TarBuilder{}.file("a", "x").file("b", "text").bytes();
    std::size_t const padding = 512 - 4;
    for (std::size_t const cut : {std::size_t{1}, padding - 1, padding}) {
        CAPTURE(cut);
        CHECK(members_of(whole.substr(0, whole.size() - cut)).size() == 2);
    }
    CHECK_THAT(error_of(whole.substr(0, whole.size() - padding - 1)),
               Catch::Matchers::Contains("before the end of its contents"));
}

TEST_CASE("maps of sparse files must fit the file", "[layer][sparse]") {
    using Pieces = std::vector<SparsePiece>;
    CHECK(plan_extents(Pieces{{0, 5}, {5, 3}, {8, 0}}, 8, 8)->empty());
    CHECK(plan_extents(Pieces{}, 100, 0)->empty());
    CHECK(plan_extents(Pieces{{2, 2}, {4, 1}, {9, 1}, {10, 0}}, 10, 4).value() ==
          std::vector<Extent>{{2, 0, 3}, {9, 3, 1}});
    for (Pieces const& wrong : {Pieces{{5, 1}, {4, 1}}, Pieces{{0, 3}, {2, 3}}, Pieces{{8, 3}},
                                Pieces{{~std::uint64_t{0}, 2}}, Pieces{{0, 1}}}) {
        CHECK_FALSE(plan_extents(wrong, 10, 2).has_value());
    }
}
