// SPDX-License-Identifier: MIT
// Takes one layer's stream into the store: decompress, hash, parse, split into index, pack, objects
// and recipe.
//
// Layers are independent: any number may be imported at once, in any order, from threads and
// processes. Nothing is visible until everything of the layer is on disk; then layers/<diffID>
// appears by one rename. A layer that another process published meanwhile is left as it is, and our
// copy dropped. After a failure or a crash only debris in tmp/ and unreferenced objects and blobs
// remain, which gc removes.
#pragma once
#include "store/base/byte_source.h"
#include "store/index/types.h"
#include "store/layer/decompress.h"
#include "store/layer/layer_limits.h"
#include "store/layer/roots.h"

#include <atomic>
#include <optional>
#include <string>
#include <vector>

namespace oblea::store {

// What the image says of the layer; each present field is verified against the stream.
struct LayerClaims {
    std::optional<Digest> blob = {};               // digest of the stream as it comes
    std::optional<std::uint64_t> blob_bytes = {};  // its length
    std::optional<Digest> diff_id = {};            // digest of the uncompressed tar
};

struct ImportedLayer {
    Digest diff_id;
    Digest blob;
    std::uint64_t blob_bytes = 0;
    std::uint64_t tar_bytes = 0;
    std::uint64_t content_bytes =
        0;  // of all regular files, each inode once: the layer's part of an image's SIZE
    std::uint64_t entries = 0;
    Compression compression = Compression::none;
    // Whether blobs/sha256/<blob> exists afterwards. Compressed streams are kept by default; an
    // uncompressed one is its recipe.
    enum class Blob { kept, dropped } blob_state = Blob::dropped;
};

struct LayerImportOptions {
    enum class KeepBlob { no, compressed_only, always } keep_blob = KeepBlob::compressed_only;
    // Contents below this go to the pack, others become objects, as do all of 16 MiB or more.
    std::uint64_t object_threshold_bytes = 64U << 10U;
    // A file that holds the stream already, or will when its end has been read, relative to the
    // root: a kept blob is linked to it instead of being written a second time. May be empty.
    std::string stream_file = {};
    LayerLimits limits = {};
    // Bytes of the stream consumed so far, for progress; may be null.
    std::atomic<std::uint64_t>* progress_bytes = nullptr;
};

// `root` is the store's root folder. Reads `stream` to its end, from a thread of its own; after an
// error a read that is under way is waited for. OBLEA_THREADS=1 in the environment keeps all in the
// caller's thread.
// Errors: EBADMSG when a claim does not hold, EINVAL for what is no tar, E2BIG past a limit, EIO
// and ENOSPC as they come; the message names the member or the claim. Nothing is left behind but
// what gc removes; tmp/ is cleaned at once where possible.
Result<ImportedLayer> import_layer(int root, base::ByteSource& stream, LayerClaims const& claims,
                                   LayerImportOptions const& options);

// The same without the last step: the layer is in `staging`, and in the store after
// ImportStaging::publish(), which makes any number of layers durable at once.
class ImportStaging;
Result<ImportedLayer> stage_layer(int root, ImportStaging& staging, base::ByteSource& stream,
                                  LayerClaims const& claims, LayerImportOptions const& options);

// Whether layers/<diffID> is there with all that it needs: index, pack and recipe whole by their
// headers and sizes, and every object by its name. A layer that power loss or a damaged disk took
// something from is not there, and importing it again mends it. Contents are not read (verify
// does).
Result<bool> has_layer(Roots const& roots, Digest const& diff_id);

// Object folders, layer folder and the like that hold the names of a layer that is there, relative
// to the root: what is to be synced by one who relies on a layer that somebody else has published.
Result<std::vector<std::string>> folders_of_layer(int root, Digest const& diff_id);

// Writes the layer's tar, byte for byte as it was imported, from pack, objects and recipe; its
// digest is checked at the end. Errors: ENOENT when there is no such layer; EUCLEAN when stored
// parts contradict the recipe or the diff ID; EIO naming what is missing.
class TarSink {
public:
    TarSink() = default;
    TarSink(TarSink const&) = delete;
    TarSink& operator=(TarSink const&) = delete;
    virtual ~TarSink() = default;
    virtual Status write(base::ByteView data) = 0;
};
Status export_layer(Roots const& roots, Digest const& diff_id, TarSink& sink);

}  // namespace oblea::store
