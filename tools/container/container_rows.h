// SPDX-License-Identifier: MIT
// The rows of `oblea ps`: which containers, in which order, with which columns.
//
// Spec: docker's `container ls`.
#pragma once
#include "store/store.h"
#include "tools/container/container_size.h"
#include "tools/container/container_state.h"
#include "tools/container/run_config.h"
#include "tools/mount/mount_image.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

// A container with all that is known of it.
struct ContainerRow {
    Container container;
    std::optional<RunConfig> run;  // none: made by a mount
    ContainerState state;          // a mounted one counts as running
    std::vector<std::string> command;

    [[nodiscard]] bool is_active() const { return state.is_active(); }
};

// All of a store, the newest first. `damaged` are left out and named there.
struct ContainerRows {
    std::vector<ContainerRow> rows;
    std::vector<std::string> damaged;
};
Result<ContainerRows> container_rows(store::Store const& store);

struct RowOptions {
    std::string format;  // as --format; empty: docker's table
    enum class Truncate { no, yes } truncate = Truncate::yes;
    enum class Sizes { hide, show } sizes = Sizes::hide;
    std::int64_t now = 0;  // seconds since 1970
};
// What ps prints. Sizes are only measured when they are shown or the format asks for them. Errors:
// of the format, in docker's words.
Result<std::string> render_containers(store::Store const& store, std::span<ContainerRow const> rows,
                                      RowOptions const& options);

// The values of ps --filter: ancestor, before, exited, id, label, name, network, publish, since,
// status, volume. Different keys must all hold, of several values of one key any one (of labels
// all). Errors: EINVAL for a key or value that is none; ENOENT for a container that before or since
// names.
Result<std::vector<ContainerRow>> filter_rows(store::Store const& store,
                                              std::vector<ContainerRow> rows,
                                              std::span<std::string const> filters);
// Whether they ask for containers that do not run, so that --all is implied.
[[nodiscard]] bool wants_all(std::span<std::string const> filters);

}  // namespace oblea::tools
