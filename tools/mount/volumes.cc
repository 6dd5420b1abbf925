// SPDX-License-Identifier: MIT
#include "tools/mount/volumes.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "store/layer/layout.h"
#include "store/sync.h"
#include "tools/mount/identifiers.h"
#include "tools/mount/remove_folder.h"
#include "tools/mount/rfc3339.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
namespace layout = store::layout;
namespace sys = base::sys;
using nlohmann::json;

constexpr char const* kVolumeFile = "volume.json";
constexpr char const* kData = "_data";  // as docker and podman call it
constexpr std::size_t kVolumeFileBytesMax = 1U << 20U;
constexpr std::size_t kVolumeNameBytesMax = 255;
constexpr int kVolumeVersion = 1;
constexpr mode_t kDataMode = 0755;

std::string encode(Volume const& volume) {
    json const document = {{"version", kVolumeVersion},
                           {"name", volume.name},
                           {"created", volume.created},
                           {"labels", volume.labels}};
    return fields::encode(document, fields::Layout::indented) + '\n';
}

Result<Volume> parse(std::string_view text) {
    json const document = OBLEA_TRY(fields::parse_object(text, kVolumeFile, kVolumeFileBytesMax));
    if (auto const version = OBLEA_TRY(fields::number(document, "version", kVolumeFile));
        version != kVolumeVersion) {
        return fail(Errno::eopnotsupp, "",
                    fmt::format("version {} of a newer oblea; use that one", version));
    }
    Volume volume;
    volume.name = OBLEA_TRY(fields::text(document, "name", kVolumeFile));
    volume.created = OBLEA_TRY(fields::text(document, "created", kVolumeFile));
    if (json const* labels = OBLEA_TRY(fields::object_if(document, "labels", kVolumeFile))) {
        for (auto const& [name, value] : labels->items()) {
            if (!value.is_string()) {
                return fields::invalid(kVolumeFile, "label " + name + " is no text");
            }
            volume.labels[name] = value.get<std::string>();
        }
    }
    return volume;
}

Result<Volume> read_volume(store::Store const& store, std::string const& name) {
    std::string const path = layout::volume(name) + '/' + kVolumeFile;
    std::string const text =
        OBLEA_TRY(sys::read_file(store.root(), path.c_str(), kVolumeFileBytesMax));
    auto volume = parse(text);
    if (volume.has_value() && volume->name != name) {
        return fail(Errno::euclean, "", path + ": is of volume " + volume->name);
    }
    if (!volume.has_value() && volume.error().code == Errno::einval) {
        return fail(Errno::euclean, "", path + ": " + volume.error().message());
    }
    return volume;
}

// The name of a folder in tmp/ that nobody else has.
Result<std::string> staging_path(char const* what) {
    std::string const random = OBLEA_TRY(random_id());
    return fmt::format("{}/{}-{}-{}", layout::kTmp, what, ::getpid(), random.substr(0, 16));
}

Status fill_staging(store::Store const& store, std::string const& staging, Volume const& volume) {
    std::string const data = staging + '/' + kData;
    std::string const file = staging + '/' + kVolumeFile;
    OBLEA_TRY(sys::mkdirat(store.root(), staging.c_str(), layout::kFolderMode));
    OBLEA_TRY(sys::mkdirat(store.root(), data.c_str(), kDataMode));
    OBLEA_TRY(sys::fchmodat(store.root(), data.c_str(), kDataMode));  // whatever the umask
    OBLEA_TRY(sys::replace_file(store.root(), file.c_str(), encode(volume), layout::kFileMode,
                                sys::Sync::yes));
    return store::sync_paths(store.root(), {staging, data}, 1);
}

}  // namespace

std::string Volume::folder() const {
    return layout::volume(name);
}

std::string Volume::data() const {
    return folder() + '/' + kData;
}

Status check_volume_name(std::string_view name) {
    if (name.size() < 2) {
        return fail(Errno::einval, "",
                    fmt::format("create {}: volume name is too short, names should be at least two "
                                "alphanumeric characters",
                                name));
    }
    if (!is_name(name) || name.size() > kVolumeNameBytesMax) {
        return fail(Errno::einval, "",
                    fmt::format("create {0}: \"{0}\" includes invalid characters for a local "
                                "volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If "
                                "you intended to pass a host directory, use absolute path",
                                name));
    }
    return {};
}

Result<VolumeList> list_volumes(store::Store const& store) {
    VolumeList list;
    auto const folder = sys::openat(store.root(), layout::kVolumes, O_RDONLY | O_DIRECTORY);
    if (!folder.has_value()) {
        return folder.error().code == Errno::enoent
                   ? Result<VolumeList>{std::move(list)}  // none was ever made
                   : Result<VolumeList>{std::unexpected<Error>(folder.error())};
    }
    auto const entries = OBLEA_TRY(sys::list_dir(folder->get()));
    for (sys::DirEntry const& entry : entries) {
        auto volume = read_volume(store, entry.name);
        if (volume.has_value()) {
            list.all.push_back(*std::move(volume));
        } else if (volume.error().code != Errno::enoent) {
            list.damaged.push_back(volume.error().message());
        }
    }
    std::ranges::sort(list.all, {}, &Volume::name);
    return list;
}

Result<std::optional<Volume>> find_volume(store::Store const& store, std::string const& name) {
    if (!check_volume_name(name).has_value()) {
        return std::optional<Volume>{};
    }
    auto volume = read_volume(store, name);
    if (!volume.has_value() && volume.error().code == Errno::enoent) {
        return std::optional<Volume>{};
    }
    return std::optional{OBLEA_TRY(std::move(volume))};
}

Result<Volume> need_volume(store::Store const& store, std::string const& name) {
    auto volume = OBLEA_TRY(find_volume(store, name));
    if (!volume.has_value()) {
        return fail(Errno::enoent, "", fmt::format("get {}: no such volume", name));
    }
    return *std::move(volume);
}

Status make_volume(store::Store const& store, NewVolume const& what) {
    OBLEA_TRY(check_volume_name(what.name));
    if (OBLEA_TRY(find_volume(store, what.name)).has_value()) {
        return {};
    }
    Volume const volume{.name = what.name, .created = rfc3339_now_exact(), .labels = what.labels};
    OBLEA_TRY(sys::mkdirat_if_missing(store.root(), layout::kVolumes, layout::kFolderMode));
    store::Lease const lease = OBLEA_TRY(store.take_lease("volume"));  // gc spares what is in tmp/
    std::string const staging = OBLEA_TRY(staging_path("volume"));
    // Before the rename a crash leaves something in tmp/, which gc removes.
    OBLEA_TRY(fill_staging(store, staging, volume));
    OBLEA_TRY(sys::renameat2(store.root(), staging.c_str(), store.root(), volume.folder().c_str()));
    return store::sync_paths(store.root(), {layout::kVolumes, "."}, 1);
}

Status remove_volume(store::Store const& store, Volume const& volume) {
    std::string const grave = OBLEA_TRY(staging_path("removed-volume"));
    OBLEA_TRY(sys::renameat2(store.root(), volume.folder().c_str(), store.root(), grave.c_str()));
    // That it has gone is on disk before anything of it is: after a power loss it is there whole,
    // or not at all.
    OBLEA_TRY(store::sync_paths(store.root(), {layout::kVolumes, layout::kTmp}, 1));
    return remove_folder(store, grave);
}

}  // namespace oblea::tools
