// SPDX-License-Identifier: MIT
// Two layers that together have everything that an index can hold. The golden files are made of
// them: never change what they give.
#pragma once
#include "tests/support/tree_builder.h"

namespace oblea::test {

inline base::Bytes sample_lower() {
    LayerEntry sparse = file("var/sparse", "twenty bytes of data");
    sparse.attr.size = 1U << 20U;
    sparse.content.extents = {{4096, 0, 12}, {65536, 12, 8}};
    LayerEntry hole = file("var/hole", "");
    hole.attr.size = std::uint64_t{1} << 40U;
    LayerEntry sparse_object = object_file("var/sparse-object", "an object with two pieces");
    sparse_object.attr.size = 1000;
    sparse_object.content.extents = {{0, 5, 10}, {500, 0, 20}};
    store::LayerTree tree;
    std::vector<LayerEntry> entries = {
        dir("./", 0711),
        dir("bin"),
        with_mtime(file("bin/sh", "#!shell", 0755), 1'600'000'000, 123'456'789),
        hard_link("bin/bash", "bin/sh"),
        with_xattrs(file("bin/ping", "ping", 04755),
                    {{"security.capability", std::string("\1\0\0\2", 4)}, {"user.note", ""}}),
        with_xattrs(file("bin/ping6", "ping6", 0755),
                    {{"security.capability", std::string("\1\0\0\2", 4)}, {"user.note", ""}}),
        soft_link("lib", "usr/lib"),
        dir("usr"),
        object_file("usr/lib/libc.so", "a large library"),
        object_file("usr/lib/libm.so", "another large library"),
        with_xattrs(with_owner(dir("home/user", 0700), 1000, 4'000'000'000),
                    {{"user.deep", std::string(300, 'v')}}),
        with_mtime(file("home/user/\xff\xfe old", "1", 0600), -1, 999'999'999),
        device("dev/null", store::FileType::char_device, {1, 3}),
        device("dev/sda", store::FileType::block_device, {8, 1048575}),
        device("run/fifo", store::FileType::fifo, {}),
        device("run/socket", store::FileType::socket, {}),
        dir("tmp", 01777),
        sparse,
        hole,
        sparse_object,
        file("var/cache/a", "a"),
        file("var/cache/b", "bb"),
    };
    for (LayerEntry& entry : entries) {
        value_of(tree.add(std::move(entry)));
    }
    return value_of(tree.finish(diff_id("sample lower"), {diff_id("an unnamed object")}));
}

inline base::Bytes sample_upper() {
    return layer_bytes(
        {
            whiteout("bin/ping6"),
            hard_link("bin/dash", "bin/sh"),
            dir("lib"),
            object_file("lib/libz.so", "a third library"),
            whiteout("home"),
            whiteout("nothing"),
            opaque("var/cache"),
            file("var/cache/c", "ccc"),
            file("usr/lib/libm.so", "small now"),
            with_xattrs(dir("tmp", 0700), {{"user.deep", std::string(300, 'v')}}),
        },
        "sample upper");
}

inline base::Bytes sample_merged() {
    store::Index const lower = open_index(sample_lower());
    store::Index const upper = open_index(sample_upper());
    return value_of(store::merge(std::vector{&lower, &upper}));
}

}  // namespace oblea::test
