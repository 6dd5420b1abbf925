// SPDX-License-Identifier: MIT
#include "fs/lower/folder_marks.h"
#include "fs/lower/folder_merge.h"
#include "tests/support/catch.h"

namespace oblea::test {

using namespace fs;
using Kind = LayerEntryRead::Kind;
using Names = std::vector<std::string>;

TEST_CASE("names of layers are entries, whiteouts, or marks", "[fs][lower]") {
    CHECK(classify_name("x").kind == LayerName::Kind::entry);
    CHECK(classify_name(".wh").kind == LayerName::Kind::entry);
    CHECK(classify_name(".wh.x").kind == LayerName::Kind::whiteout);
    CHECK(classify_name(".wh.x").name == "x");
    CHECK(classify_name(".wh..x").name == ".x");
    CHECK(classify_name(".wh..wh..opq").kind == LayerName::Kind::opaque);
    CHECK(classify_name(".wh..wh.plnk").kind == LayerName::Kind::foreign);
    for (char const* nothing : {".wh.", ".wh..", ".wh...", ".wh..opq"}) {
        CAPTURE(nothing);
        CHECK(classify_name(nothing).kind == LayerName::Kind::foreign);
    }
}

TEST_CASE("an overlay's own attributes are hidden, and those of a nested one shown",
          "[fs][lower]") {
    CHECK(shown_layer_xattr("user.mine") == "user.mine");
    CHECK(shown_layer_xattr("trusted.overlay.opaque") == std::nullopt);
    CHECK(shown_layer_xattr("trusted.overlay.overlay.opaque") == "trusted.overlay.opaque");
    CHECK(shown_layer_xattr("user.fuseoverlayfs.origin") == std::nullopt);
    CHECK(shown_layer_xattr("user.overlay.oblea.format") == std::nullopt);
    for (char const* shown : {"user.mine", "trusted.overlay.opaque", "user.overlay.x"}) {
        CAPTURE(shown);
        CHECK(shown_layer_xattr(stored_layer_xattr(shown)) == shown);
    }
}

TEST_CASE("redirects lead to a path in the layer, and never out of it", "[fs][lower]") {
    CHECK(redirected_path("a/b", "c") == "a/b/c");
    CHECK(redirected_path("", "c") == "c");
    CHECK(redirected_path("a", "/x/y") == "x/y");
    for (char const* bad : {"", "/", "..", "a/b", "/a/../b", "."}) {
        CAPTURE(bad);
        CHECK(redirected_path("a", bad) == std::nullopt);
    }
}

TEST_CASE("recorded owners and modes are read and written", "[fs][lower]") {
    CHECK(parse_override_stat("1:2:0755") == OverrideStat{.uid = 1, .gid = 2, .permissions = 0755});
    CHECK(parse_override_stat("1:2:100644") ==
          OverrideStat{.uid = 1, .gid = 2, .permissions = 0644});
    OverrideStat const device{
        .uid = 0, .gid = 5, .permissions = 0620, .type = FileType::char_device, .device = {4, 64}};
    CHECK(parse_override_stat("0:5:0620:char-4-64") == device);
    CHECK(encode_override_stat(device) == "0:5:0620:char-4-64");
    CHECK(encode_override_stat({.uid = 7, .gid = 8, .permissions = 04711}) == "7:8:4711");
    for (char const* bad : {"", "1:2", "1:2:9", "a:2:0755", "1:2:0755:char", "1:2:0755:what",
                            "1:2:0755:char-1-x", "1:2:3:file:x", "-1:2:0755"}) {
        CAPTURE(bad);
        CHECK(parse_override_stat(bad) == std::nullopt);
    }
}

namespace {

// Each as NAME (LAYERS...).
Names described(FolderMerge merge) {
    Names names;
    for (MergedLayerEntry const& entry : std::move(merge).finish()) {
        std::string text = entry.name + (entry.type == FileType::directory ? "/" : "");
        for (auto const layer : entry.layers) {
            text += ' ' + std::to_string(layer);
        }
        names.push_back(text);
    }
    return names;
}

LayerEntryRead file_entry(char const* name) {
    return {.name = name};
}
LayerEntryRead folder_entry(char const* name) {
    return {.name = name, .type = FileType::directory};
}
LayerEntryRead whiteout_entry(char const* name) {
    return {.name = name, .kind = Kind::whiteout};
}

}  // namespace

TEST_CASE("folders merge down to the first layer with something else", "[fs][lower]") {
    FolderMerge merge;
    merge.add(4, {folder_entry("d"), file_entry("f"), folder_entry("w")});
    merge.add(3, {folder_entry("d"), folder_entry("f"), whiteout_entry("w"), folder_entry("w")});
    merge.add(2, {file_entry("d"), folder_entry("w")});
    merge.add(1, {folder_entry("d"), file_entry("below")});
    // The whiteout stands beside a folder of its name: it hides what is below both.
    CHECK(described(std::move(merge)) == Names{"below 1", "d/ 4 3", "f 4", "w/ 4 3"});
}

TEST_CASE("a whiteout hides a name in the layers below its own", "[fs][lower]") {
    FolderMerge merge;
    merge.add(2, {whiteout_entry("gone"), whiteout_entry("again"), file_entry("again")});
    merge.add(1, {file_entry("gone"), file_entry("again"), file_entry("other")});
    CHECK(described(std::move(merge)) == Names{"again 2", "other 1"});
}

}  // namespace oblea::test
