// SPDX-License-Identifier: MIT
// What plain folders say as layers: whiteouts, opaque folders, redirects and replaced owners, in
// the styles of overlayfs, of fuse-overlayfs and of tar layers. Pure.
//
// Spec: Linux overlayfs.rst "whiteouts and opaque directories", "redirect_dir", "Nesting overlayfs
// mounts"; OCI image-spec layer.md "Whiteouts".
#pragma once
#include "store/index/types.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace oblea::fs {

// What a name of a layer's folder stands for.
struct LayerName {
    enum class Kind {
        entry,
        whiteout,  // `name` is hidden in the layers below
        opaque,    // everything below the folder is hidden
        foreign,   // bookkeeping of another program (".wh..wh.plnk"), never shown
    } kind = Kind::entry;
    std::string_view name{};
};
[[nodiscard]] LayerName classify_name(std::string_view name);

// The attributes that make a folder opaque: "y". The value "x" of overlayfs' own says that
// whiteouts in the folder are empty files with an attribute.
inline constexpr std::array kOpaqueXattrs{"trusted.overlay.opaque", "user.overlay.opaque",
                                          "user.fuseoverlayfs.opaque"};
inline constexpr std::array kWhiteoutXattrs{"trusted.overlay.whiteout", "user.overlay.whiteout"};

// The name under which programs see a stored attribute; nullopt: they do not see it. A nested
// overlay's own attributes are stored with their prefix doubled.
[[nodiscard]] std::optional<std::string> shown_layer_xattr(std::string_view stored);
// The reverse.
[[nodiscard]] std::string stored_layer_xattr(std::string_view shown);

// The path that a redirect means, from the layer's root without a slash in front: `redirect` is
// one, or a new last name. `folder` is the path of the folder that holds the redirected one.
// nullopt for what is no redirect: no name, or one that leads out.
[[nodiscard]] std::optional<std::string> redirected_path(std::string_view folder,
                                                         std::string_view redirect);

// Where owner, mode and kind are recorded that could not be stored, in the order in which they
// count.
inline constexpr std::array kOverrideXattrs{"security.fuseoverlayfs.override_stat",
                                            "user.containers.override_stat",
                                            "user.fuseoverlayfs.override_stat"};
// The text of such a record, "UID:GID:MODE[:KIND]" with MODE in octal and KIND one of file, dir,
// symlink, pipe, socket, block-MAJOR-MINOR, char-MAJOR-MINOR.
struct OverrideStat {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t permissions = 0;
    std::optional<store::FileType> type{};
    store::DeviceNumber device{};
    bool operator==(OverrideStat const&) const = default;
};
[[nodiscard]] std::optional<OverrideStat> parse_override_stat(std::string_view text);
[[nodiscard]] std::string encode_override_stat(OverrideStat const& stat);

}  // namespace oblea::fs
