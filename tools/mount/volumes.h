// SPDX-License-Identifier: MIT
// Volumes: folders of a store that containers keep data in, whatever becomes of the containers.
//
// A volume is the folder volumes/<name>/ with volume.json and _data/, which containers see. It is
// made in tmp/ and renamed to its place, and removed the other way round, so that one that has its
// name is whole. Whoever makes or removes one holds lock_containers(): which containers use it is
// in their container.json. What fills an empty one: tools/container/fill_volumes.h. FORMAT.md
// "Volumes".
#pragma once
#include "store/base/unique_fd.h"
#include "store/store.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct Volume {
    std::string name;
    std::string created;  // RFC 3339
    std::map<std::string, std::string> labels;

    [[nodiscard]] std::string folder() const;  // relative to the store's root
    [[nodiscard]] std::string data() const;    // the same, of what containers see
    // One that nobody gave a name, as docker marks it.
    [[nodiscard]] bool is_anonymous() const { return labels.contains(kAnonymous); }

    static constexpr char const* kAnonymous = "com.docker.volume.anonymous";
};

// EINVAL, in docker's words, when `name` cannot be a volume's.
Status check_volume_name(std::string_view name);

// All of a store, sorted by name. One that is damaged is left out of `all` and named in `damaged`.
struct VolumeList {
    std::vector<Volume> all;
    std::vector<std::string> damaged;
};
Result<VolumeList> list_volumes(store::Store const& store);

// Errors: EUCLEAN for a damaged one.
Result<std::optional<Volume>> find_volume(store::Store const& store, std::string const& name);
// The same where it must be there. Errors: ENOENT "get NAME: no such volume".
Result<Volume> need_volume(store::Store const& store, std::string const& name);

struct NewVolume {
    std::string name;
    std::map<std::string, std::string> labels = {};
};
// Makes it, empty, unless there is one of that name, which is as good. The caller holds
// lock_containers(). On disk when this returns. Errors: EINVAL for a bad name.
Status make_volume(store::Store const& store, NewVolume const& what);

// Removes it with all that is in it. The caller holds lock_containers() and knows that no container
// uses it. Forks where parts of it belong to subordinate ids.
Status remove_volume(store::Store const& store, Volume const& volume);

}  // namespace oblea::tools
