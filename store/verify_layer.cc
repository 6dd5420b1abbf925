// SPDX-License-Identifier: MIT
#include "store/verify_layer.h"

#include "store/base/checked.h"
#include "store/base/sys.h"
#include "store/index/index.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/layer/pack.h"
#include "store/layer/recipe.h"

#include <fmt/format.h>

namespace oblea::store {

namespace sys = base::sys;
using Kind = Fault::Kind;
using State = Fault::State;

namespace {

// References of a recipe against what is there.
class RecipeChecker final : public RecipeVisitor {
public:
    explicit RecipeChecker(std::uint64_t pack_bytes) : pack_bytes_(pack_bytes) {}

    Status literal(base::ByteView) override { return {}; }
    Status pack(std::uint64_t offset, std::uint64_t bytes) override {
        if (offset > pack_bytes_ || bytes > pack_bytes_ - offset) {
            return fail(Errno::euclean, "", "it refers to more than the pack has");
        }
        return {};
    }
    Status object(Digest const& digest, std::uint64_t) override {
        objects.insert(digest);
        return {};
    }

    std::unordered_set<Digest> objects;

private:
    std::uint64_t pack_bytes_;
};

class NullSink final : public TarSink {
public:
    Status write(base::ByteView) override { return {}; }
};

// One layer: index, recipe, pack.
class LayerChecker {
public:
    LayerChecker(int root, Digest const& diff_id, Findings& findings)
        : root_(root), diff_id_(diff_id), findings_(findings) {}

    // The objects that it needs.
    Result<std::unordered_set<Digest>> run() {
        open_pack();
        auto const index = check_index();
        auto objects = check_recipe();
        if (index.has_value()) {
            for (std::uint32_t i = 0; i < index->object_count(); ++i) {
                objects.insert(OBLEA_TRY(index->object(i)));
            }
            if (pack_.has_value()) {
                OBLEA_TRY(check_pack(*index));
            }
        }
        return objects;
    }

private:
    void found(Kind kind, State state, std::string const& path, std::string what) {
        findings_.add(kind, state, path, std::move(what), diff_id_);
        sound_ = false;
    }

    void open_pack() {
        auto pack = Pack::open_if_exists(root_, diff_id_, frames_);
        if (!pack.has_value()) {
            // Of a plain one nothing is looked at before it is read.
            bool const framed = pack.error().code == Errno::euclean;
            found(Kind::pack, State::damaged,
                  framed ? layout::layer_framed_pack(diff_id_) : layout::layer_pack(diff_id_),
                  pack.error().message());
        } else if (!pack->has_value()) {
            found(Kind::pack, State::missing, layout::layer_pack(diff_id_), "it is missing");
        } else {
            pack_ = **std::move(pack);
        }
    }

    std::optional<Index> check_index() {
        std::string const path = layout::layer_index(diff_id_);
        auto file = sys::openat(root_, path.c_str(), O_RDONLY | O_NOFOLLOW);
        if (!file.has_value()) {
            bool const missing = file.error().code == Errno::enoent;
            found(Kind::index, missing ? State::missing : State::damaged, path,
                  missing ? "it is missing" : file.error().message());
            return std::nullopt;
        }
        auto index = Index::open(*std::move(file), path);
        Status const checked = [&]() -> Status {
            Index const& opened = OBLEA_TRY(view_of(index));
            OBLEA_TRY(opened.check());
            bool const right = opened.kind() == IndexKind::layer &&
                               OBLEA_TRY(opened.layer(LayerPos::bottom)) == diff_id_;
            return right ? Status{} : fail(Errno::euclean, "", "it is of another layer");
        }();
        if (!checked.has_value()) {
            found(Kind::index, State::damaged, path, checked.error().message());
            return std::nullopt;
        }
        return *std::move(index);
    }

    static Result<std::reference_wrapper<Index const>> view_of(Result<Index> const& index) {
        if (!index.has_value()) {
            return std::unexpected<Error>(index.error());
        }
        return std::cref(*index);
    }

    std::unordered_set<Digest> check_recipe() {
        std::string const path = layout::layer_recipe(diff_id_);
        RecipeChecker checker{pack_.has_value() ? pack_->bytes()
                                                : std::numeric_limits<std::uint64_t>::max()};
        auto const file = sys::openat(root_, path.c_str(), O_RDONLY | O_NOFOLLOW);
        if (!file.has_value()) {
            bool const missing = file.error().code == Errno::enoent;
            found(Kind::recipe, missing ? State::missing : State::damaged, path,
                  missing ? "it is missing" : file.error().message());
            return {};
        }
        auto const summary = read_recipe(file->get(), checker);
        if (!summary.has_value()) {
            found(Kind::recipe, State::damaged, path, summary.error().message());
            return {};
        }
        if (summary->diff_id != diff_id_) {
            found(Kind::recipe, State::damaged, path, "it is of another layer");
        }
        return std::move(checker.objects);
    }

    // Every content by the hash that the index has of it. What the index does not know, because a
    // later member replaced it, only the tar as a whole can prove.
    Status check_pack(Index const& index) {
        std::uint64_t covered = 0;
        base::Bytes buffer;
        for (std::uint32_t i = 1; i <= index.inode_count(); ++i) {
            InodeNo const ino{i};
            if (OBLEA_TRY(index.attr(ino)).type != FileType::regular) {
                continue;
            }
            ContentView const content = OBLEA_TRY(index.content(ino));
            if (content.kind != ContentKind::pack) {
                continue;
            }
            covered += content.blob_bytes;
            if (!OBLEA_TRY(check_content(content, buffer))) {
                return {};  // one fault tells enough of a pack
            }
        }
        if (findings_.contents() && sound_ && covered < pack_->bytes()) {
            return check_tar();
        }
        return {};
    }

    Result<bool> check_content(ContentView const& content, base::Bytes& buffer) {
        if (!base::range_fits(content.pack_offset, content.blob_bytes, pack_->bytes())) {
            found(Kind::pack, State::damaged, pack_->path(), "it is shorter than the index says");
            return false;
        }
        if (!findings_.contents()) {
            return true;
        }
        buffer.resize(static_cast<std::size_t>(content.blob_bytes));
        auto const read = pack_->read(buffer, content.pack_offset);
        bool const right = read.has_value() && base::xxh3_128(buffer) == content.pack_check;
        OBLEA_TRY(findings_.read(buffer.size()));
        if (!right) {
            found(Kind::pack, State::damaged, pack_->path(),
                  read.has_value()
                      ? fmt::format("the content at byte {} is not what the index says",
                                    content.pack_offset)
                      : read.error().message());
        }
        return right;
    }

    Status check_tar() {
        NullSink sink;
        auto const exported = export_layer(root_, diff_id_, sink);
        if (!exported.has_value() && exported.error().code == Errno::euclean) {
            found(Kind::pack, State::damaged, pack_->path(), exported.error().message());
        }
        return {};
    }

    int root_;
    Digest const& diff_id_;
    Findings& findings_;
    FrameCache frames_{FrameCache::kUsualBytes};
    std::optional<Pack> pack_;
    bool sound_ = true;
};

}  // namespace

Result<std::unordered_set<Digest>> verify_layer(int root, Digest const& diff_id,
                                                Findings& findings) {
    return LayerChecker(root, diff_id, findings).run();
}

}  // namespace oblea::store
