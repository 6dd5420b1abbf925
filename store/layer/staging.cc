// SPDX-License-Identifier: MIT
#include "store/layer/staging.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/publish.h"
#include "store/sync.h"

#include <linux/fs.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>

namespace oblea::store {

namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr char const* kParts[] = {"index", "pack", "recipe"};

std::string folder_of(std::string const& path) {
    return path.substr(0, path.rfind('/'));
}

Result<std::string> make_folder(int root) {
    for (;;) {
        std::uint64_t random = 0;
        if (::getrandom(&random, sizeof(random), 0) != sizeof(random)) {
            return fail(sys::last_errno(), "getrandom");
        }
        std::string name = std::string{layout::kTmp} + "/import-" + std::to_string(::getpid()) +
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

Result<UniqueFd> create_private(int root, std::string const& path) {
    return with_context(sys::openat(root, path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600),
                        [&] { return path; });
}

Status rename_into_place(int root, std::string const& from, std::string const& to,
                         unsigned flags = 0) {
    return with_context(sys::renameat2(root, from.c_str(), root, to.c_str(), flags),
                        [&] { return to; });
}

}  // namespace

Result<std::unique_ptr<ImportStaging>> ImportStaging::create(int root, StagingOptions options) {
    std::string name = OBLEA_TRY(make_folder(root));
    std::unique_ptr<ImportStaging> staging{new ImportStaging{
        root, std::move(name), std::move(options)}};  // NOLINT: private constructor
    OBLEA_TRY(sys::mkdirat(root, (staging->name_ + "/objects").c_str(), 0700));
    return staging;
}

ImportStaging::~ImportStaging() {
    // What cannot be removed now is debris that gc takes.
    static_cast<void>(sys::remove_tree(root_, name_.c_str()));
}

Result<LayerStaging> ImportStaging::begin_layer() {
    std::string folder = name_ + '/';
    {
        base::LockGuard const lock{mutex_};
        folder += std::to_string(numbers_++);
    }
    OBLEA_TRY(with_context(sys::mkdirat(root_, folder.c_str(), 0700), [&] { return folder; }));
    return LayerStaging{*this, std::move(folder)};
}

std::string ImportStaging::next_object_file() {
    base::LockGuard const lock{mutex_};
    return name_ + "/objects/" + std::to_string(numbers_++);
}

Result<ImportStaging::Object> ImportStaging::take_object(std::string file, Digest const& digest) {
    std::string const target = layout::object(digest);
    bool const published =
        !distrust_.objects.contains(digest) && OBLEA_TRY(refresh_published(root_, target.c_str()));
    {
        base::LockGuard const lock{mutex_};
        if (published) {
            relied_on_.insert(folder_of(target));
        } else if (known_objects_.insert(digest).second) {
            objects_.push_back({std::move(file), digest});
            return Object::added;
        }
    }
    OBLEA_TRY(sys::unlinkat(root_, file.c_str()));
    return Object::known;
}

Status ImportStaging::add_document(std::string_view bytes, Digest const& digest) {
    std::string target = layout::blob(digest);
    if (distrust_.blobs.contains(digest) || !OBLEA_TRY(refresh_published(root_, target.c_str()))) {
        return add_file(std::move(target), base::bytes_of(bytes));
    }
    base::LockGuard const lock{mutex_};
    relied_on_.insert(layout::kBlobs);
    return {};
}

Status ImportStaging::add_merged(std::string const& path, base::ByteView bytes) {
    return add_file(path, bytes);
}

Status ImportStaging::add_file(std::string target, base::ByteView bytes) {
    std::string file = name_ + '/';
    {
        base::LockGuard const lock{mutex_};
        file += std::to_string(numbers_++) + ".file";
    }
    UniqueFd const opened = OBLEA_TRY(create_private(root_, file));
    base::ScopeExit discard{[&] { static_cast<void>(sys::unlink_if_exists(root_, file.c_str())); }};
    OBLEA_TRY(with_context(sys::write_all(opened.get(), bytes), [&] { return target; }));
    discard.dismiss();
    base::LockGuard const lock{mutex_};
    files_.push_back({.file = std::move(file), .target = std::move(target)});
    return {};
}

std::optional<std::string> ImportStaging::find_index(Digest const& diff_id) {
    base::LockGuard const lock{mutex_};
    auto const at = std::ranges::find(layers_, diff_id, &Layer::diff_id);
    return at == layers_.end() ? std::nullopt : std::optional{at->folder + "/index"};
}

void ImportStaging::take_layer(Layer layer) {
    base::LockGuard const lock{mutex_};
    layers_.push_back(std::move(layer));
}

std::vector<std::string> ImportStaging::staged_paths() const {
    std::vector<std::string> paths;
    for (Layer const& layer : layers_) {
        for (char const* const part : kParts) {
            paths.push_back(layer.folder + '/' + part);
        }
        paths.push_back(layer.folder);
        if (!layer.blob_file.empty()) {
            paths.push_back(layer.blob_file);
        }
    }
    for (StagedObject const& object : objects_) {
        paths.push_back(object.file);
    }
    for (StagedFile const& file : files_) {
        paths.push_back(file.file);
    }
    return paths;
}

// DURABILITY.md "Import" tells what a crash leaves after each step.
Status ImportStaging::publish(unsigned sync_threads) {
    base::LockGuard const lock{mutex_};
    bool const nothing =
        layers_.empty() && objects_.empty() && files_.empty() && relied_on_.empty();
    if (nothing) {
        return {};
    }
    // What has its name in the store has its bytes on disk.
    writeback_.forget();
    OBLEA_TRY(sync_paths(root_, staged_paths(), sync_threads));
    OBLEA_TRY(writeback_.finish());
    std::set<std::string> folders = std::exchange(relied_on_, {});
    OBLEA_TRY(publish_objects(folders));
    for (Layer const& layer : layers_) {
        if (!layer.blob_file.empty()) {
            OBLEA_TRY(rename_into_place(root_, layer.blob_file, layout::blob(layer.blob)));
            folders.insert(layout::kBlobs);
        }
    }
    for (StagedFile const& file : files_) {
        OBLEA_TRY(rename_into_place(root_, file.file, file.target));
        folders.insert(folder_of(file.target));
    }
    files_.clear();
    for (Layer const& layer : layers_) {
        OBLEA_TRY(publish_layer(layer));
        folders.insert(layout::kLayers);
    }
    layers_.clear();
    return sync_paths(root_, {folders.begin(), folders.end()}, sync_threads);
}

Status ImportStaging::publish_objects(std::set<std::string>& folders) {
    for (StagedObject const& object : objects_) {
        std::string const target = layout::object(object.digest);
        std::string const folder = folder_of(target);
        if (folders.insert(folder).second) {
            auto made = sys::mkdirat(root_, folder.c_str(), 0700);
            if (made.has_value()) {
                folders.insert(layout::kObjects);
            } else if (made.error().code != Errno::eexist) {
                return std::unexpected<Error>(with_context(made.error(), folder));
            }
        }
        // One that another import has published meanwhile has the same bytes: replacing it harms
        // nobody.
        OBLEA_TRY(rename_into_place(root_, object.file, target));
    }
    objects_.clear();
    return {};
}

Status ImportStaging::publish_layer(Layer const& layer) {
    std::string const target = layout::layer(layer.diff_id);
    for (;;) {
        auto renamed = sys::renameat2(root_, layer.folder.c_str(), root_, target.c_str());
        bool const taken = !renamed.has_value() && (renamed.error().code == Errno::enotempty ||
                                                    renamed.error().code == Errno::eexist);
        if (!taken) {
            return with_context(std::move(renamed), [&] { return target; });
        }
        // Another import was faster, with the same layer, or an old one is damaged. Should gc have
        // taken it since, the place is free again.
        if (!OBLEA_TRY(refresh_published(root_, target.c_str()))) {
            continue;
        }
        if (!distrust_.layers.contains(layer.diff_id) &&
            OBLEA_TRY(has_layer(root_, layer.diff_id))) {
            return {};
        }
        auto swapped = rename_into_place(root_, layer.folder, target, RENAME_EXCHANGE);
        if (swapped.has_value() || swapped.error().code != Errno::enoent) {
            return swapped;  // the damaged one goes with the staging folder
        }
    }
}

LayerStaging::LayerStaging(LayerStaging&& other) noexcept
    : import_(other.import_), folder_(std::exchange(other.folder_, {})),
      object_file_(std::exchange(other.object_file_, {})) {}

LayerStaging::~LayerStaging() {
    if (!folder_.empty()) {
        static_cast<void>(sys::remove_tree(import_.root_, folder_.c_str()));
        static_cast<void>(sys::unlink_if_exists(import_.root_, blob_file().c_str()));
    }
    if (!object_file_.empty()) {
        static_cast<void>(sys::unlink_if_exists(import_.root_, object_file_.c_str()));
    }
}

Result<UniqueFd> LayerStaging::create_file(char const* part) const {
    return create_private(import_.root_, folder_ + '/' + part);
}

Result<UniqueFd> LayerStaging::create_blob() const {
    return create_private(import_.root_, blob_file());
}

Result<bool> LayerStaging::link_blob(char const* path) const {
    auto linked = sys::linkat(import_.root_, path, import_.root_, blob_file().c_str());
    bool const no_links = !linked.has_value() && (linked.error().code == Errno::eperm ||
                                                  linked.error().code == Errno::eopnotsupp ||
                                                  linked.error().code == Errno::emlink);
    if (no_links) {
        return false;
    }
    OBLEA_TRY(with_context(std::move(linked), [&] { return path; }));
    return true;
}

Result<UniqueFd> LayerStaging::begin_object() {
    object_file_ = import_.next_object_file();
    return create_private(import_.root_, object_file_);
}

Result<LayerStaging::Object> LayerStaging::end_object(Digest const& digest) {
    return import_.take_object(std::exchange(object_file_, {}), digest);
}

void LayerStaging::finish(Digest const& diff_id, Digest const* blob) {
    ImportStaging::Layer layer{std::exchange(folder_, {}), diff_id, {}, {}};
    if (blob != nullptr) {
        layer.blob_file = layer.folder + ".blob";
        layer.blob = *blob;
    }
    import_.take_layer(std::move(layer));
}

}  // namespace oblea::store
