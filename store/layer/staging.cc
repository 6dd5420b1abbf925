// SPDX-License-Identifier: MIT
#include "store/layer/staging.h"

#include "store/base/sys.h"
#include "store/layer/layout.h"
#include "store/publish.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace oblea::store {

namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr char const* kLayer = "layer";
constexpr char const* kBlob = "blob";
constexpr char const* kObjects = "objects";

std::string object_file(std::size_t number) {
    return std::string{kObjects} + '/' + std::to_string(number);
}

Status sync_folder(int dir, char const* path) {
    UniqueFd const folder = OBLEA_TRY(
        with_context(sys::openat(dir, path, O_RDONLY | O_DIRECTORY), [&] { return path; }));
    return with_context(sys::fsync(folder.get()), [&] { return path; });
}

Result<std::string> make_folder(int root) {
    for (;;) {
        std::uint64_t random = 0;
        if (::getrandom(&random, sizeof(random), 0) != sizeof(random)) {
            return fail(sys::last_errno(), "getrandom");
        }
        std::string name = std::string{layout::kTmp} + "/layer-" + std::to_string(::getpid()) +
                           '-' + std::to_string(random);
        auto made = sys::mkdirat(root, name.c_str(), 0700);
        if (made.has_value()) {
            return name;
        }
        if (made.error().code != Errno::eexist) {
            return std::unexpected<Error>(with_context(made.error(), name));
        }
    }
}

}  // namespace

Result<LayerStaging> LayerStaging::create(int root) {
    std::string name = OBLEA_TRY(make_folder(root));
    UniqueFd folder = OBLEA_TRY(sys::openat(root, name.c_str(), O_RDONLY | O_DIRECTORY));
    LayerStaging staging{root, std::move(name), std::move(folder)};
    OBLEA_TRY(sys::mkdirat(staging.folder_.get(), kLayer, 0700));
    OBLEA_TRY(sys::mkdirat(staging.folder_.get(), kObjects, 0700));
    return staging;
}

LayerStaging::LayerStaging(LayerStaging&& other) noexcept
    : root_(other.root_), name_(std::exchange(other.name_, {})), folder_(std::move(other.folder_)),
      objects_(std::move(other.objects_)), known_(std::move(other.known_)) {}

LayerStaging::~LayerStaging() {
    if (!name_.empty()) {
        // What cannot be removed now is debris that gc takes.
        static_cast<void>(sys::remove_tree(root_, name_.c_str()));
    }
}

Result<UniqueFd> LayerStaging::create_file(char const* path) const {
    return with_context(sys::openat(folder_.get(), path, O_RDWR | O_CREAT | O_EXCL, 0600),
                        [&] { return name_ + '/' + path; });
}

Result<UniqueFd> LayerStaging::begin_object() const {
    return create_file(object_file(objects_.size()).c_str());
}

Result<LayerStaging::Object> LayerStaging::end_object(Digest const& digest) {
    bool const known = known_.contains(digest) ||
                       OBLEA_TRY(refresh_published(root_, layout::object(digest).c_str()));
    known_.insert(digest);
    if (known) {
        OBLEA_TRY(sys::unlinkat(folder_.get(), object_file(objects_.size()).c_str()));
        return Object::known;
    }
    objects_.push_back(digest);
    return Object::added;
}

// The order is what makes a crash harmless. Up to the last rename readers see no new layer:
// 1. files synced            crash: debris in tmp/                           removed by gc
// 2. objects renamed         crash: durable objects that nothing refers to   removed by gc
// 3. blob renamed            crash: the same, and a blob                     removed by gc
// 4. layer renamed           crash: the layer is there, or not, as a whole   removed by gc, or used
// 5. layers/ synced          from here on the layer outlasts a power loss
Status LayerStaging::publish(Publication const& publication) {
    bool const has_layer =
        OBLEA_TRY(refresh_published(root_, layout::layer(publication.diff_id).c_str()));
    std::vector<std::string> files;
    if (publication.blob != nullptr) {
        files.emplace_back(kBlob);
    }
    if (!has_layer) {
        for (char const* const name : {"layer/pack", "layer/index", "layer/recipe"}) {
            files.emplace_back(name);
        }
        for (std::size_t i = 0; i < objects_.size(); ++i) {
            files.push_back(object_file(i));
        }
    }
    OBLEA_TRY(sync_files(files, publication.sync_threads));
    if (!has_layer) {
        OBLEA_TRY(sync_folder(folder_.get(), kLayer));
        OBLEA_TRY(publish_objects());
    }
    if (publication.blob != nullptr) {
        OBLEA_TRY(publish_blob(*publication.blob));
    }
    return has_layer ? Status{} : publish_layer(publication.diff_id);
}

// The first sync of a journalling file system takes the metadata of all files along; the others
// then have little to wait for, and waiting side by side hides what is left.
Status LayerStaging::sync_files(std::vector<std::string> const& paths, unsigned threads) const {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::optional<Error> failure;
    auto const work = [&] {
        for (std::size_t i = next++; i < paths.size(); i = next++) {
            auto file = sys::openat(folder_.get(), paths[i].c_str(), O_RDONLY);
            auto synced = file.has_value() ? sys::fsync(file->get())
                                           : Status{std::unexpected<Error>(file.error())};
            if (!synced.has_value()) {
                std::lock_guard const lock{mutex};
                failure = with_context(synced.error(), name_ + '/' + paths[i]);
                next = paths.size();
            }
        }
    };
    {
        std::vector<std::jthread> helpers;
        std::size_t const count = std::min<std::size_t>(threads, paths.size());
        for (std::size_t i = 1; i < count; ++i) {
            helpers.emplace_back(work);
        }
        work();
    }
    if (failure.has_value()) {
        return std::unexpected<Error>(*failure);
    }
    return {};
}

Status LayerStaging::publish_objects() {
    std::set<std::string> folders;
    bool new_folder = false;
    for (std::size_t i = 0; i < objects_.size(); ++i) {
        std::string const target = layout::object(objects_[i]);
        std::string const folder = target.substr(0, target.rfind('/'));
        if (folders.insert(folder).second) {
            auto made = sys::mkdirat(root_, folder.c_str(), 0700);
            new_folder = new_folder || made.has_value();
            if (!made.has_value() && made.error().code != Errno::eexist) {
                return std::unexpected<Error>(with_context(made.error(), folder));
            }
        }
        // One that another import has published meanwhile has the same bytes: replacing it harms
        // nobody.
        OBLEA_TRY(with_context(
            sys::renameat2(folder_.get(), object_file(i).c_str(), root_, target.c_str()),
            [&] { return target; }));
    }
    for (std::string const& folder : folders) {
        OBLEA_TRY(sync_folder(root_, folder.c_str()));
    }
    return new_folder ? sync_folder(root_, layout::kObjects) : Status{};
}

Status LayerStaging::publish_blob(Digest const& blob) {
    std::string const target = layout::blob(blob);
    if (OBLEA_TRY(refresh_published(root_, target.c_str()))) {
        return {};
    }
    OBLEA_TRY(with_context(sys::renameat2(folder_.get(), kBlob, root_, target.c_str()),
                           [&] { return target; }));
    return sync_folder(root_, layout::kBlobs);
}

Status LayerStaging::publish_layer(Digest const& diff_id) {
    std::string const target = layout::layer(diff_id);
    for (;;) {
        auto renamed = sys::renameat2(folder_.get(), kLayer, root_, target.c_str());
        bool const taken = !renamed.has_value() && (renamed.error().code == Errno::enotempty ||
                                                    renamed.error().code == Errno::eexist);
        if (!taken) {
            OBLEA_TRY(with_context(std::move(renamed), [&] { return target; }));
            break;
        }
        // Another import was faster, with the same layer; should gc have taken it since, the place
        // is free again.
        if (OBLEA_TRY(refresh_published(root_, target.c_str()))) {
            break;
        }
    }
    return sync_folder(root_, layout::kLayers);
}

}  // namespace oblea::store
