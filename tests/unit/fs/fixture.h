// SPDX-License-Identifier: MIT
// A union over a small image, for tests that look at one behaviour each.
#pragma once
#include "tests/support/catch.h"
#include "tests/unit/fs/union_driver.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace oblea::test {

using fs::FileType;
using Names = std::vector<std::string>;

struct UnionFixture {
    TempDir temp;
    LowerBuilder builder;
    std::shared_ptr<MemoryLower> lower;
    std::unique_ptr<UnionDriver> driver;

    UnionDriver& start(fs::UnionOptions options = test_options()) {
        lower = builder.build();
        driver = std::make_unique<UnionDriver>(lower, temp.path(), options);
        driver->caller = test_caller();
        return *driver;
    }
    // The usual tree: a file, a folder with two files and a folder in it, a link, and one inode
    // with two names.
    UnionDriver& start_usual() {
        builder.add({dir("d"), builder.text_file("d/x", "lower x"),
                     builder.text_file("d/y", "lower y"), dir("d/sub"),
                     builder.text_file("d/sub/deep", "deep"), soft_link("l", "d/x"),
                     builder.text_file("h1", "linked"), hard_link("d/h2", "h1"),
                     builder.text_file("top", "top of the image")});
        return start();
    }
    // Runs the checks, and runs them again after a remount.
    template <typename F>
    void now_and_later(F&& checks) {
        {
            INFO("before the remount");
            checks();
        }
        driver->remount_checked();
        INFO("after the remount");
        checks();
    }
    [[nodiscard]] bool in_upper(std::string const& at) const {
        struct stat info = {};
        return ::lstat(driver->upper_path(at).c_str(), &info) == 0;
    }
    [[nodiscard]] bool whiteout_in_upper(std::string const& at) const {
        struct stat info = {};
        return ::lstat(driver->upper_path(at).c_str(), &info) == 0 && S_ISCHR(info.st_mode) &&
               info.st_rdev == 0;
    }
    [[nodiscard]] std::size_t work_entries(std::string const& folder) const {
        auto const dir = value_of(base::sys::open(driver->work_path(folder), O_RDONLY));
        return value_of(base::sys::list_dir(dir.get())).size();
    }
};

}  // namespace oblea::test
