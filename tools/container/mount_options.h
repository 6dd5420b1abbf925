// SPDX-License-Identifier: MIT
// `--tmpfs` and `--mount` of `run` and `create`, as docker has them.
//
// Pure. What docker does by volumes of its own does not exist here, and is refused.
#pragma once
#include "store/base/error.h"
#include "tools/container/bind_mount.h"
#include "tools/container/tmpfs_mount.h"

#include <nlohmann/json_fwd.hpp>

#include <string_view>
#include <variant>

namespace oblea::tools {

// "TARGET[:OPTION,...]", with docker's nosuid, nodev and noexec unless the opposite is asked for.
// Errors: EINVAL.
Result<TmpfsMount> parse_tmpfs_mount(std::string_view text);

// "type=bind,source=FOLDER,target=TARGET[,readonly]", "type=tmpfs,target=TARGET[,tmpfs-size=SIZE]
// [,tmpfs-mode=MODE]". A source may be relative. Errors: EINVAL, in docker's words.
using AskedMount = std::variant<BindMount, TmpfsMount>;
Result<AskedMount> parse_mount_option(std::string_view text);

// Of container.json and back. Errors: EINVAL.
nlohmann::json encode_tmpfs(TmpfsMount const& mount);
Result<TmpfsMount> decode_tmpfs(nlohmann::json const& object);

}  // namespace oblea::tools
