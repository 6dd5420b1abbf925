// SPDX-License-Identifier: MIT
#include "tools/container/container_rows.h"

#include "store/image/reference.h"
#include "tools/cli/filters.h"
#include "tools/mount/private_server.h"
#include "tools/output/human.h"
#include "tools/output/plain_text.h"
#include "tools/template/go_text.h"
#include "tools/template/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>

namespace oblea::tools {
namespace {

using templates::Record;
using templates::Value;

constexpr std::size_t kIdWidth = 12;
constexpr std::size_t kCommandWidth = 20;
constexpr std::size_t kMountWidth = 15;
constexpr char const* kHealth = "none";  // nobody checks it

std::string joined(std::vector<std::string> const& words, char const* separator) {
    return fmt::format("{}", fmt::join(words, separator));
}

// Mounts by hand run no command, and count as running for as long as they are there.
void note_mount(ContainerRow& row, std::vector<MountInfo> const& mounts) {
    auto const mount = std::ranges::find(mounts, row.container.id, &MountInfo::container_id);
    if (mount != mounts.end() && !row.state.is_active()) {
        row.state.status = ContainerState::Status::running;
        row.state.started = mount->started;
    }
}

Result<ContainerRow> row_of(store::Store const& store, Container const& container,
                            std::vector<MountInfo> const& mounts) {
    ContainerRow row{.container = container, .run = {}, .state = {}, .command = {}};
    row.state = OBLEA_TRY(observe_state(store, container));
    if (!container.run.empty()) {
        row.run = OBLEA_TRY(parse_run_config(container.run));
        row.command = row.run->arguments();
    } else {
        ImageDefaults const defaults = OBLEA_TRY(read_image_defaults(store, container.image));
        row.command = plan_command(defaults, {});
    }
    note_mount(row, mounts);
    return row;
}

std::string shown_id(ContainerRow const& row, RowOptions::Truncate truncate) {
    return truncate == RowOptions::Truncate::yes ? row.container.id.substr(0, kIdWidth)
                                                 : row.container.id;
}

// What was typed, as long as it still means the image that the container was made from.
std::string shown_image(store::Images const& images, Container const& container,
                        RowOptions::Truncate truncate) {
    auto const meant = images.resolve(container.image_name);
    bool const holds =
        !container.image_name.empty() && meant.has_value() && (*meant)->id == container.image;
    if (truncate == RowOptions::Truncate::no) {
        return holds ? container.image_name : container.image.to_string();
    }
    bool const is_id = container.image_name == container.image.to_string() ||
                       container.image_name == container.image.hex();
    // "NAME@sha256:..." without the digest.
    return holds && !is_id ? container.image_name.substr(0, container.image_name.find('@'))
                           : container.image.short_hex();
}

std::string shown_ports(ContainerRow const& row) {
    std::vector<std::string> ports;
    if (row.run.has_value() && row.is_active()) {
        for (PortMapping const& port : row.run->ports) {
            ports.push_back(port.to_string());
        }
    }
    return joined(ports, ", ");
}

std::string network_name(ContainerRow const& row) {
    if (!row.run.has_value()) {
        return "";
    }
    switch (row.run->network) {
    case Network::none:
        return "none";
    case Network::published:
        return "pasta";
    case Network::host:
        break;
    }
    return "host";
}

Labels labels_of(ContainerRow const& row) {
    return row.run.has_value() ? row.run->labels : Labels{};
}

std::string labels_text(ContainerRow const& row) {
    std::vector<std::string> list;
    for (auto const& [name, value] : labels_of(row)) {
        list.push_back(name + '=' + value);
    }
    return joined(list, ",");
}

std::string mounts_text(ContainerRow const& row, RowOptions::Truncate truncate) {
    std::vector<std::string> list;
    auto const add = [&](std::string const& name) {
        bool const cut = truncate == RowOptions::Truncate::yes;
        list.push_back(cut ? cut_to_width(name, kMountWidth) : name);
    };
    if (row.run.has_value()) {
        for (BindMount const& bind : row.run->binds) {
            add(bind.source);
        }
        for (VolumeMount const& volume : row.run->volumes) {
            add(volume.name);
        }
    }
    return joined(list, ",");
}

std::size_t volume_count(ContainerRow const& row) {
    return row.run.has_value() ? row.run->volumes.size() : 0;
}

// Docker's way: arguments with spaces in single quotes, whatever else they have.
std::string shown_command(std::vector<std::string> const& words) {
    std::string text;
    for (std::string const& word : words) {
        bool const quoted = !text.empty() && word.find(' ') != std::string::npos;
        text += (text.empty() ? "" : " ") + (quoted ? '\'' + word + '\'' : word);
    }
    return text;
}

Record record_of(store::Store const& store, store::Images const& images, ContainerRow const& row,
                 RowOptions const& options) {
    Container const& container = row.container;
    bool const cut = options.truncate == RowOptions::Truncate::yes;
    std::string command = shown_command(row.command);
    if (cut) {
        command = cut_to_width(command, kCommandWidth);
    }
    auto const created = parse_rfc3339(container.created);
    Record record{.type = "*formatter.ContainerContext"};
    record.set("ID", shown_id(row, options.truncate));
    record.set("Names", container.name);
    record.set("Image", shown_image(images, container, options.truncate));
    record.set("Command", templates::go_quote(command));
    record.set("CreatedAt", created.has_value() ? go_time(*created) : "");
    record.set("RunningFor",
               created.has_value() ? human_duration(options.now - *created) + " ago" : "");
    record.set("Ports", shown_ports(row));
    record.set("State", status_name(row.state.status));
    record.set("Status", status_text(row.state, options.now));
    record.set("Labels", labels_text(row));
    record.set("Mounts", mounts_text(row, options.truncate));
    record.set("LocalVolumes", std::to_string(volume_count(row)));
    record.set("Networks", network_name(row));
    record.set("HealthStatus", kHealth);
    record.fields["Size"] = [&store, &container]() -> Result<Value> {
        return Value{size_text(OBLEA_TRY(container_size(store, container)))};
    };
    record.methods["Label"] = [labels = labels_of(row)](std::string const& name) -> Result<Value> {
        auto const found = labels.find(name);
        return Value{found != labels.end() ? found->second : std::string{}};
    };
    return record;
}

templates::RowFormat row_format(RowOptions const& options) {
    std::string table = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t"
                        "{{.Ports}}\t{{.Names}}";
    if (options.sizes == RowOptions::Sizes::show) {
        table += "\t{{.Size}}";
    }
    return {.format = options.format,
            .default_table = std::move(table),
            .titles = {{"ID", "CONTAINER ID"},
                       {"Names", "NAMES"},
                       {"Image", "IMAGE"},
                       {"Command", "COMMAND"},
                       {"CreatedAt", "CREATED AT"},
                       {"RunningFor", "CREATED"},
                       {"Ports", "PORTS"},
                       {"State", "STATE"},
                       {"Status", "STATUS"},
                       {"Size", "SIZE"},
                       {"Labels", "LABELS"},
                       {"Mounts", "MOUNTS"},
                       {"LocalVolumes", "LOCAL VOLUMES"},
                       {"Networks", "NETWORKS"},
                       {"HealthStatus", "HEALTH STATUS"}}};
}

// --- filters

bool any_of(std::vector<std::string> const& values,
            std::function<bool(std::string const&)> const& holds) {
    return values.empty() || std::ranges::any_of(values, holds);
}

// Whether the container was made from what `typed` names, or from what was built on it. An image
// that is gone is known by what the container says of it.
bool is_ancestor(store::Images const& images, std::string const& typed, ContainerRow const& row) {
    if (auto const wanted = images.resolve(typed); wanted.has_value()) {
        store::Digest const sought = (*wanted)->id;
        std::optional<store::Digest> at = row.container.image;
        while (at.has_value() && *at != sought) {
            store::Image const* const image = images.find(*at);
            at = image == nullptr ? std::nullopt : image->parent;
        }
        return at.has_value();
    }
    std::string const id = row.container.image.to_string();
    std::string const hex = row.container.image.hex();
    if (typed == id || (typed.size() >= 4 && hex.starts_with(typed)) ||
        typed == row.container.image_name) {
        return true;
    }
    auto const wanted = store::Reference::parse(typed);
    auto const image = store::Reference::parse(row.container.image_name);
    return wanted.has_value() && image.has_value() &&
           wanted->with_default_tag().canonical() == image->with_default_tag().canonical();
}

// "PORT" or "PORT/PROTOCOL"; without a protocol it is tcp.
bool has_port(std::string const& typed, ContainerRow const& row,
              std::uint16_t PortMapping::* which) {
    return row.run.has_value() && std::ranges::any_of(row.run->ports, [&](PortMapping const& one) {
               std::string const port = std::to_string(one.*which);
               bool const tcp = one.protocol == PortMapping::Protocol::tcp;
               return typed == port + (tcp ? "/tcp" : "/udp") || (tcp && typed == port);
           });
}

bool has_volume(std::string const& typed, ContainerRow const& row) {
    return row.run.has_value() &&
           (std::ranges::any_of(
                row.run->binds,
                [&](BindMount const& one) { return one.source == typed || one.target == typed; }) ||
            std::ranges::any_of(row.run->volumes, [&](VolumeMount const& one) {
                return one.name == typed || one.target == typed;
            }));
}

constexpr std::array kStatuses{"created", "restarting", "running", "removing",
                               "paused",  "exited",     "dead"};

Status check_statuses(std::vector<std::string> const& statuses) {
    for (std::string const& status : statuses) {
        if (std::ranges::find(kStatuses, status) == kStatuses.end()) {
            return fail(Errno::einval, "",
                        fmt::format("invalid filter 'status={}': it is one of {}", status,
                                    fmt::join(kStatuses, ", ")));
        }
    }
    return {};
}

std::vector<std::string> const& filter_keys() {
    static std::vector<std::string> const keys{"ancestor", "before",  "exited",  "id",    "label",
                                               "name",     "network", "publish", "since", "status",
                                               "volume",   "expose",  "health"};
    return keys;
}

}  // namespace

Result<ContainerRows> container_rows(store::Store const& store) {
    auto const mounts = OBLEA_TRY(list_mounts(store));
    ContainerList const list = OBLEA_TRY(list_containers(store));
    ContainerRows result{.rows = {}, .damaged = list.damaged};
    for (Container const& container : list.all) {
        auto row = row_of(store, container, mounts);
        if (row.has_value()) {
            result.rows.push_back(*std::move(row));
        } else {
            result.damaged.push_back("container " + container.name + ": " + row.error().message());
        }
    }
    std::ranges::stable_sort(result.rows, std::greater<>{},
                             [](ContainerRow const& row) { return row.container.created; });
    return result;
}

Result<std::string> render_containers(store::Store const& store, std::span<ContainerRow const> rows,
                                      RowOptions const& options) {
    store::Images const images = OBLEA_TRY(store.images());
    std::vector<Record> records;
    for (ContainerRow const& row : rows) {
        records.push_back(record_of(store, images, row, options));
    }
    return templates::render_rows(row_format(options), records);
}

bool wants_all(std::span<std::string const> filters) {
    return std::ranges::any_of(filters, [](std::string const& filter) {
        return filter.starts_with("status=") || filter.starts_with("exited=") ||
               filter.starts_with("before=") || filter.starts_with("since=");
    });
}

Result<std::vector<ContainerRow>> filter_rows(store::Store const& store,
                                              std::vector<ContainerRow> rows,
                                              std::span<std::string const> words) {
    Filters const filters = OBLEA_TRY(Filters::parse(words, filter_keys()));
    OBLEA_TRY(check_statuses(filters.of("status")));
    std::vector<NameMatcher> names;
    for (std::string const& pattern : filters.of("name")) {
        names.push_back(OBLEA_TRY(name_matcher(pattern)));
    }
    std::optional<store::Images> images;
    if (filters.has("ancestor")) {
        images = OBLEA_TRY(store.images());
    }
    std::string before;
    for (std::string const& name : filters.of("before")) {
        Container const other = OBLEA_TRY(need_container(store, name));
        before = other.created;
    }
    std::string since;
    for (std::string const& name : filters.of("since")) {
        Container const other = OBLEA_TRY(need_container(store, name));
        since = other.created;
    }
    std::erase_if(rows, [&](ContainerRow const& row) {
        Container const& container = row.container;
        bool const exited = row.state.status == ContainerState::Status::exited;
        bool const kept =
            any_of(filters.of("id"),
                   [&](std::string const& id) { return container.id.starts_with(id); }) &&
            (names.empty() ||
             std::ranges::any_of(names,
                                 // In docker a name begins with a slash, and people write "^/web$".
                                 [&](NameMatcher const& matches) {
                                     return matches(container.name) ||
                                            matches('/' + container.name);
                                 })) &&
            any_of(filters.of("exited"),
                   [&](std::string const& code) {
                       return exited && code == std::to_string(row.state.exit_code);
                   }) &&
            any_of(filters.of("status"),
                   [&](std::string const& status) {
                       return status == status_name(row.state.status);
                   }) &&
            any_of(filters.of("ancestor"),
                   [&](std::string const& image) { return is_ancestor(*images, image, row); }) &&
            any_of(filters.of("network"),
                   [&](std::string const& name) { return name == network_name(row); }) &&
            any_of(
                filters.of("publish"),
                [&](auto const& port) { return has_port(port, row, &PortMapping::host_port); }) &&
            any_of(filters.of("expose"),
                   [&](auto const& port) {
                       return has_port(port, row, &PortMapping::container_port);
                   }) &&
            any_of(filters.of("health"), [](auto const& state) { return state == kHealth; }) &&
            any_of(filters.of("volume"),
                   [&](std::string const& path) { return has_volume(path, row); }) &&
            has_labels(labels_of(row), filters.of("label")) &&
            (before.empty() || container.created < before) &&
            (since.empty() || container.created > since);
        return !kept;
    });
    return rows;
}

}  // namespace oblea::tools
