// SPDX-License-Identifier: MIT
#include "fs/lower/index_lower.h"
#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/fs/memory_lower.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

using namespace oblea;
using test::value_of;

namespace {

constexpr std::size_t kPage = 4096;

// Pages of the mapping that this process can read without a fault.
std::size_t pages_at_hand(base::ByteView mapping) {
    base::UniqueFd const pagemap =
        value_of(base::sys::open("/proc/self/pagemap", O_RDONLY));  // proc_pid_pagemap(5)
    std::size_t present = 0;
    for (std::size_t at = 0; at < mapping.size(); at += kPage) {
        std::uint64_t entry = 0;
        auto const page = reinterpret_cast<std::uintptr_t>(mapping.data() + at) / kPage;  // NOLINT
        REQUIRE(::pread(pagemap.get(), &entry, sizeof(entry),
                        static_cast<off_t>(page * sizeof(entry))) == sizeof(entry));
        present += static_cast<std::size_t>(entry >> 63U);
    }
    return present;
}

// Of a tree with that many files, in a file of its own.
store::Index stored_index(std::string const& path, int files) {
    std::vector<test::LayerEntry> entries;
    for (int i = 0; i < files; ++i) {
        entries.push_back(test::file("name-" + std::to_string(i), ""));
    }
    base::Bytes const made = test::layer_bytes(std::move(entries));
    value_of(base::sys::replace_file(AT_FDCWD, path.c_str(), base::text_of(made), 0600,
                                     base::sys::Sync::no));
    return value_of(store::Index::open(value_of(base::sys::open(path, O_RDONLY)), path));
}

}  // namespace

TEST_CASE("a server begins with the whole index in memory", "[fs][warm]") {
    test::TempDir const folder;
    store::Index index = stored_index(folder / "index", 3000);
    base::ByteView const bytes = index.bytes();
    std::size_t const pages = (bytes.size() + kPage - 1) / kPage;
    REQUIRE(pages > 64);
    test::MemoryLower const lower{std::move(index), {}};
    REQUIRE(pages_at_hand(bytes) < pages);

    SECTION("unless it ends before") {
        std::stop_source ended;
        ended.request_stop();
        lower.warm_up(ended.get_token());
        CHECK(pages_at_hand(bytes) < pages);
    }
    lower.warm_up({});
    CHECK(pages_at_hand(bytes) == pages);
}
