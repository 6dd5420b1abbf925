// SPDX-License-Identifier: MIT
#include "store/verify_layer.h"

#include "store/base/sys.h"
#include "store/index/index.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
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
        pack_path_ = layout::layer_pack(diff_id_);
        auto const pack_info = sys::stat_if_exists(root_, pack_path_.c_str());
        if (!pack_info.has_value() || !pack_info->has_value()) {
            found(Kind::pack, State::missing, pack_path_, "it is missing");
        } else {
            pack_bytes_ = static_cast<std::uint64_t>((*pack_info)->st_size);
        }
        auto const index = check_index();
        auto objects = check_recipe();
        if (index.has_value()) {
            for (std::uint32_t i = 0; i < index->object_count(); ++i) {
                objects.insert(OBLEA_TRY(index->object(i)));
            }
            if (pack_bytes_.has_value()) {
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
        RecipeChecker checker{pack_bytes_.value_or(std::numeric_limits<std::uint64_t>::max())};
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
        auto const file = sys::openat(root_, pack_path_.c_str(), O_RDONLY | O_NOFOLLOW);
        if (!file.has_value()) {
            found(Kind::pack, State::damaged, pack_path_, file.error().message());
            return {};
        }
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
            if (!OBLEA_TRY(check_content(file->get(), content, buffer))) {
                return {};  // one fault tells enough of a pack
            }
        }
        if (findings_.contents() && sound_ && covered < *pack_bytes_) {
            return check_tar();
        }
        return {};
    }

    Result<bool> check_content(int file, ContentView const& content, base::Bytes& buffer) {
        if (content.pack_offset > *pack_bytes_ ||
            content.blob_bytes > *pack_bytes_ - content.pack_offset) {
            found(Kind::pack, State::damaged, pack_path_, "it is shorter than the index says");
            return false;
        }
        if (!findings_.contents()) {
            return true;
        }
        buffer.resize(static_cast<std::size_t>(content.blob_bytes));
        auto const count = sys::pread_full(file, buffer, content.pack_offset);
        bool const right = count.has_value() && *count == buffer.size() &&
                           base::xxh3_128(buffer) == content.pack_check;
        OBLEA_TRY(findings_.read(buffer.size()));
        if (!right) {
            found(Kind::pack, State::damaged, pack_path_,
                  count.has_value()
                      ? fmt::format("the content at byte {} is not what the index says",
                                    content.pack_offset)
                      : count.error().message());
        }
        return right;
    }

    Status check_tar() {
        NullSink sink;
        auto const exported = export_layer(root_, diff_id_, sink);
        if (!exported.has_value() && exported.error().code == Errno::euclean) {
            found(Kind::pack, State::damaged, pack_path_, exported.error().message());
        }
        return {};
    }

    int root_;
    Digest const& diff_id_;
    Findings& findings_;
    std::string pack_path_;
    std::optional<std::uint64_t> pack_bytes_;
    bool sound_ = true;
};

}  // namespace

Result<std::unordered_set<Digest>> verify_layer(int root, Digest const& diff_id,
                                                Findings& findings) {
    return LayerChecker(root, diff_id, findings).run();
}

}  // namespace oblea::store
