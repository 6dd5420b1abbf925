// SPDX-License-Identifier: MIT
#include "store/store.h"

#include "store/base/limits.h"
#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/image/oci_view.h"
#include "store/layer/layout.h"
#include "store/publish.h"
#include "store/shared_store.h"
#include "store/store_setup.h"
#include "store/sync.h"

#include <fmt/format.h>

#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

struct Store::Impl {
    StoreOptions options;  // absolute
    UniqueFd root;
    std::vector<UniqueFd> shared;
    Roots roots;
};

namespace {

bool is_full(Error const& error) {
    return error.code == Errno::enospc || error.code == Errno::edquot;
}

std::string unique_name() {
    static std::atomic<unsigned> counter{0};
    return fmt::format("{}.{}", ::getpid(), counter.fetch_add(1));
}

// A file of the root, and what is to be in it.
struct Replacement {
    char const* path = nullptr;
    std::string text;
};
using Replacements = std::vector<Replacement>;

// All are brought to disk together, then renamed in their order, then the names synced once.
Status replace_all(int root, Replacements const& files) {
    std::vector<std::string> staged;
    base::ScopeExit const discard{[&] {
        for (std::string const& path : staged) {
            static_cast<void>(sys::unlink_if_exists(root, path.c_str()));
        }
    }};
    for (Replacement const& file : files) {
        staged.push_back(fmt::format("{}.new.{}", file.path, unique_name()));
        UniqueFd const opened = OBLEA_TRY(sys::openat(
            root, staged.back().c_str(), O_WRONLY | O_CREAT | O_EXCL, layout::kFileMode));
        OBLEA_TRY(sys::write_all(opened.get(), base::bytes_of(file.text)));
    }
    OBLEA_TRY(sync_paths(root, staged, sync_threads()));
    for (std::size_t i = 0; i < files.size(); ++i) {
        OBLEA_TRY(sys::renameat2(root, staged[i].c_str(), root, files[i].path));
    }
    staged.clear();
    return sync_paths(root, {"."}, 1);
}

// Writes durably; on a full disk the reserve is given up for it, and made again as soon as there is
// room.
Status replace_with_reserve(int root, Replacements const& files) {
    auto written = replace_all(root, files);
    if (!written.has_value() && is_full(written.error())) {
        OBLEA_TRY(drop_reserve(root));
        written = replace_all(root, files);
    }
    OBLEA_TRY(std::move(written));
    auto reserved = make_reserve(root);
    if (!reserved.has_value() && !is_full(reserved.error())) {
        return reserved;
    }
    return {};
}

Result<std::string> read_images_text(int root) {
    auto text = sys::read_file(root, layout::kImages, limits::kImagesFileBytesMax);
    return with_context(std::move(text), [] { return layout::kImages; });
}

Result<Images> read_images(int root) {
    return Images::parse(OBLEA_TRY(read_images_text(root)));
}

// index.json for these images, when it is another than there is.
Result<std::optional<Replacement>> plan_oci_view(int root, Images const& images) {
    std::string text = OBLEA_TRY(encode_oci_view(root, images));
    auto const current = sys::read_file(root, layout::kOciIndex, limits::kImagesFileBytesMax);
    if (current.has_value() && *current == text) {
        return std::optional<Replacement>{};
    }
    return std::optional{Replacement{.path = layout::kOciIndex, .text = std::move(text)}};
}

Result<std::string> absolute(std::string path) {
    if (path.starts_with('/')) {
        return path;
    }
    std::unique_ptr<char, decltype(&std::free)> const here{::getcwd(nullptr, 0), &std::free};
    if (here == nullptr) {
        return fail(sys::last_errno(), "getcwd");
    }
    return fmt::format("{}/{}", here.get(), path);
}

std::string_view environment(char const* name) {
    char const* const value = std::getenv(name);
    return value == nullptr ? std::string_view{} : std::string_view{value};
}

}  // namespace

Result<Store> Store::open(std::string path, Create create) {
    return open(StoreOptions{.path = std::move(path)}, create);
}

Result<Store> Store::open(StoreOptions options, Create create) {
    options.path = OBLEA_TRY(absolute(std::move(options.path)));
    if (create == Create::if_missing) {
        OBLEA_TRY(create_store(options.path));
    }
    UniqueFd root = OBLEA_TRY(open_store(options.path));
    std::vector<UniqueFd> shared;
    std::vector<Roots::Shared> folders;
    for (std::string& path : options.shared) {
        path = OBLEA_TRY(absolute(std::move(path)));
        shared.push_back(OBLEA_TRY(open_shared_store(path)));
        folders.push_back({.fd = shared.back().get(), .path = path});
    }
    Roots roots{root.get(), std::move(folders)};
    Store store{std::make_shared<Impl const>(std::move(options), std::move(root), std::move(shared),
                                             std::move(roots))};
    // Proves the versions; a store that cannot be read is better refused now than in the middle.
    OBLEA_TRY(store.images());
    return store;
}

std::string const& Store::path() const {
    return impl_->options.path;
}

StoreOptions const& Store::options() const {
    return impl_->options;
}

int Store::root() const {
    return impl_->root.get();
}

Roots const& Store::roots() const {
    return impl_->roots;
}

Result<Images> Store::own_images() const {
    return with_context(read_images(root()), [&] { return path(); });
}

Result<Images> Store::images() const {
    Images images = OBLEA_TRY(own_images());
    for (Roots::Shared const& store : roots().shared()) {
        auto read = with_context(read_images(store.fd), [&] { return store.path; });
        images.add_shared(OBLEA_TRY(std::move(read)), store.path);
    }
    return images;
}

Status Store::change_images(std::function<Status(Images&)> const& change) const {
    UniqueFd const lock = OBLEA_TRY(lock_store(root(), StoreLock::exclusive));
    std::string const before = OBLEA_TRY(read_images_text(root()));
    Images images = OBLEA_TRY(Images::parse(before));
    OBLEA_TRY(change(images));
    Replacements list;
    if (std::string after = images.encode(); after != before) {
        list.push_back({.path = layout::kImages, .text = std::move(after)});
    }
    auto view = plan_oci_view(root(), images);
    bool const both = !list.empty() && view.has_value() && view->has_value();
    if (both) {
        // The list first. A crash between the two leaves an old view, which the next change renews.
        auto const replaced = replace_with_reserve(root(), {list.front(), **view});
        if (replaced.has_value() || !is_full(replaced.error())) {
            return with_context(replaced, [&] { return path() + "/" + layout::kImages; });
        }
        // There may be room for the one that matters.
    }
    if (!list.empty()) {
        OBLEA_TRY(with_context(replace_with_reserve(root(), list),
                               [&] { return path() + "/" + layout::kImages; }));
    }
    auto const renewed = [&]() -> Status {
        auto const planned = OBLEA_TRY(std::move(view));
        return planned.has_value() ? replace_with_reserve(root(), {*planned}) : Status{};
    }();
    return with_context(renewed, [] {
        return "the images are changed, but index.json, for other tools, is not renewed";
    });
}

Result<std::optional<std::string>> Store::read_blob(Digest const& digest,
                                                    std::size_t limit_bytes) const {
    std::string const path = layout::blob(digest);
    auto text = with_context(roots().read_file_if_exists(path, limit_bytes),
                             [&] { return "blob " + digest.to_string(); });
    std::optional<std::string> bytes = OBLEA_TRY(std::move(text));
    if (bytes.has_value() && base::sha256(*bytes) != digest) {
        return fail(Errno::euclean, "",
                    fmt::format("{} is damaged: its SHA-256 is not its name", path));
    }
    return bytes;
}

Status Store::write_blob(std::string_view bytes, Digest const& digest) const {
    std::string const target = layout::blob(digest);
    if (OBLEA_TRY(refresh_published(root(), target.c_str()))) {
        // Whoever gave it the name may not have synced that yet, and may never do so.
        return sync_paths(root(), {layout::kBlobs}, 1);
    }
    return replace_blob(bytes, digest);
}

Status Store::replace_blob(std::string_view bytes, Digest const& digest) const {
    std::string const target = layout::blob(digest);
    std::string const staged = fmt::format("{}/blob.{}", layout::kTmp, unique_name());
    UniqueFd const file = OBLEA_TRY(
        sys::openat(root(), staged.c_str(), O_WRONLY | O_CREAT | O_EXCL, layout::kFileMode));
    base::ScopeExit discard{
        [&] { static_cast<void>(sys::unlink_if_exists(root(), staged.c_str())); }};
    OBLEA_TRY(sys::write_all(file.get(), base::bytes_of(bytes)));
    OBLEA_TRY(sys::fsync(file.get()));
    OBLEA_TRY(sys::renameat2(root(), staged.c_str(), root(), target.c_str()));
    discard.dismiss();
    UniqueFd const folder = OBLEA_TRY(sys::openat(root(), layout::kBlobs, O_RDONLY | O_DIRECTORY));
    return sys::fsync(folder.get());
}

Result<std::string> default_store_path() {
    if (::geteuid() == 0) {
        return std::string{"/var/lib/oblea"};
    }
    // The base directory specification has relative paths ignored.
    if (auto const data = environment("XDG_DATA_HOME"); data.starts_with('/')) {
        return fmt::format("{}/oblea", data);
    }
    if (auto const home = environment("HOME"); home.starts_with('/')) {
        return fmt::format("{}/.local/share/oblea", home);
    }
    return fail(Errno::enoent, "",
                "no place for the store: HOME is not set; name one by --root or OBLEA_ROOT");
}

}  // namespace oblea::store
