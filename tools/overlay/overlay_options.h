// SPDX-License-Identifier: MIT
// What oblea-overlay is asked to mount: the options of fuse-overlayfs, and those of mount(8) and
// kernel overlayfs that reach it. Pure.
//
// Spec: fuse-overlayfs(1); Linux overlayfs.rst "Multiple lower layers" (escapes in lowerdir).
#pragma once
#include "fs/fuse/server.h"
#include "fs/lower/folder_lower.h"
#include "fs/owner_map.h"
#include "store/base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct OverlayOptions {
    std::vector<std::string> lower;  // bottom first, whatever order lowerdir has
    std::string upper;               // empty: read-only
    std::string work;
    fs::OwnerMaps owners{};
    enum class Redirects { followed, ignored } redirects = Redirects::followed;
    enum class FolderLinks { counted, one } folder_links = FolderLinks::counted;
    enum class Durability { as_asked, none } durability = Durability::as_asked;
    enum class Xattrs { all, without_acls, none } xattrs = Xattrs::all;
    // Under which xattr owner and mode are recorded instead of set; empty: not at all.
    std::string override_xattr;
    enum class Access { as_possible, allow_other } access = Access::as_possible;
    enum class ReadOnly { no, yes } read_only = ReadOnly::no;
    enum class Suid {
        by_default,
        no,
        yes
    } suid = Suid::by_default;  // default: root's mounts have it
    enum class Dev { no, yes } dev = Dev::no;
    enum class Exec { no, yes } exec = Exec::yes;
    enum class Debug { no, yes } debug = Debug::no;
    std::string context;  // SELinux
    unsigned threads = 0;
    std::vector<std::string> typed{};  // what all that was read from
};

// `arguments`: those of all -o. Errors: EINVAL, naming the option, why it is refused, and for an
// unknown one the nearest known.
Result<OverlayOptions> parse_overlay_options(std::vector<std::string> const& arguments);

// A paragraph for each option, for the manual.
std::string describe_overlay_options();

// The pure pieces.

// At commas that are neither escaped nor in quotes. Escapes stay, but that of a comma; quotes go.
std::vector<std::string> split_options(std::string_view text);
// At colons that are not escaped; escapes go.
std::vector<std::string> split_paths(std::string_view text);
// "STORED:SHOWN:COUNT:...", empty fields passed over. Errors: EINVAL.
Result<std::vector<fs::OwnerRange>> parse_owner_ranges(std::string_view text);

}  // namespace oblea::tools
