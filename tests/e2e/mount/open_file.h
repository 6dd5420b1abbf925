// SPDX-License-Identifier: MIT
// A file of a mount, open for as long as a test looks at it.
#pragma once
#include "store/base/unique_fd.h"
#include "tests/support/catch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <span>
#include <string>

namespace oblea::test {

struct OpenFile {
    base::UniqueFd fd;
    explicit OpenFile(std::string const& path, int flags, mode_t mode = 0644)
        : fd(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
        CAPTURE(path, errno);
        REQUIRE(fd.valid());
    }
    int get() const { return fd.get(); }

    std::string read(std::size_t size, off_t offset = 0) const {
        std::string text(size, '\0');
        ssize_t const count = ::pread(get(), text.data(), text.size(), offset);
        REQUIRE(count >= 0);
        text.resize(static_cast<std::size_t>(count));
        return text;
    }
    void write(std::string_view text, off_t offset) const {
        REQUIRE(::pwrite(get(), text.data(), text.size(), offset) ==
                static_cast<ssize_t>(text.size()));
    }
};

class Mapping {
public:
    Mapping(OpenFile const& file, std::size_t size, int protection, int flags)
        : bytes_(static_cast<char*>(::mmap(nullptr, size, protection, flags, file.get(), 0)),
                 size) {
        REQUIRE(bytes_.data() != MAP_FAILED);
    }
    Mapping(Mapping const&) = delete;
    Mapping& operator=(Mapping const&) = delete;
    ~Mapping() { ::munmap(bytes_.data(), bytes_.size()); }

    [[nodiscard]] char* data() const { return bytes_.data(); }
    [[nodiscard]] std::string_view text(std::size_t offset, std::size_t size) const {
        return std::string_view{bytes_.data(), bytes_.size()}.substr(offset, size);
    }

private:
    std::span<char> bytes_;
};

}  // namespace oblea::test
