// SPDX-License-Identifier: MIT
#include "tools/build/run_step.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/gc.h"
#include "store/image/image_view.h"
#include "store/image/rfc3339.h"
#include "tools/container/container_changes.h"
#include "tools/images/path_in_image.h"
#include "tools/monitor/attach.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/stop.h"
#include "tools/monitor/wire.h"
#include "tools/mount/identifiers.h"
#include "tools/mount/private_server.h"

#include <fmt/format.h>
#include <linux/openat2.h>
#include <nlohmann/json.hpp>

#include <array>

namespace oblea::tools::build {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

// What every container has, whatever its image has.
constexpr std::array kOwnTargets{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
                                 "/proc",      "/sys",          "/dev"};

Result<Container> make_container(store::Store const& store, store::Image const& image,
                                 RunConfig const& config) {
    OwnerIds const ids = OBLEA_TRY(owner_ids_in_private());
    return create_container(store, {.name = {},
                                    .image = image,
                                    .image_name = {},
                                    .owner_ids = ids,
                                    .run = encode_run_config(config).dump()});
}

// The exit status.
Result<int> follow(store::Store const& store, Container const& container) {
    auto monitor = OBLEA_TRY(connect_monitor(store, container));
    if (!monitor.has_value()) {
        return fail(Errno::eio, "", "the container's monitor was lost");
    }
    AttachRequest request;
    request.begin = AttachRequest::Begin::yes;
    auto const ended = OBLEA_TRY(attach(*std::move(monitor), request));
    return ended.value_or(0);
}

// Removes the empty folders and files that mounts were put on, where the image has none. What the
// step itself wrote there stays.
class StubRemover {
public:
    StubRemover(int root, store::Index const& below) : root_(root), below_(below) {}

    Status remove(std::string const& target) {
        ReachedPath const reached = OBLEA_TRY(walk_path(below_, target, LastLink::follow));
        if (reached.ino.has_value()) {
            return {};
        }
        std::vector<std::string> names = reached.names;
        for (bool last = true; !names.empty(); last = false) {
            auto const at = OBLEA_TRY(path_of(names));
            names.pop_back();
            auto const known = OBLEA_TRY(below_.resolve(at));
            if (known.has_value()) {
                return restore_time(at, *known);
            }
            if (!OBLEA_TRY(remove_empty(at, last))) {
                return {};
            }
        }
        return restore_time({}, store::InodeNo::root);
    }

private:
    static Result<store::RelPath> path_of(std::vector<std::string> const& names) {
        store::RelPath path;
        for (std::string const& name : names) {
            store::Name const part = OBLEA_TRY(store::Name::parse(name));
            path = path / part;
        }
        return path;
    }

    // False when it is not empty, or not there.
    Result<bool> remove_empty(store::RelPath const& path, bool may_be_file) {
        auto const parent = sys::openat2(root_, path.parent().c_str(), O_PATH | O_DIRECTORY,
                                         RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (!parent.has_value()) {
            return false;
        }
        std::string const name{path.filename()};
        auto const info = OBLEA_TRY(sys::stat_if_exists(parent->get(), name.c_str()));
        bool const folder = info.has_value() && S_ISDIR(info->st_mode);
        bool const empty_file =
            may_be_file && info.has_value() && S_ISREG(info->st_mode) && info->st_size == 0;
        if (!folder && !empty_file) {
            return false;
        }
        auto const removed = sys::unlinkat(parent->get(), name.c_str(), folder ? AT_REMOVEDIR : 0);
        // What is only shown, for the container's own mounts, is not there to be removed.
        bool const stays = !removed.has_value() && (removed.error().code == Errno::enotempty ||
                                                    removed.error().code == Errno::enoent);
        if (!removed.has_value() && !stays) {
            return std::unexpected<Error>(removed.error());
        }
        return removed.has_value();
    }

    // As if nothing had ever been in it.
    Status restore_time(store::RelPath const& path, store::InodeNo known) {
        auto const attr = OBLEA_TRY(below_.attr(known));
        struct timespec const times[2] = {
            {.tv_sec = 0, .tv_nsec = UTIME_OMIT},
            {.tv_sec = attr.mtime.seconds, .tv_nsec = attr.mtime.nanoseconds}};
        return sys::utimensat(root_, path.c_str(), times);
    }

    int root_;
    store::Index const& below_;
};

Result<store::Digest> publish_changes(ContainerView const& view, RunStep const& step) {
    auto const below = OBLEA_TRY(store::ImageView::open(view.store, view.container.layers));
    StubRemover stubs{view.root, below->tree()};
    auto targets = step.config.build->targets();
    targets.insert(targets.end(), kOwnTargets.begin(), kOwnTargets.end());
    for (std::string const& target : targets) {
        OBLEA_TRY(stubs.remove(target));
    }
    auto steps = OBLEA_TRY(plan_layer(view));
    if (steps.empty()) {
        return publish_step(view.store, step.publish, nullptr);
    }
    auto const latest = OBLEA_TRY(store::source_date_epoch());
    auto root = OBLEA_TRY(sys::duplicate(view.root));
    store::FolderTar tar{std::move(root), std::move(steps), layer_options(view.container, latest)};
    return publish_step(view.store, step.publish, &tar);
}

Result<store::Digest> take_changes(store::Store const& store, Container const& container,
                                   RunStep const& step) {
    auto const look = [&](ContainerView const& view) -> Result<std::string> {
        store::Lease const lease = OBLEA_TRY(view.store.take_lease("build"));
        auto const id = publish_changes(view, step);
        if (!id.has_value()) {
            static_cast<void>(store::discard_since(view.store, lease));  // else gc does
            return std::unexpected<Error>(id.error());
        }
        return id->to_string();
    };
    return store::Digest::parse(OBLEA_TRY(look_into(store, container, -1, look)));
}

}  // namespace

Result<RunOutcome> run_step(store::Store const& store, RunStep const& step,
                            EventSender const& events) {
    Container const container =
        OBLEA_TRY(make_container(store, step.publish.parent.image, step.config));
    std::string const short_id = container.id.substr(0, kShortIdLength);
    events.send({.kind = Event::Kind::running, .text = short_id});
    RunOutcome outcome;
    base::ScopeExit remove{[&] {
        bool const removed = remove_container(store, container).has_value();  // else gc does it
        if (removed && outcome.id != store::Digest{}) {
            events.send({.kind = Event::Kind::removed, .text = short_id});
        }
    }};
    StartOutcome const started =
        OBLEA_TRY(start_monitor(store, container, Begin::when_told, MonitorLife::with_caller));
    if (started.exit_status != 0) {
        fmt::print("{}\n", started.problem);
        std::fflush(stdout);
        outcome.exit_code = started.exit_status;
        return outcome;
    }
    base::ScopeExit end{[&] {
        static_cast<void>(release_container(store, container));  // one that is lost needs no word
        static_cast<void>(wait_for_child(started.monitor));
    }};
    outcome.exit_code = OBLEA_TRY(follow(store, container));
    if (outcome.exit_code == 0) {
        // It is mounted still, and looked into there.
        outcome.id = OBLEA_TRY(take_changes(store, container, step));
    }
    return outcome;
}

Result<Container> tree_container(store::Store const& store, store::Image const& image,
                                 std::string const& lease) {
    RunConfig config;
    config.build.emplace();
    config.build->lease = lease;
    return make_container(store, image, config);
}

}  // namespace oblea::tools::build
