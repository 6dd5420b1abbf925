// SPDX-License-Identifier: MIT
// images.json: every image of a store, tagged or not.
//
// A value type: parse, change, encode; no I/O. FORMAT.md "images.json" has the file's form; fields
// of it that this version does not know are an error (the store is of a newer version), so that
// nothing is ever lost by rewriting.
#pragma once
#include "store/index/types.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::store {

struct Reference;

struct ImageLayer {
    Digest diff_id;
    Digest blob;  // as it came; the diff ID itself for an uncompressed layer
    std::uint64_t blob_bytes = 0;
    std::string media_type;  // of the blob, as OCI names it
};

struct Image {
    Digest id;  // SHA-256 of the config, whose bytes are blobs/sha256/<id>
    std::vector<std::string>
        names;  // full canonical references "docker.io/library/debian:latest"; empty: dangling
    std::optional<Digest> manifest;  // as it came, kept as a blob
    std::vector<ImageLayer> layers;  // bottom first
    std::uint64_t size_bytes = 0;    // sum of the layers' contents
    std::string created;             // RFC 3339, from the config; may be empty
    std::string architecture;        // GOARCH, from the config
    std::string os;
    std::string variant;
    std::string imported;          // RFC 3339, when it came into this store
    std::string origin;            // where it came from, for people
    std::optional<Digest> parent;  // the image that it was committed or built from
    std::string store = {};        // the shared store that it lies in, empty: the own; not written
};

class Images {
public:
    // Errors: EUCLEAN when the text is no images.json; EOPNOTSUPP for a newer version.
    static Result<Images> parse(std::string_view json);
    [[nodiscard]] std::string encode() const;

    [[nodiscard]] std::vector<Image> const& all() const { return images_; }

    // Adds the image, or joins what is new of it (manifest with its blobs, origin) to the one with
    // the same id, and moves `names` to it: an image that loses its last name stays, dangling.
    void put(Image image);
    // Adds those of a shared store behind the own ones: names and ids that are there already win,
    // and an image that is in both gets the names of both.
    void add_shared(Images const& shared, std::string const& store);
    // Gives a further name to the image; whichever had it loses it. ENOENT when there is no such
    // image.
    Status tag(Digest const& id, std::string const& name);
    // Takes the name away. False when no image has it.
    [[nodiscard]] bool untag(std::string const& name);
    [[nodiscard]] bool remove(Digest const& id);

    [[nodiscard]] Image const* find(Digest const& id) const;
    [[nodiscard]] Image const* find_name(std::string_view canonical_name) const;

    // What a user may type for an image: "sha256:<64>", 64 hex digits, a unique prefix of them, or
    // a name in any form, the name first. Errors: ENOENT "no such image: x:latest"; EINVAL for an
    // ambiguous prefix, listing the candidates, or for what is neither id nor name.
    Result<Image const*> resolve(std::string_view typed) const;

private:
    [[nodiscard]] Image const* find_reference(Reference const& reference) const;
    // Null when no id begins so.
    [[nodiscard]] Result<Image const*> resolve_id_prefix(std::string_view prefix) const;

    std::vector<Image> images_;
};

}  // namespace oblea::store
