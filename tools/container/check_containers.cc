// SPDX-License-Identifier: MIT
#include "tools/container/check_containers.h"

#include "fs/lower/image_lower.h"
#include "fs/upper/check_upper.h"
#include "fs/upper/upper_changes.h"
#include "store/base/absence.h"
#include "store/base/mutex.h"
#include "store/base/sys.h"
#include "store/image/merged_index.h"
#include "store/layer/layout.h"
#include "store/parallel.h"
#include "tools/mount/child_work.h"
#include "tools/mount/user_namespace.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;
using store::Digest;
using store::Fault;

// One thing that a child tells: a fault, or with an empty path that the container is in use.
struct Told {
    std::string container;  // id, or name
    std::string path;
    std::string what;
};

// No part of it has a zero byte in it: names of files have none.
std::string encode(std::vector<Told> const& all) {
    std::string text;
    for (Told const& told : all) {
        for (std::string const* part : {&told.container, &told.path, &told.what}) {
            text.append(*part).push_back('\0');
        }
    }
    return text;
}

std::vector<Told> decode(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        auto const end = text.find('\0');
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    std::vector<Told> all;
    for (std::size_t at = 0; at + 2 < parts.size(); at += 3) {
        all.push_back({std::move(parts[at]), std::move(parts[at + 1]), std::move(parts[at + 2])});
    }
    return all;
}

class ContainersChecker {
public:
    ContainersChecker(store::Store const& store, std::atomic<bool> const* cancel)
        : store_(store), cancel_(cancel) {}

    // From any thread.
    Status check(std::string const& id) {
        std::vector<Told> told;
        OBLEA_TRY(look_at(id, told));
        bool const is_there =
            OBLEA_TRY(sys::stat_if_exists(store_.root(), record(id).c_str())).has_value();
        base::LockGuard const lock{told_.mutex};
        if (is_there) {  // else it was removed meanwhile
            std::ranges::move(told, std::back_inserter(told_.all));
        }
        return {};
    }

    std::vector<Told> take() {
        base::LockGuard const lock{told_.mutex};
        return std::move(told_.all);
    }

private:
    static std::string folder(std::string const& id) { return store::layout::container(id); }
    static std::string record(std::string const& id) { return folder(id) + "/container.json"; }

    Status look_at(std::string const& id, std::vector<Told>& told) {
        auto const fault = [&](std::string const& path, std::string what) {
            told.push_back({id, folder(id) + path, std::move(what)});
        };
        auto const container = read_container(store_, id);
        if (!container.has_value()) {
            if (!base::is_absent(container.error().code)) {
                fault("/container.json", container.error().message());
            }
            return {};
        }
        UniqueFd const top =
            OBLEA_TRY(sys::openat(store_.root(), folder(id).c_str(), O_RDONLY | O_DIRECTORY));
        struct stat const info = OBLEA_TRY(sys::fstat(top.get()));
        if ((info.st_mode & 0077U) != 0) {
            fault("", fmt::format("others than its owner may enter it: its permissions are {:04o} "
                                  "and should be 0700",
                                  info.st_mode & 07777U));
        }
        auto const root = sys::stat_if_exists(top.get(), "root");
        if (!root.has_value() || !root->has_value() || !S_ISDIR((*root)->st_mode)) {
            fault("/root", "the folder is missing that it is mounted on");
        }
        return check_layer(*container, top.get(), told);
    }

    struct Layer {
        UniqueFd upper, work;
    };
    enum class Found { nothing, layer, fault };

    // What was never mounted has neither folder.
    Found open_layer(int top, Layer& layer, std::string& what) const {
        auto upper = sys::openat(top, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        auto work = sys::openat(top, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        bool const no_work = !work.has_value() && work.error().code == Errno::enoent;
        if (!upper.has_value()) {
            bool const none = upper.error().code == Errno::enoent && no_work;
            what = upper.error().code == Errno::enoent
                       ? "it is missing, with all that was written to the container"
                       : upper.error().message();
            return none ? Found::nothing : Found::fault;
        }
        layer.upper = *std::move(upper);
        if (work.has_value()) {
            layer.work = *std::move(work);
        } else if (!no_work) {
            what = work.error().message();
            return Found::fault;
        }
        return Found::layer;
    }

    Status check_layer(Container const& container, int top, std::vector<Told>& told) {
        Layer layer;
        std::string what;
        Found const found = open_layer(top, layer, what);
        if (found == Found::fault) {
            told.push_back({container.id,
                            folder(container.id) + (layer.upper.valid() ? "/work" : "/upper"),
                            what});
        }
        if (found != Found::layer) {
            return {};
        }
        // Nobody mounts it as long as the lock is held; who wants to waits for the end of this.
        UniqueFd lock;
        bool held = false;
        if (layer.work.valid()) {
            auto file = sys::openat(layer.work.get(), "lock", O_RDONLY | O_NOFOLLOW);
            if (file.has_value()) {
                lock = *std::move(file);
                held = OBLEA_TRY(sys::try_lock(lock.get(), sys::LockKind::shared));
            }
        }
        auto faults = OBLEA_TRY(check_upper(container, layer, held));
        if (!faults.empty() && !lock.valid() && has_lock(top)) {
            // The first mount has begun meanwhile.
            faults = OBLEA_TRY(check_upper(container, layer, false));
        }
        for (fs::UpperFault& fault : faults) {
            told.push_back(
                {container.id, folder(container.id) + '/' + fault.path, std::move(fault.what)});
        }
        if (lock.valid() && !held) {
            told.push_back({container.name, "", ""});
        }
        return {};
    }

    static bool has_lock(int top) {
        auto const there = sys::stat_if_exists(top, "work/lock");
        return there.has_value() && there->has_value();
    }

    Result<std::vector<fs::UpperFault>> check_upper(Container const& container, Layer const& layer,
                                                    bool alone) {
        auto const seen = OBLEA_TRY(fs::mark_space_seen(layer.upper.get()));
        std::shared_ptr<fs::LowerTree const> const lower = lower_of(container.layers);
        fs::UpperCheck const check{
            .upper = layer.upper.get(),
            .work = layer.work.get(),
            .space = seen.value_or(::geteuid() == 0 ? fs::MarkSpace::trusted : fs::MarkSpace::user),
            .lower = lower.get(),
            .mounted = alone ? fs::UpperCheck::Mounted::no : fs::UpperCheck::Mounted::yes,
            .cancel = cancel_};
        return fs::check_upper(check);
    }

    // Null where the layers are damaged or missing, which verify_store() names.
    std::shared_ptr<fs::LowerTree const> lower_of(std::vector<Digest> const& layers) {
        base::LockGuard const lock{lowers_.mutex};
        auto const [at, fresh] = lowers_.by_chain.try_emplace(layers);
        if (fresh) {
            auto tree = store::build_merged_index(store_.roots(), layers);
            at->second = tree.has_value() ? fs::names_of_image(*std::move(tree)) : nullptr;
        }
        return at->second;
    }

    store::Store const& store_;
    std::atomic<bool> const* cancel_;
    struct {
        base::Mutex mutex;
        std::vector<Told> all OBLEA_GUARDED_BY(mutex);
    } told_;
    struct {
        base::Mutex mutex;
        std::map<std::vector<Digest>, std::shared_ptr<fs::LowerTree const>>
            by_chain OBLEA_GUARDED_BY(mutex);
    } lowers_;
};

Result<std::string> check_all(store::Store const& store, std::vector<std::string> const& ids,
                              std::atomic<bool> const* cancel) {
    if (::geteuid() != 0) {
        // Where it is refused, nobody has written with other ids than ours.
        static_cast<void>(enter_user_namespace());
    }
    ContainersChecker checker{store, cancel};
    base::Mutex mutex;
    std::optional<Error> failure;
    store::for_each_position(ids.size(), [&](std::size_t at) {
        auto checked = with_context(checker.check(ids[at]), [&] { return "container " + ids[at]; });
        if (!checked.has_value()) {
            base::LockGuard const lock{mutex};
            failure = std::move(checked).error();
        }
    });
    if (failure.has_value()) {
        return std::unexpected<Error>(*std::move(failure));
    }
    return encode(checker.take());
}

}  // namespace

Result<ContainersCheck> check_containers(store::Store const& store,
                                         std::atomic<bool> const* cancel) {
    std::vector<std::string> const ids = OBLEA_TRY(list_container_ids(store));
    ContainersCheck check;
    if (ids.empty()) {
        return check;
    }
    std::string const text = OBLEA_TRY(run_in_child([&] { return check_all(store, ids, cancel); }));
    for (Told& told : decode(text)) {
        if (told.path.empty()) {
            check.in_use.push_back(std::move(told.container));
            continue;
        }
        Fault fault;
        fault.kind = Fault::Kind::container;
        fault.path = std::move(told.path);
        fault.what = std::move(told.what);
        fault.containers.push_back(std::move(told.container));
        check.faults.push_back(std::move(fault));
    }
    std::ranges::sort(check.faults, {}, &Fault::path);
    std::ranges::sort(check.in_use);
    return check;
}

}  // namespace oblea::tools
