// SPDX-License-Identifier: MIT
// A folder of a test's own, gone at its end.
#pragma once
#include "store/base/sys.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace oblea::test {

class TempDir {
public:
    TempDir() {
        char const* base = std::getenv("TMPDIR");
        path_ =
            std::string{base != nullptr && *base != '\0' ? base : "/tmp"} + "/oblea-test-XXXXXX";
        if (::mkdtemp(path_.data()) == nullptr) {
            throw std::runtime_error("mkdtemp " + path_);
        }
    }
    TempDir(TempDir const&) = delete;
    TempDir& operator=(TempDir const&) = delete;
    ~TempDir() { static_cast<void>(base::sys::remove_tree(AT_FDCWD, path_.c_str())); }

    [[nodiscard]] std::string const& path() const { return path_; }
    [[nodiscard]] std::string operator/(std::string const& name) const {
        return path_ + '/' + name;
    }

private:
    std::string path_;
};

}  // namespace oblea::test
