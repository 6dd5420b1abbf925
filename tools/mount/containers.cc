// SPDX-License-Identifier: MIT
#include "tools/mount/containers.h"

#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "store/layer/layout.h"
#include "store/sync.h"
#include "tools/mount/container_lock.h"
#include "tools/mount/container_name.h"
#include "tools/mount/identifiers.h"
#include "tools/mount/rfc3339.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
namespace layout = store::layout;
namespace sys = base::sys;
using nlohmann::json;
using store::Digest;

constexpr std::size_t kContainerFileBytesMax = 1U << 20U;
constexpr char const* kFile = "container.json";
constexpr std::size_t kNameBytesMax = 128;
constexpr int kVersion = 1;

bool is_id(std::string_view text) {
    return text.size() == 64 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string_view text_of(OwnerIds ids) {
    return ids == OwnerIds::real ? "real" : "squashed";
}

Result<OwnerIds> parse_owner_ids(std::string_view text) {
    if (text == "real") {
        return OwnerIds::real;
    }
    if (text == "squashed") {
        return OwnerIds::squashed;
    }
    return fail(Errno::einval, "", fmt::format("unknown owner ids \"{}\"", text));
}

Result<Container> container_of(json const& document) {
    Container container;
    if (auto const version = OBLEA_TRY(fields::number(document, "version", kFile));
        version != kVersion) {
        return fail(Errno::eopnotsupp, "",
                    fmt::format("version {} of a newer oblea; use that one", version));
    }
    container.id = OBLEA_TRY(fields::text(document, "id", kFile));
    container.name = OBLEA_TRY(fields::text(document, "name", kFile));
    container.image = OBLEA_TRY(fields::digest(document, "image", kFile));
    container.image_name = OBLEA_TRY(fields::text(document, "image_name", kFile));
    container.created = OBLEA_TRY(fields::text(document, "created", kFile));
    std::string const ids = OBLEA_TRY(fields::text(document, "owner_ids", kFile));
    container.owner_ids = OBLEA_TRY(parse_owner_ids(ids));
    if (json const* run = OBLEA_TRY(fields::object_if(document, "run", kFile))) {
        container.run = fields::encode(*run, fields::Layout::compact);
    }
    for (json const& layer : *OBLEA_TRY(fields::array(document, "layers", kFile))) {
        container.layers.push_back(
            OBLEA_TRY(Digest::parse(layer.is_string() ? layer.get<std::string>() : "")));
    }
    if (!is_id(container.id)) {
        return fail(Errno::einval, "", "its id is not one");
    }
    OBLEA_TRY(check_container_name(container.name));
    return container;
}

std::string name_taken(Container const& by) {
    return fmt::format(
        "Conflict. The container name \"/{}\" is already in use by container \"{}\". "
        "You have to remove (or rename) that container to be able to reuse that "
        "name.",
        by.name, by.id);
}

// A name that no container has; the random start makes two processes unlikely to meet.
Result<std::string> free_name(std::vector<Container> const& taken) {
    std::uint64_t number = OBLEA_TRY(random_number()) % container_name_count();
    for (;;) {
        std::string name = container_name(number);
        if (std::ranges::find(taken, name, &Container::name) == taken.end()) {
            return name;
        }
        number += number < container_name_count() ? container_name_count() : 1;
    }
}

Status check_new_name(std::vector<Container> const& existing, std::string const& name) {
    OBLEA_TRY(check_container_name(name));
    if (auto const other = std::ranges::find(existing, name, &Container::name);
        other != existing.end()) {
        return fail(Errno::eexist, "", name_taken(*other));
    }
    return {};
}

}  // namespace

std::string Container::folder() const {
    return layout::container(id);
}

std::string encode_container(Container const& container) {
    json layers = json::array();
    for (Digest const& layer : container.layers) {
        layers.push_back(layer.to_string());
    }
    json document = {{"version", kVersion},
                     {"id", container.id},
                     {"name", container.name},
                     {"image", container.image.to_string()},
                     {"image_name", container.image_name},
                     {"layers", std::move(layers)},
                     {"created", container.created},
                     {"owner_ids", text_of(container.owner_ids)}};
    if (json run = json::parse(container.run, nullptr, false); run.is_object()) {
        document["run"] = std::move(run);
    }
    return fields::encode(document, fields::Layout::indented) + '\n';
}

Result<Container> parse_container(std::string_view text) {
    auto parsed = [&]() -> Result<Container> {
        json const document = OBLEA_TRY(fields::parse_object(text, kFile, kContainerFileBytesMax));
        return container_of(document);
    }();
    if (!parsed.has_value() && parsed.error().code == Errno::einval) {
        return fail(Errno::euclean, parsed.error().op, std::move(parsed).error().detail);
    }
    return parsed;
}

Status check_container_name(std::string_view name) {
    if (!is_name(name) || name.size() > kNameBytesMax) {
        return fail(Errno::einval, "",
                    fmt::format("Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
                                "allowed, 2 to {} of them",
                                name, kNameBytesMax));
    }
    return {};
}

Result<base::UniqueFd> lock_containers(store::Store const& store) {
    OBLEA_TRY(sys::mkdirat_if_missing(store.root(), layout::kContainers, 0700));
    auto lock = OBLEA_TRY(sys::openat(store.root(), layout::kContainers, O_RDONLY | O_DIRECTORY));
    OBLEA_TRY(sys::lock(lock.get(), sys::LockKind::exclusive));
    return lock;
}

Result<Container> read_container(store::Store const& store, std::string const& id) {
    std::string const path = layout::container(id) + "/" + kFile;
    std::string const text =
        OBLEA_TRY(sys::read_file(store.root(), path.c_str(), kContainerFileBytesMax));
    Container container =
        OBLEA_TRY(with_context(parse_container(text), [&] { return store.path() + "/" + path; }));
    if (container.id != id) {
        return fail(Errno::euclean, "", path + ": is of container " + container.id);
    }
    return container;
}

Result<std::vector<std::string>> list_container_ids(store::Store const& store) {
    std::vector<std::string> ids;
    auto const folder = sys::openat(store.root(), layout::kContainers, O_RDONLY | O_DIRECTORY);
    if (!folder.has_value()) {
        return folder.error().code == Errno::enoent
                   ? Result<std::vector<std::string>>{std::move(ids)}
                   : Result<std::vector<std::string>>{std::unexpected<Error>(folder.error())};
    }
    for (sys::DirEntry& entry : OBLEA_TRY(sys::list_dir(folder->get()))) {
        if (is_id(entry.name)) {  // else being made or removed
            ids.push_back(std::move(entry.name));
        }
    }
    return ids;
}

Result<ContainerList> list_containers(store::Store const& store) {
    ContainerList list;
    std::vector<std::string> const ids = OBLEA_TRY(list_container_ids(store));
    for (std::string const& id : ids) {
        auto container = read_container(store, id);
        if (container.has_value()) {
            list.all.push_back(*std::move(container));
        } else if (container.error().code != Errno::enoent) {
            list.damaged.push_back(container.error().message());
        }
    }
    std::ranges::sort(list.all, {}, &Container::name);
    return list;
}

Result<std::optional<Container>> find_container(store::Store const& store, std::string_view typed) {
    ContainerList const list = OBLEA_TRY(list_containers(store));
    if (typed.starts_with('/')) {
        typed.remove_prefix(1);  // as docker's inspect shows names
    }
    if (auto const named = std::ranges::find(list.all, typed, &Container::name);
        named != list.all.end()) {
        return *named;
    }
    std::vector<Container const*> candidates;
    for (Container const& one : list.all) {
        if (!typed.empty() && one.id.starts_with(typed)) {
            candidates.push_back(&one);
        }
    }
    if (candidates.empty()) {
        return std::optional<Container>{};
    }
    if (candidates.size() > 1) {
        return fail(Errno::einval, "",
                    fmt::format("{} is the beginning of the ids of {} and of {}; type more of it",
                                typed, candidates[0]->name, candidates[1]->name));
    }
    return *candidates.front();
}

Result<Container> need_container(store::Store const& store, std::string_view typed) {
    auto container = OBLEA_TRY(find_container(store, typed));
    if (!container.has_value()) {
        return fail(Errno::enoent, "", fmt::format("No such container: {}", typed));
    }
    return *std::move(container);
}

Result<Container> create_container(store::Store const& store, NewContainer const& what) {
    auto const lock = OBLEA_TRY(lock_containers(store));
    std::vector<Container> const existing = OBLEA_TRY(list_containers(store)).all;
    Container container;
    container.id = OBLEA_TRY(random_id());
    container.name = what.name;
    container.image = what.image.id;
    container.image_name = what.image_name;
    container.created = rfc3339_now_exact();
    container.owner_ids = what.owner_ids;
    container.run = what.run;
    for (store::ImageLayer const& layer : what.image.layers) {
        container.layers.push_back(layer.diff_id);
    }
    if (container.name.empty()) {
        container.name = OBLEA_TRY(free_name(existing));
    }
    OBLEA_TRY(check_new_name(existing, container.name));
    // Before anything refers to them; what a crash leaves, `volume prune` finds.
    for (NewVolume const& volume : what.volumes) {
        OBLEA_TRY(make_volume(store, volume));
    }
    // A folder without container.json is no container; the rename at the end of replace_file makes
    // it one.
    std::string const folder = container.folder();
    OBLEA_TRY(sys::mkdirat(store.root(), folder.c_str(), 0700));
    OBLEA_TRY(sys::mkdirat(store.root(), (folder + "/root").c_str(), 0700));
    // What is a container has its root, after a power loss too.
    OBLEA_TRY(store::sync_paths(store.root(), {folder}, 1));
    OBLEA_TRY(sys::replace_file(store.root(), (folder + "/" + kFile).c_str(),
                                encode_container(container), 0600, sys::Sync::yes));
    OBLEA_TRY(sys::fsync(lock.get()));  // the folder of containers: its new name
    return container;
}

Status set_container_run(store::Store const& store, Container const& container,
                         std::string const& run) {
    auto const lock = OBLEA_TRY(lock_containers(store));
    Container changed = OBLEA_TRY(read_container(store, container.id));
    changed.run = run;
    return sys::replace_file(store.root(), (changed.folder() + "/" + kFile).c_str(),
                             encode_container(changed), 0600, sys::Sync::yes);
}

Status rename_container(store::Store const& store, Container const& container,
                        std::string const& name) {
    auto const lock = OBLEA_TRY(lock_containers(store));
    ContainerList const list = OBLEA_TRY(list_containers(store));
    OBLEA_TRY(check_new_name(list.all, name));
    Container renamed = OBLEA_TRY(read_container(store, container.id));
    renamed.name = name;
    return sys::replace_file(store.root(), (renamed.folder() + "/" + kFile).c_str(),
                             encode_container(renamed), 0600, sys::Sync::yes);
}

}  // namespace oblea::tools
