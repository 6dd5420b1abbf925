// SPDX-License-Identifier: MIT
// Publishing into a store for others. DURABILITY.md "Publish" has the order of the steps.
#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/gc_reach.h"
#include "store/image/json_fields.h"
#include "store/image/layer_index.h"
#include "store/image/merged_index.h"
#include "store/image/oci_view.h"
#include "store/image/rfc3339.h"
#include "store/index/merge.h"
#include "store/inventory.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/layer/pack.h"
#include "store/shared_store.h"
#include "store/store.h"
#include "store/sync.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_set>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;
using nlohmann::json;

namespace {

constexpr std::size_t kUnusedBytesMax = 256U << 20U;

// A pack is framed where that makes it smaller by a part of so many.
constexpr std::uint64_t kFramesSaveAtLeast = 8;

constexpr char kMarkerText[] = "{\"published\":1}\n";
constexpr std::array<char const*, 5> kPublishedFolders = {
    layout::kBlobsParent, layout::kBlobs, layout::kLayers, layout::kObjects, layout::kMerged};

// Whoever can read the folder can read what is in it, whatever the publisher's umask.
Status make_folder(int root, char const* path) {
    OBLEA_TRY(sys::mkdirat_if_missing(root, path, layout::kSharedFolderMode));
    return sys::fchmodat(root, path, layout::kSharedFolderMode);
}

std::string parent_of(std::string const& path) {
    auto const slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

// Proves a layer by its tar, which goes nowhere.
class ProvingSink final : public TarSink {
public:
    explicit ProvingSink(std::atomic<bool> const* cancel) : cancel_(cancel) {}
    Status write(base::ByteView) override {
        return cancel_ != nullptr && *cancel_ ? fail(Errno::ecanceled, "", "interrupted")
                                              : Status{};
    }

private:
    std::atomic<bool> const* cancel_;
};

// What is written lies in tmp/ under names of its own until all of it is on disk; then everything
// gets its name, in the order in which it was added, which is that of references.
class Publisher {
public:
    Publisher(Store const& store, PublishRequest const& request)
        : store_(store), request_(request) {}

    Result<PublishReport> run() {
        OBLEA_TRY(open_folder());
        for (Image const& image : request_.images) {
            OBLEA_TRY(with_context(stage_image(image), [&] {
                return "image " +
                       (image.names.empty() ? image.id.short_hex() : image.names.front());
            }));
        }
        OBLEA_TRY(give_names());
        OBLEA_TRY(change_images());
        if (request_.sweep_after_seconds.has_value()) {
            OBLEA_TRY(sweep());
        }
        OBLEA_TRY(sys::remove_tree(root_.get(), layout::kTmp));
        return std::move(report_);
    }

private:
    [[nodiscard]] int root() const { return root_.get(); }

    Status open_folder() {
        OBLEA_TRY(sys::mkdir_all(request_.folder, layout::kSharedFolderMode));
        root_ = OBLEA_TRY(sys::open(request_.folder, O_RDONLY | O_DIRECTORY));
        bool const published = OBLEA_TRY(is_published(root()));
        bool const begun =
            OBLEA_TRY(sys::stat_if_exists(root(), layout::kPublisherLock)).has_value();
        if (!published && !begun && !OBLEA_TRY(sys::list_dir(root())).empty()) {
            return fail(Errno::euclean, "",
                        request_.folder + ": neither a published store nor an empty folder");
        }
        OBLEA_TRY(lock());
        if (!published) {
            // It tells a folder that is being made into a store from anybody's: it is on disk
            // before anything else is there.
            OBLEA_TRY(sys::fsync(root()));
        }
        OBLEA_TRY(sys::remove_tree(root(), layout::kTmp));
        OBLEA_TRY(sys::mkdirat(root(), layout::kTmp, mode_t{0700}));
        return published ? Status{} : fill();
    }

    Status lock() {
        lock_ = OBLEA_TRY(sys::openat(root(), layout::kPublisherLock, O_RDWR | O_CREAT | O_NOFOLLOW,
                                      layout::kSharedFileMode));
        auto locked = sys::lock(lock_.get(), sys::LockKind::exclusive);
        if (!locked.has_value()) {
            Error error = with_context(std::move(locked).error(),
                                       request_.folder + ": its file system has no locks; publish "
                                                         "on a local disk and copy the folder");
            error.code = Errno::eopnotsupp;
            return std::unexpected<Error>(std::move(error));
        }
        return {};
    }

    // The marker comes last: without it nobody reads.
    Status fill() {
        OBLEA_TRY(sys::fchmodat(root(), ".", layout::kSharedFolderMode));
        OBLEA_TRY(sys::fchmod(lock_.get(), layout::kSharedFileMode));
        for (char const* folder : kPublishedFolders) {
            OBLEA_TRY(make_folder(root(), folder));
        }
        OBLEA_TRY(sync_paths(root(), {layout::kBlobsParent, "."}, sync_threads()));
        OBLEA_TRY(put_text(layout::kOciLayout, layout::kOciLayoutText));
        OBLEA_TRY(write_images({}));
        return put_text(layout::kPublished, kMarkerText);
    }

    Result<UniqueFd> create(std::string const& staged) {
        UniqueFd file = OBLEA_TRY(sys::openat(root(), staged.c_str(), O_WRONLY | O_CREAT | O_EXCL,
                                              layout::kSharedFileMode));
        OBLEA_TRY(sys::fchmod(file.get(), layout::kSharedFileMode));
        return file;
    }

    // A file of its own, durable at once, in place of what has the name.
    Status put_text(char const* path, std::string_view text) {
        std::string const staged = fmt::format("{}/text.{}", layout::kTmp, next_++);
        UniqueFd const file = OBLEA_TRY(create(staged));
        OBLEA_TRY(sys::write_all(file.get(), base::bytes_of(text)));
        OBLEA_TRY(sys::fsync(file.get()));
        OBLEA_TRY(sys::renameat2(root(), staged.c_str(), root(), path));
        return sys::fsync(root());
    }

    Result<bool> is_there(std::string const& path) {
        return OBLEA_TRY(sys::stat_if_exists(root(), path.c_str())).has_value();
    }

    struct Staged {
        std::string from;
        std::string to;
    };

    std::string stage_name() { return fmt::format("{}/{}", layout::kTmp, next_++); }

    Status stage_bytes(base::ByteView bytes, std::string const& target) {
        std::string const staged = stage_name();
        UniqueFd const file = OBLEA_TRY(create(staged));
        OBLEA_TRY(sys::write_all(file.get(), bytes));
        written(staged, target, bytes.size());
        return {};
    }

    void written(std::string const& staged, std::string const& target, std::uint64_t bytes) {
        files_.push_back(staged);
        if (!target.empty()) {
            moves_.push_back({.from = staged, .to = target});
        }
        report_.bytes += bytes;
    }

    // `target` is empty for what moves with its folder.
    Status stage_copy(std::string const& source, std::string const& staged,
                      std::string const& target) {
        auto const part = OBLEA_TRY(store_.roots().open_if_exists(source));
        if (!part.has_value()) {
            return fail(Errno::eio, "", source + " is missing from " + store_.roots().names());
        }
        UniqueFd const file = OBLEA_TRY(create(staged));
        struct stat const info = OBLEA_TRY(sys::fstat(part->file.get()));
        auto const bytes = static_cast<std::uint64_t>(info.st_size);
        OBLEA_TRY(copy_whole(part->file.get(), bytes, file.get(), source));
        written(staged, target, bytes);
        return {};
    }

    static Status copy_whole(int source, std::uint64_t bytes, int target, std::string const& path) {
        bool const whole = OBLEA_TRY(sys::copy_range(source, 0, target, 0, bytes)) == bytes;
        return whole ? Status{} : fail(Errno::eio, "", path + " is shorter than it was");
    }

    Status stage_image(Image const& image) {
        std::vector<Digest> chain;
        for (ImageLayer const& layer : image.layers) {
            chain.push_back(layer.diff_id);
            OBLEA_TRY(stage_layer(layer.diff_id));
            bool const compressed = layer.blob != layer.diff_id;
            if (request_.blobs == PublishRequest::Blobs::yes && compressed) {
                OBLEA_TRY(stage_layer_blob(layer.blob));
            }
        }
        OBLEA_TRY(stage_document(image.id, limits::kConfigBytesMax));
        if (image.manifest.has_value()) {
            OBLEA_TRY(stage_document(*image.manifest, limits::kManifestBytesMax));
        }
        std::string const merged = layout::merged(chain_id(chain));
        if (!chain.empty() && !OBLEA_TRY(is_there(merged)) && staged_.insert(merged).second) {
            Index const index = OBLEA_TRY(open_merged_index(store_.roots(), chain));
            OBLEA_TRY(stage_bytes(index.bytes(), merged));
        }
        return {};
    }

    Status stage_layer(Digest const& diff_id) {
        if (!staged_.insert(layout::layer(diff_id)).second) {
            return {};
        }
        if (OBLEA_TRY(has_layer(root(), diff_id))) {
            ++report_.layers_known;
            return {};
        }
        ProvingSink sink{request_.cancel};
        OBLEA_TRY(export_layer(store_.roots(), diff_id, sink));
        Index const index = OBLEA_TRY(open_layer_index(store_.roots(), diff_id));
        OBLEA_TRY(index.check());
        for (std::uint32_t i = 0; i < index.object_count(); ++i) {
            std::string const object = layout::object(OBLEA_TRY(index.object(i)));
            if (!OBLEA_TRY(is_there(object)) && staged_.insert(object).second) {
                OBLEA_TRY(stage_copy(object, stage_name(), object));
            }
        }
        std::string const folder = stage_name();
        OBLEA_TRY(make_folder(root(), folder.c_str()));
        OBLEA_TRY(stage_copy(layout::layer_index(diff_id), folder + "/index", ""));
        OBLEA_TRY(stage_pack(diff_id, folder));
        OBLEA_TRY(stage_copy(layout::layer_recipe(diff_id), folder + "/recipe", ""));
        files_.push_back(folder);
        layers_.push_back({.from = folder, .to = layout::layer(diff_id)});
        ++report_.layers_new;
        return {};
    }

    // In the form that is wanted, whichever the source has.
    Status stage_pack(Digest const& diff_id, std::string const& folder) {
        FrameCache frames{0};
        auto const pack = OBLEA_TRY(Pack::open_if_exists(store_.roots(), diff_id, frames));
        if (!pack.has_value()) {
            return fail(Errno::eio, "",
                        layout::layer_pack(diff_id) + " is missing from " + store_.roots().names());
        }
        bool const framed = request_.packs == PublishRequest::Packs::framed && pack->bytes() != 0 &&
                            OBLEA_TRY(stage_framed_pack(*pack, folder + "/pack.zst"));
        return framed ? Status{} : stage_plain_pack(*pack, folder + "/pack");
    }

    // False where it does not pay.
    Result<bool> stage_framed_pack(Pack const& pack, std::string const& staged) {
        UniqueFd const file = OBLEA_TRY(create(staged));
        std::uint64_t const bytes = OBLEA_TRY(write_framed_pack(
            [&](base::MutableBytes piece, std::uint64_t at) { return pack.read(piece, at); },
            pack.bytes(), file.get(), request_.cancel));
        if (bytes > pack.bytes() - (pack.bytes() / kFramesSaveAtLeast)) {
            OBLEA_TRY(sys::unlinkat(root(), staged.c_str()));
            return false;
        }
        written(staged, "", bytes);
        return true;
    }

    Status stage_plain_pack(Pack const& pack, std::string const& staged) {
        UniqueFd const file = OBLEA_TRY(create(staged));
        if (!pack.is_framed()) {
            OBLEA_TRY(copy_whole(pack.file(), pack.bytes(), file.get(), pack.path()));
        } else {
            base::Bytes buffer;
            for (std::uint64_t at = 0; at < pack.bytes(); at += buffer.size()) {
                buffer.resize(static_cast<std::size_t>(
                    std::min<std::uint64_t>(base::kLargeBufferBytes, pack.bytes() - at)));
                OBLEA_TRY(pack.read(buffer, at));
                OBLEA_TRY(sys::write_all(file.get(), buffer));
            }
        }
        written(staged, "", pack.bytes());
        return {};
    }

    Status stage_document(Digest const& digest, std::size_t limit_bytes) {
        std::string const path = layout::blob(digest);
        if (OBLEA_TRY(is_there(path)) || !staged_.insert(path).second) {
            return {};
        }
        auto const bytes = OBLEA_TRY(store_.read_blob(digest, limit_bytes));
        if (!bytes.has_value()) {
            return fail(Errno::enoent, "", path + " is missing from " + store_.roots().names());
        }
        return stage_bytes(base::bytes_of(*bytes), path);
    }

    // Where the store has dropped it, nothing is published: it can always be made again.
    Status stage_layer_blob(Digest const& digest) {
        std::string const path = layout::blob(digest);
        if (OBLEA_TRY(is_there(path)) || !staged_.insert(path).second) {
            return {};
        }
        auto const part = OBLEA_TRY(store_.roots().open_if_exists(path));
        if (!part.has_value()) {
            return {};
        }
        std::string const staged = stage_name();
        UniqueFd const file = OBLEA_TRY(create(staged));
        base::Sha256 hash;
        base::Bytes buffer(base::kLargeBufferBytes);
        std::uint64_t offset = 0;
        for (;;) {
            std::size_t const count = OBLEA_TRY(sys::pread_full(part->file.get(), buffer, offset));
            if (count == 0) {
                break;
            }
            auto const piece = base::ByteView{buffer}.first(count);
            hash.update(piece);
            OBLEA_TRY(sys::write_all(file.get(), piece));
            offset += count;
        }
        if (hash.finish() != digest) {
            return fail(Errno::euclean, "", path + " is damaged: its SHA-256 is not its name");
        }
        written(staged, path, offset);
        return {};
    }

    Status give_names() {
        OBLEA_TRY(sync_paths(root(), files_, sync_threads()));
        std::set<std::string> folders;
        // Objects before the layers that name them, those before their merged trees and images.
        std::ranges::stable_partition(
            moves_, [](Staged const& move) { return !move.to.starts_with(layout::kMerged); });
        auto const merged = std::ranges::find_if(
            moves_, [](Staged const& move) { return move.to.starts_with(layout::kMerged); });
        moves_.insert(merged, layers_.begin(), layers_.end());
        for (Staged const& move : moves_) {
            std::string const folder = parent_of(move.to);
            if (folders.insert(folder).second && !OBLEA_TRY(is_there(folder))) {
                OBLEA_TRY(make_folder(root(), folder.c_str()));
                folders.insert(parent_of(folder));
            }
            OBLEA_TRY(replace(move));
        }
        return sync_paths(root(), {folders.begin(), folders.end()}, sync_threads());
    }

    // A layer that lost something gives way; a file is replaced by the rename itself.
    Status replace(Staged const& move) {
        auto moved = sys::renameat2(root(), move.from.c_str(), root(), move.to.c_str());
        bool const occupied = !moved.has_value() && (moved.error().code == Errno::enotempty ||
                                                     moved.error().code == Errno::eexist);
        if (!occupied) {
            return moved;
        }
        std::string const old = stage_name();
        OBLEA_TRY(sys::renameat2(root(), move.to.c_str(), root(), old.c_str()));
        return sys::renameat2(root(), move.from.c_str(), root(), move.to.c_str());
    }

    Result<Images> read_images() {
        return Images::parse(
            OBLEA_TRY(sys::read_file(root(), layout::kImages, limits::kImagesFileBytesMax)));
    }

    Status change_images() {
        Images images = OBLEA_TRY(read_images());
        for (Image image : request_.images) {
            image.parent.reset();  // may not be there
            images.put(std::move(image));
        }
        for (std::string const& name : request_.remove) {
            Image const* const image = images.find_name(name);
            if (image == nullptr) {
                return fail(Errno::enoent, "",
                            fmt::format("{} has no image {}", request_.folder, name));
            }
            Digest const id = image->id;
            static_cast<void>(images.untag(name));
            if (images.find(id)->names.empty()) {
                static_cast<void>(images.remove(id));
            }
        }
        return write_images(images);
    }

    Status write_images(Images const& images) {
        OBLEA_TRY(put_text(layout::kImages, images.encode()));
        return put_text(layout::kOciIndex, OBLEA_TRY(encode_oci_view(root(), images)));
    }

    // Marks what nothing refers to, and deletes what was marked long enough ago: clients that had
    // an image open when it went have had that time to come to an end.
    Status sweep() {
        Reached reached;
        reach_images(reached, OBLEA_TRY(read_images()));
        for (Digest const& layer : reached.layers) {
            OBLEA_TRY(reach_objects_of(root(), layer, reached));
        }
        auto const inventory = OBLEA_TRY(take_inventory(root()));
        auto const unused = plan_gc(inventory, reached, {});
        json const before = OBLEA_TRY(read_unused());
        json after = json::object();
        std::int64_t const now = now_seconds();
        std::set<std::string> folders;
        for (Garbage const& garbage : unused.removed) {
            if (garbage.kind == Garbage::Kind::temporary) {
                continue;
            }
            auto const since = OBLEA_TRY(since_of(before, garbage.path, now));
            if (now - since < *request_.sweep_after_seconds) {
                after[garbage.path] = since;
                ++report_.waiting;
                continue;
            }
            // Layers go by one rename before the objects that they name.
            std::string const old = stage_name();
            OBLEA_TRY(sys::renameat2(root(), garbage.path.c_str(), root(), old.c_str()));
            OBLEA_TRY(sys::remove_tree(root(), old.c_str()));
            report_.swept.push_back(garbage.path);
        }
        return put_text(layout::kUnused, after.dump() + '\n');
    }

    Result<json> read_unused() {
        auto const there = OBLEA_TRY(is_there(layout::kUnused));
        if (!there) {
            return json::object();
        }
        std::string const text =
            OBLEA_TRY(sys::read_file(root(), layout::kUnused, kUnusedBytesMax));
        return json_fields::parse_object(text, layout::kUnused, kUnusedBytesMax);
    }

    static Result<std::int64_t> since_of(json const& before, std::string const& path,
                                         std::int64_t now) {
        auto const at = before.find(path);
        if (at == before.end()) {
            return now;
        }
        if (!at->is_number_integer()) {
            return fail(Errno::euclean, "",
                        fmt::format("{}: {} is no time", layout::kUnused, path));
        }
        return at->get<std::int64_t>();
    }

    Store const& store_;
    PublishRequest const& request_;
    UniqueFd root_;
    UniqueFd lock_;
    PublishReport report_;
    std::unordered_set<std::string> staged_;  // targets that are taken care of
    std::vector<std::string> files_;          // staged, to be brought to disk
    std::vector<Staged> moves_;
    std::vector<Staged> layers_;
    unsigned next_ = 0;
};

}  // namespace

Result<PublishReport> publish_into(Store const& store, PublishRequest const& request) {
    return Publisher{store, request}.run();
}

}  // namespace oblea::store
