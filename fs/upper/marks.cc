// SPDX-License-Identifier: MIT
#include "fs/upper/marks.h"

#include <charconv>
#include <cstdio>

namespace oblea::fs {

MarkNames::MarkNames(MarkSpace space)
    : overlay(space == MarkSpace::trusted ? "trusted.overlay." : "user.overlay."),
      own(space == MarkSpace::trusted ? "trusted.oblea." : "user.oblea."),
      opaque(overlay + "opaque"), whiteout(overlay + "whiteout"), redirect(overlay + "redirect"),
      inode(own + "inode"), impure(own + "impure") {}

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

// The part of `prefix` that is doubled: "overlay." of "trusted.overlay.".
std::string_view tail_of(std::string_view prefix) {
    return prefix.substr(prefix.find('.') + 1);
}

}  // namespace

std::string stored_xattr_name(MarkNames const& names, std::string_view shown) {
    for (std::string const& prefix : {names.overlay, names.own}) {
        if (shown.starts_with(prefix)) {
            return prefix + std::string{tail_of(prefix)} + std::string{shown.substr(prefix.size())};
        }
    }
    return std::string{shown};
}

std::optional<std::string> shown_xattr_name(MarkNames const& names, std::string_view stored) {
    for (std::string const& prefix : {names.overlay, names.own}) {
        if (!stored.starts_with(prefix)) {
            continue;
        }
        std::string_view const rest = stored.substr(prefix.size());
        if (!rest.starts_with(tail_of(prefix))) {
            return std::nullopt;
        }
        return prefix + std::string{rest.substr(tail_of(prefix).size())};
    }
    return std::string{stored};
}

}  // namespace oblea::fs
