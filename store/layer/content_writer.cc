// SPDX-License-Identifier: MIT
#include "store/layer/content_writer.h"

#include <algorithm>

namespace oblea::store {

using base::ByteView;

ContentWriter::ContentWriter(LayerStaging& staging, AppendFile pack, RecipeWriter& recipe,
                             std::uint64_t object_threshold_bytes)
    : staging_(staging), pack_(std::move(pack)), recipe_(recipe),
      threshold_(std::min(object_threshold_bytes, kPackContentBytesMax)) {}

Result<Content> ContentWriter::take(TarReader& tar, TarHash& bytes, TarMember const& member) {
    Content content;
    content.extents = member.extents;
    content.blob_bytes = member.blob_bytes;
    if (member.blob_bytes == 0) {
        return content;
    }
    if (member.blob_bytes < threshold_) {
        OBLEA_TRY(take_packed(tar, content));
    } else {
        OBLEA_TRY(take_object(tar, bytes, content));
    }
    return content;
}

Status ContentWriter::take_packed(TarReader& tar, Content& content) {
    ByteView bytes = OBLEA_TRY(tar.content());
    if (bytes.size() < content.blob_bytes) {
        gathered_.assign(bytes.begin(), bytes.end());
        while (gathered_.size() < content.blob_bytes) {
            ByteView const piece = OBLEA_TRY(tar.content());
            gathered_.insert(gathered_.end(), piece.begin(), piece.end());
        }
        bytes = gathered_;
    }
    content.kind = ContentKind::pack;
    content.pack_offset = pack_.bytes();
    content.pack_check = base::xxh3_128(bytes);
    OBLEA_TRY(pack_.append(bytes));
    return recipe_.pack(content.pack_offset, content.blob_bytes);
}

Status ContentWriter::take_object(TarReader& tar, TarHash& bytes, Content& content) {
    // Contents come in pieces that are large enough to be written as they are.
    base::UniqueFd object = OBLEA_TRY(staging_.begin_object());
    AppendFile file{std::move(object), &staging_.writeback(), 1};
    base::Sha256 hash;
    for (;;) {
        ByteView const piece = OBLEA_TRY(tar.content());
        if (piece.empty()) {
            break;
        }
        bytes.add_to(hash, piece);
        OBLEA_TRY(file.append_sparse(piece));
    }
    OBLEA_TRY(file.flush());
    content.kind = ContentKind::object;
    content.object = hash.finish();
    if (OBLEA_TRY(staging_.end_object(content.object)) == LayerStaging::Object::added) {
        staging_.writeback().start(file.fd(), 0, content.blob_bytes);
    }
    return recipe_.object(content.object, content.blob_bytes);
}

}  // namespace oblea::store
