// SPDX-License-Identifier: MIT
// The recipe of a layer: its tar without the contents, which pack and objects have.
//
// A sequence of literal bytes and references, compressed, with a header that carries the diff ID.
// Spec: FORMAT.md "Recipe". Not thread-safe.
#pragma once
#include "store/base/byte_source.h"
#include "store/base/hash.h"
#include "store/layer/append_file.h"
#include "store/layer/tar_reader.h"

#include <memory>
#include <unordered_map>
#include <vector>

namespace oblea::store {

// Writes a recipe while the tar is read. The order of calls is the order of the tar.
class RecipeWriter final : public LiteralSink {
public:
    explicit RecipeWriter(base::UniqueFd file);
    ~RecipeWriter() override;

    Status literal(base::ByteView bytes) override;
    Status pack(std::uint64_t offset, std::uint64_t bytes);
    Status object(Digest const& digest, std::uint64_t bytes);

    // Ends the body and writes the header. The file is complete, and durable after sync().
    Status finish(Digest const& diff_id);
    Status sync();

    // Every object that was referred to, once, in the order of the tar.
    [[nodiscard]] std::vector<Digest> const& objects() const { return objects_; }

private:
    struct Compressor;
    Status end_literal();
    Status put(base::ByteView record);
    Status compress(bool last);

    AppendFile file_;
    std::unique_ptr<Compressor> compressor_;
    base::Bytes literal_;
    std::uint64_t tar_bytes_ = 0;
    std::uint64_t records_bytes_ = 0;
    std::vector<Digest> objects_;
    std::unordered_map<Digest, std::uint64_t> numbers_;
};

// What a recipe asks for, in the order of the tar.
class RecipeVisitor {
public:
    RecipeVisitor() = default;
    RecipeVisitor(RecipeVisitor const&) = delete;
    RecipeVisitor& operator=(RecipeVisitor const&) = delete;
    virtual ~RecipeVisitor() = default;

    virtual Status literal(base::ByteView bytes) = 0;
    virtual Status pack(std::uint64_t offset, std::uint64_t bytes) = 0;
    virtual Status object(Digest const& digest, std::uint64_t bytes) = 0;
};

struct RecipeSummary {
    Digest diff_id;
    std::uint64_t tar_bytes = 0;
    std::uint64_t objects = 0;  // different ones
};

// Header only. Errors: EUCLEAN for what is no recipe, or a damaged one; EOPNOTSUPP for a version or
// feature that this program does not know.
Result<RecipeSummary> read_recipe_header(int file);

// Walks through the whole recipe; memory is bounded whatever it says. Errors: those of the header,
// EUCLEAN where the body is damaged, those of the visitor.
Result<RecipeSummary> read_recipe(int file, RecipeVisitor& visitor);

}  // namespace oblea::store
