// SPDX-License-Identifier: MIT
// File names and paths inside an image, as types that cannot hold a bad one.
//
// An image's names are bytes, not text: anything but NUL and '/' is legal, as on Linux. The length
// limits are the kernel's (NAME_MAX); the depth and length of a path are bounded by limits.h, not
// by PATH_MAX, since an image may be deeper.
#pragma once
#include "store/base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::base {

// A name or path as messages show it: in quotes, cut at 200 bytes, with '?' for control bytes,
// which would let a hostile archive write to a terminal.
[[nodiscard]] std::string printable(std::string_view text);

// One component: 1 to 255 bytes, no '/', no NUL, neither "." nor "..".
class Name {
public:
    // Errors: EINVAL for a string that is none; ENAMETOOLONG past 255 bytes.
    static Result<Name> parse(std::string_view text);

    [[nodiscard]] std::string const& string() const noexcept { return text_; }
    [[nodiscard]] std::string_view view() const noexcept { return text_; }
    [[nodiscard]] char const* c_str() const noexcept { return text_.c_str(); }
    auto operator<=>(Name const&) const = default;

private:
    explicit Name(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

// A path below a root, in normal form: components joined by '/', none of them ".", ".." or empty.
// The root itself is the empty path.
class RelPath {
public:
    RelPath() = default;

    // Takes a path as archives and people write them: leading slashes, "./" and doubled slashes are
    // dropped. Errors: EINVAL when a component is ".." or holds a NUL; ENAMETOOLONG for a component
    // past 255 bytes or a path past limits::kPathBytesMax.
    static Result<RelPath> parse(std::string_view text);

    [[nodiscard]] bool is_root() const noexcept { return text_.empty(); }
    [[nodiscard]] std::string const& string() const noexcept { return text_; }
    [[nodiscard]] char const* c_str() const noexcept { return text_.empty() ? "." : text_.c_str(); }
    [[nodiscard]] std::vector<std::string_view> components() const;
    [[nodiscard]] RelPath parent() const;             // of the root: the root
    [[nodiscard]] std::string_view filename() const;  // of the root: empty
    [[nodiscard]] RelPath operator/(Name const& name) const;
    auto operator<=>(RelPath const&) const = default;

private:
    std::string text_;
};

}  // namespace oblea::base
