// SPDX-License-Identifier: MIT
// `--volume`, `--mount` and `--tmpfs` of `run` and `create`, as docker has them.
//
// Pure.
#pragma once
#include "store/base/error.h"
#include "tools/container/bind_mount.h"
#include "tools/container/tmpfs_mount.h"
#include "tools/container/volume_mount.h"

#include <nlohmann/json_fwd.hpp>

#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace oblea::tools {

// "TARGET[:OPTION,...]", with docker's nosuid, nodev and noexec unless the opposite is asked for.
// Errors: EINVAL.
Result<TmpfsMount> parse_tmpfs_mount(std::string_view text);

// What one such option asks for.
using AskedMount = std::variant<BindMount, TmpfsMount, VolumeMount>;

// "/FOLDER:TARGET[:MODE,...]", "NAME:TARGET[:MODE,...]" for a volume, or "TARGET" for one without a
// name. Errors: EINVAL, in docker's words.
Result<AskedMount> parse_volume_option(std::string_view text);

// "type=bind,source=FOLDER,target=TARGET[,readonly]", "type=tmpfs,target=TARGET[,tmpfs-size=SIZE]
// [,tmpfs-mode=MODE]", "[type=volume,][source=NAME,]target=TARGET[,readonly][,volume-nocopy]". The
// source of a bind may be relative. Errors: EINVAL, in docker's words.
Result<AskedMount> parse_mount_option(std::string_view text);

// What an image's config asks for by VOLUME, but for `targets`, where something else is mounted.
std::vector<VolumeMount> plan_image_volumes(nlohmann::json const& volumes,
                                            std::set<std::string> targets);

// Of container.json and back. Errors: EINVAL.
nlohmann::json encode_volume(VolumeMount const& mount);
Result<VolumeMount> decode_volume(nlohmann::json const& object);
nlohmann::json encode_tmpfs(TmpfsMount const& mount);
Result<TmpfsMount> decode_tmpfs(nlohmann::json const& object);

}  // namespace oblea::tools
