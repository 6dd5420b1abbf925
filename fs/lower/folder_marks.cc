// SPDX-License-Identifier: MIT
#include "fs/lower/folder_marks.h"

#include "store/base/parse_number.h"
#include "store/base/text.h"

#include <fmt/format.h>
#include <vector>

namespace oblea::fs {

namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::string_view kStrayOpaqueName =
    ".wh..opq";  // fuse-overlayfs 1.10 leaves it beside the other
constexpr std::string_view kForeignPrefix = ".wh..wh.";

// Prefixes that overlays keep for themselves, with the part that nesting doubles.
struct OwnPrefix {
    std::string_view prefix;
    std::string_view tail;  // empty: never shown, since its program does not nest
};
constexpr std::array kOwnPrefixes{
    OwnPrefix{"trusted.overlay.", "overlay."},
    OwnPrefix{"user.overlay.", "overlay."},
    OwnPrefix{"user.fuseoverlayfs.", ""},
    OwnPrefix{"security.fuseoverlayfs.", ""},
};

struct KindName {
    std::string_view name;
    store::FileType type;
};
constexpr std::array kKindNames{
    KindName{"file", store::FileType::regular},
    KindName{"dir", store::FileType::directory},
    KindName{"symlink", store::FileType::symlink},
    KindName{"pipe", store::FileType::fifo},
    KindName{"socket", store::FileType::socket},
    KindName{"block", store::FileType::block_device},
    KindName{"char", store::FileType::char_device},
};

bool parse_kind(std::string_view text, OverrideStat& stat) {
    auto const parts = base::split(text, '-');
    for (auto const& [name, type] : kKindNames) {
        if (parts.front() != name) {
            continue;
        }
        stat.type = type;
        bool const device =
            type == store::FileType::block_device || type == store::FileType::char_device;
        if (parts.size() != (device ? 3U : 1U)) {
            return false;
        }
        if (device) {
            auto const major = base::parse_number<std::uint32_t>(parts[1]);
            auto const minor = base::parse_number<std::uint32_t>(parts[2]);
            if (!major || !minor) {
                return false;
            }
            stat.device = {*major, *minor};
        }
        return true;
    }
    return false;
}

}  // namespace

LayerName classify_name(std::string_view name) {
    if (!name.starts_with(kWhiteoutPrefix)) {
        return {LayerName::Kind::entry, name};
    }
    if (name == kOpaqueName) {
        return {LayerName::Kind::opaque, {}};
    }
    if (name.starts_with(kForeignPrefix) || name == kStrayOpaqueName) {
        return {LayerName::Kind::foreign, {}};
    }
    std::string_view const hidden = name.substr(kWhiteoutPrefix.size());
    if (hidden.empty() || hidden == "." || hidden == "..") {
        return {LayerName::Kind::foreign, {}};
    }
    return {LayerName::Kind::whiteout, hidden};
}

std::optional<std::string> shown_layer_xattr(std::string_view stored) {
    for (auto const& [prefix, tail] : kOwnPrefixes) {
        if (!stored.starts_with(prefix)) {
            continue;
        }
        std::string_view const rest = stored.substr(prefix.size());
        if (tail.empty() || !rest.starts_with(tail)) {
            return std::nullopt;
        }
        return std::string{prefix} + std::string{rest.substr(tail.size())};
    }
    return std::string{stored};
}

std::string stored_layer_xattr(std::string_view shown) {
    for (auto const& [prefix, tail] : kOwnPrefixes) {
        if (!tail.empty() && shown.starts_with(prefix)) {
            return fmt::format("{}{}{}", prefix, tail, shown.substr(prefix.size()));
        }
    }
    return std::string{shown};
}

std::optional<std::string> redirected_path(std::string_view folder, std::string_view redirect) {
    if (redirect.starts_with('/')) {
        auto const path = store::RelPath::parse(redirect);
        if (!path.has_value() || path->is_root()) {
            return std::nullopt;
        }
        return path->string();
    }
    auto const name = store::Name::parse(redirect);
    if (!name.has_value()) {
        return std::nullopt;
    }
    return folder.empty() ? name->string() : fmt::format("{}/{}", folder, name->view());
}

std::optional<OverrideStat> parse_override_stat(std::string_view text) {
    auto const parts = base::split(text, ':');
    if (parts.size() != 3 && parts.size() != 4) {
        return std::nullopt;
    }
    auto const uid = base::parse_number<std::uint32_t>(parts[0]);
    auto const gid = base::parse_number<std::uint32_t>(parts[1]);
    auto const mode = base::parse_number<std::uint32_t>(parts[2], 8);
    if (!uid || !gid || !mode) {
        return std::nullopt;
    }
    OverrideStat stat{.uid = *uid, .gid = *gid, .permissions = *mode & 07777U};
    if (parts.size() == 4 && !parse_kind(parts[3], stat)) {
        return std::nullopt;
    }
    return stat;
}

std::string encode_override_stat(OverrideStat const& stat) {
    std::string text = fmt::format("{}:{}:{:04o}", stat.uid, stat.gid, stat.permissions);
    if (!stat.type.has_value()) {
        return text;
    }
    for (auto const& [name, type] : kKindNames) {
        if (type == *stat.type) {
            text += fmt::format(":{}", name);
        }
    }
    if (*stat.type == store::FileType::block_device || *stat.type == store::FileType::char_device) {
        text += fmt::format("-{}-{}", stat.device.major, stat.device.minor);
    }
    return text;
}

}  // namespace oblea::fs
