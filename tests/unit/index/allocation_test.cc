// SPDX-License-Identifier: MIT
// What the file system asks for each request allocates nothing, found or not. A program of its own,
// since it counts every allocation of the process.
#include "store/index/index.h"
#include "tests/support/catch.h"
#include "tests/unit/index/sample_trees.h"

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t allocations = 0;
}

void* operator new(std::size_t bytes) {
    ++allocations;
    void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

// Sanitizers have one of their own, which does not call the other.
void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept {
    ++allocations;
    return std::malloc(bytes == 0 ? 1 : bytes);
}

void operator delete(void* memory) noexcept {
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

using namespace oblea;
using namespace oblea::test;
using store::Index;
using store::InodeNo;

template <typename F>
std::size_t allocations_of(F&& act) {
    std::size_t const before = allocations;
    act();
    return allocations - before;
}

TEST_CASE("answers of an index allocate nothing", "[index][allocation]") {
    Index const index = open_index(sample_merged());
    InodeNo const bin = *value_of(index.resolve(path("bin")));
    InodeNo const shell = *value_of(index.resolve(path("bin/sh")));
    InodeNo const sparse = *value_of(index.resolve(path("var/sparse")));
    InodeNo const tmp = *value_of(index.resolve(path("tmp")));
    store::RelPath const deep = path("usr/lib/libc.so");
    int answers = 0;
    std::size_t const count = allocations_of([&] {
        answers += index.lookup(bin, "sh").has_value() ? 1 : 0;
        answers += index.lookup(bin, "not there").has_value() ? 1 : 0;
        answers += index.lookup(shell, "no folder").has_value() ? 0 : 1;
        answers += index.attr(shell).has_value() ? 1 : 0;
        answers += index.attr(InodeNo::none).has_value() ? 0 : 1;
        answers += index.entry_count(bin).has_value() ? 1 : 0;
        answers += index.entry(bin, 0).has_value() ? 1 : 0;
        answers += index.parent(bin).has_value() ? 1 : 0;
        answers += index.origin(shell).has_value() ? 1 : 0;
        answers += index.find_origin({store::LayerPos{1}, InodeNo{2}}).has_value() ? 1 : 0;
        answers += index.resolve(deep).has_value() ? 1 : 0;
        answers += index.content(shell).has_value() ? 1 : 0;
        answers += index.content(sparse).has_value() ? 1 : 0;
        answers += index.has_xattrs(tmp).has_value() ? 1 : 0;
        answers += index.xattr(tmp, "user.deep").has_value() ? 1 : 0;
        answers += index.xattr(tmp, "user.none").has_value() ? 1 : 0;
    });
    CHECK(answers == 16);
    CHECK(count == 0);
    CHECK(allocations_of([&] { static_cast<void>(index.xattr_names(tmp)); }) == 1);
}

}  // namespace
