// SPDX-License-Identifier: MIT
// A tar file that comes into being: members of known length may be written side by side, and nobody
// sees the file before it is complete.
//
// The same members, reserved in the same order, give the same bytes.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace oblea::registry {

class NewArchive {
public:
    enum class Existing { replace, refuse };
    // Errors: EEXIST; those of the file system, naming the file.
    static Result<NewArchive> create(std::string path, Existing existing);
    NewArchive(NewArchive&&) noexcept;
    NewArchive& operator=(NewArchive&&) = delete;
    NewArchive(NewArchive const&) = delete;
    NewArchive& operator=(NewArchive const&) = delete;
    ~NewArchive();  // removes what was not finished

    // Room for a member of that length, its header written; where its contents belong.
    Result<std::uint64_t> reserve(std::string const& name, std::uint64_t bytes);
    Status write(std::uint64_t offset, base::ByteView data) const;
    Status folder(std::string const& name);
    Status document(std::string const& name, std::string_view text);

    // A member of yet unknown length: its contents begin there, and nothing else is reserved before
    // end_open(), which gives it its name. Errors: EFBIG for what a plain header cannot tell.
    [[nodiscard]] std::uint64_t begin_open() const;
    Status end_open(std::string const& name, std::uint64_t bytes);

    [[nodiscard]] int fd() const { return file_.get(); }  // to read what was written
    // Complete, durable, and there.
    Status finish();

private:
    NewArchive(base::UniqueFd file, std::string path, std::string temporary, Existing existing)
        : file_(std::move(file)), path_(std::move(path)), temporary_(std::move(temporary)),
          existing_(existing) {}
    void pass(std::uint64_t bytes);

    base::UniqueFd file_;
    std::string path_;
    std::string temporary_;  // empty when there is nothing to remove
    Existing existing_;
    std::uint64_t end_ = 0;
};

}  // namespace oblea::registry
