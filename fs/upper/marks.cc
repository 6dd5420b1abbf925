// SPDX-License-Identifier: MIT
#include "fs/upper/marks.h"

#include <charconv>
#include <cstdio>

namespace oblea::fs {

MarkNames::MarkNames(MarkSpace space)
    : overlay(space == MarkSpace::trusted ? "trusted.overlay." : "user.overlay."),
      own(overlay + "oblea."), opaque(overlay + "opaque"), whiteout(overlay + "whiteout"),
      redirect(overlay + "redirect"), inode(own + "inode"), impure(own + "impure"),
      partial(own + "partial"), format(own + "format") {}

std::string encode_inode_mark(InodeMark const& mark) {
    std::string text = "1 ";
    text += mark.origin.value_or("-");
    char mode[16] = "-";
    if (mark.permissions.has_value()) {
        std::snprintf(mode, sizeof(mode), "%o", *mark.permissions);
    }
    return text + ' ' + mode;
}

Result<InodeMark> parse_inode_mark(std::string_view text) {
    if (!text.starts_with("1 ")) {
        return fail(Errno::eopnotsupp, "", "the upper layer is of a newer version of oblea");
    }
    text.remove_prefix(2);
    auto const space = text.find(' ');
    if (space == std::string_view::npos || space == 0) {
        return fail(Errno::euclean, "", "a damaged mark in the upper layer");
    }
    InodeMark mark;
    std::string_view const origin = text.substr(0, space);
    std::string_view const mode = text.substr(space + 1);
    if (origin != "-") {
        mark.origin = std::string{origin};
    }
    if (mode != "-") {
        std::uint32_t bits = 0;
        auto const [end, error] = std::from_chars(mode.data(), mode.data() + mode.size(), bits, 8);
        if (error != std::errc{} || end != mode.data() + mode.size() || bits > 07777) {
            return fail(Errno::euclean, "", "a damaged mark in the upper layer");
        }
        mark.permissions = bits;
    }
    return mark;
}

namespace {

constexpr std::string_view kDoubled = "overlay.";
constexpr std::string_view kForeign = "user.fuseoverlayfs.";

}  // namespace

std::string stored_xattr_name(MarkNames const& names, std::string_view shown) {
    if (!shown.starts_with(names.overlay)) {
        return std::string{shown};
    }
    return names.overlay + std::string{kDoubled} + std::string{shown.substr(names.overlay.size())};
}

std::optional<std::string> shown_xattr_name(MarkNames const& names, std::string_view stored) {
    if (stored.starts_with(kForeign)) {
        return std::nullopt;
    }
    if (!stored.starts_with(names.overlay)) {
        return std::string{stored};
    }
    std::string_view const rest = stored.substr(names.overlay.size());
    if (!rest.starts_with(kDoubled)) {
        return std::nullopt;
    }
    return names.overlay + std::string{rest.substr(kDoubled.size())};
}

}  // namespace oblea::fs
