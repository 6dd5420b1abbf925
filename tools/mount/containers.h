// SPDX-License-Identifier: MIT
// Containers: named writable layers of a store.
//
// A container is the folder containers/<id>/ with container.json, upper/, work/, root/ (an empty
// folder, where `chroot` mounts inside its own namespace) and log (of the last server). Readers
// take no lock; container.json is written once, by rename. Whether one is mounted is known from
// the upper layer's own lock and from the leases of live mounts.
#pragma once
#include "store/store.h"
#include "tools/mount/volumes.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

// How owners were written: a layer written with all ids cannot be served with one, nor the reverse.
enum class OwnerIds {
    real,      // as the image has them
    squashed,  // everything belongs to the one who mounts
};

struct Container {
    std::string id;                     // 64 hex digits
    std::string name;                   // [a-zA-Z0-9][a-zA-Z0-9_.-]+, unique in the store
    store::Digest image;                // id of the image it was made from
    std::string image_name;             // as it was called then; may be empty
    std::vector<store::Digest> layers;  // diff IDs of that image, bottom first
    std::string created;                // RFC 3339
    OwnerIds owner_ids = OwnerIds::real;
    // What it runs, as an object of JSON (tools/container/run_config.h); empty: made by a mount.
    std::string run = {};

    [[nodiscard]] std::string folder() const;  // relative to the store's root
};

struct NewContainer {
    std::string name;  // empty: one is generated
    store::Image image;
    std::string image_name;
    OwnerIds owner_ids = OwnerIds::real;
    std::string run = {};
    std::vector<NewVolume> volumes = {};  // that it uses
};

// Text of container.json and back. Errors: EUCLEAN.
std::string encode_container(Container const& container);
Result<Container> parse_container(std::string_view json);

// EINVAL with the grammar when `name` cannot be a container's.
Status check_container_name(std::string_view name);

// All containers, sorted by name. One that is damaged is left out of `all` and named in `damaged`.
struct ContainerList {
    std::vector<Container> all;
    std::vector<std::string> damaged;
};
Result<ContainerList> list_containers(store::Store const& store);

// Ids of what is there under one; being made or removed, some may have no record.
Result<std::vector<std::string>> list_container_ids(store::Store const& store);
// Errors: ENOENT where there is no record; EUCLEAN for a damaged one.
Result<Container> read_container(store::Store const& store, std::string const& id);

// By name, full id or unique prefix of an id, the name first. nullopt: there is none. EINVAL for an
// ambiguous prefix, naming the candidates.
Result<std::optional<Container>> find_container(store::Store const& store, std::string_view typed);

// The same where it must be there. Errors: ENOENT "no such container: NAME".
Result<Container> need_container(store::Store const& store, std::string_view typed);

// Makes the folders, the volumes that are not there, and container.json. Errors: EEXIST when the
// name is taken, EINVAL for a bad one.
Result<Container> create_container(store::Store const& store, NewContainer const& what);

// Gives it another name. Errors: as create_container.
Status rename_container(store::Store const& store, Container const& container,
                        std::string const& name);

// Changes what it runs (Container::run); a monitor that serves it reads it when the command ends.
Status set_container_run(store::Store const& store, Container const& container,
                         std::string const& run);

// Removes the container and all that was written to it. Errors: EBUSY while it is mounted.
// Files of other ids are removed in a user namespace where that is needed.
Status remove_container(store::Store const& store, Container const& container);
// The same, unless something was written to it. Errors: also those of looking into it.
Status drop_untouched(store::Store const& store, Container const& container);

}  // namespace oblea::tools
