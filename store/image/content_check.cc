// SPDX-License-Identifier: MIT
#include "store/image/content_check.h"

#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/layer/layout.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::store {

namespace {

// A path below `directory`, in front of which `prefix` stands; nothing when it is not there.
Result<std::optional<std::string>> find_below(Index const& tree, InodeNo directory,
                                              std::string const& prefix, InodeNo wanted) {
    std::uint32_t const count = OBLEA_TRY(tree.entry_count(directory));
    for (std::uint32_t i = 0; i < count; ++i) {
        Dirent const entry = OBLEA_TRY(tree.entry(directory, i));
        std::string path = prefix + std::string{entry.name};
        if (entry.kind == DirentKind::entry && entry.ino == wanted) {
            return std::optional{std::move(path)};
        }
        if (entry.kind == DirentKind::entry && entry.type == FileType::directory) {
            auto below = OBLEA_TRY(find_below(tree, entry.ino, path + '/', wanted));
            if (below.has_value()) {
                return below;
            }
        }
    }
    return std::optional<std::string>{};
}

}  // namespace

Result<std::string> some_path_of(Index const& tree, InodeNo ino) {
    auto path = OBLEA_TRY(find_below(tree, InodeNo::root, "", ino));
    return path.has_value() ? *std::move(path)
                            : fmt::format("inode {}", static_cast<unsigned>(ino));
}

ContentCheck::ContentCheck(Index const& tree, Read read)
    : tree_(tree), read_(std::move(read)),
      verdicts_(std::make_unique<std::atomic<Verdict>[]>(std::size_t{tree.inode_count()} + 1)) {}

Status ContentCheck::expect_sound(InodeNo file) const {
    // The tree proves the number; before that it is not an index into anything.
    ContentView const content = OBLEA_TRY(tree_.content(file));
    auto& verdict = verdicts_[static_cast<std::uint32_t>(file)];
    if (content.kind == ContentKind::none || verdict == Verdict::sound) {
        return {};
    }
    if (verdict == Verdict::unknown) {
        bool right = false;
        if (content.kind == ContentKind::pack) {
            base::Bytes bytes(static_cast<std::size_t>(content.blob_bytes));
            OBLEA_TRY(read_(content, 0, bytes));
            right = base::xxh3_128(bytes) == content.pack_check;
        } else {
            base::Sha256 hash;
            base::Bytes buffer(base::kLargeBufferBytes);
            for (std::uint64_t offset = 0; offset < content.blob_bytes;) {
                auto const piece = base::MutableBytes{buffer}.first(static_cast<std::size_t>(
                    std::min<std::uint64_t>(buffer.size(), content.blob_bytes - offset)));
                OBLEA_TRY(read_(content, offset, piece));
                hash.update(piece);
                offset += piece.size();
            }
            right = hash.finish() == content.object;
        }
        verdict = right ? Verdict::sound : Verdict::damaged;
    }
    return verdict == Verdict::sound ? Status{} : fault(file, content);
}

Status ContentCheck::fault(InodeNo file, ContentView const& content) const {
    std::string const name = OBLEA_TRY(some_path_of(tree_, file));
    std::string where = layout::object(content.object);
    if (content.kind == ContentKind::pack) {
        Digest const layer = OBLEA_TRY(tree_.layer(content.layer));
        where = fmt::format("{} at byte {}", layout::layer_pack(layer), content.pack_offset);
    }
    return fail(
        Errno::eio, "",
        fmt::format("/{}: damaged in the store: {} is not what its digest says", name, where));
}

}  // namespace oblea::store
