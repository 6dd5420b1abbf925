// SPDX-License-Identifier: MIT
#include "bench/layered_tree.h"

#include "store/base/hash.h"
#include "store/base/sys.h"
#include "store/image/folder_tar.h"
#include "store/image/manifest.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>
#include <random>

namespace oblea::bench {
namespace {

namespace sys = base::sys;
using Json = nlohmann::ordered_json;

constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;

// Of a fixed seed: every run has the same bytes, which no two files share and nothing compresses
// away.
Status write_content(int file, std::uint64_t bytes, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    std::vector<std::uint64_t> words(kPieceBytes / sizeof(std::uint64_t));
    for (std::uint64_t done = 0; done < bytes;) {
        std::size_t const piece = std::min<std::uint64_t>(kPieceBytes, bytes - done);
        std::generate_n(words.begin(), piece / sizeof(std::uint64_t) + (piece % 8 != 0 ? 1 : 0),
                        std::ref(random));
        OBLEA_TRY(sys::write_all(file, std::as_bytes(std::span{words}).first(piece)));
        done += piece;
    }
    return {};
}

Status make_file(int dir, std::string const& name, std::uint64_t bytes, std::uint64_t seed) {
    auto const file = OBLEA_TRY(sys::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
    return write_content(file.get(), bytes, seed);
}

struct Numbers {
    unsigned first, step, end;
};

// Empty files.
Status fill_folder(int root, char const* name, Numbers const& numbers) {
    OBLEA_TRY(sys::mkdirat(root, name, 0755));
    auto const folder = OBLEA_TRY(sys::openat(root, name, O_RDONLY | O_DIRECTORY));
    for (unsigned i = numbers.first; i < numbers.end; i += numbers.step) {
        OBLEA_TRY(sys::openat(folder.get(), fmt::format("entry-{:06}", i).c_str(),
                              O_WRONLY | O_CREAT | O_EXCL, 0644));
    }
    return {};
}

Status fill_bottom(int root, TreeSpec const& spec) {
    for (NamedFile const& large : spec.large) {
        OBLEA_TRY(make_file(root, large.name, large.bytes, large.bytes));
    }
    if (spec.crowd == 0) {
        return {};
    }
    return fill_folder(root, "crowd", {.first = 0, .step = 1, .end = spec.crowd});
}

Status fill_layer(std::string const& path, TreeSpec const& spec, unsigned layer) {
    auto const root = OBLEA_TRY(sys::open(path, O_RDONLY | O_DIRECTORY));
    for (unsigned i = 0; i < spec.folders(); ++i) {
        OBLEA_TRY(sys::mkdirat(root.get(), spec.folder(i).c_str(), 0755));
    }
    for (unsigned i = layer; i < spec.files; i += spec.layers) {
        OBLEA_TRY(make_file(root.get(), spec.file(i), spec.file_bytes, i));
    }
    if (spec.spread != 0) {
        OBLEA_TRY(fill_folder(root.get(), "spread",
                              {.first = layer, .step = spec.layers, .end = spec.spread}));
    }
    if (layer != 0) {
        return {};
    }
    OBLEA_TRY(fill_bottom(root.get(), spec));
    return spec.more ? spec.more(path) : Status{};
}

struct Blob {
    std::string digest;
    std::uint64_t bytes = 0;
};

Result<Blob> add_blob(std::string const& layout, base::ByteSource& source) {
    std::string const temporary = layout + "/blob";
    base::Sha256 hash;
    std::uint64_t bytes = 0;
    {
        auto const file = OBLEA_TRY(sys::open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644));
        std::vector<std::byte> buffer(kPieceBytes);
        while (std::size_t const count = OBLEA_TRY(source.read(buffer))) {
            auto const piece = base::ByteView{buffer}.first(count);
            hash.update(piece);
            OBLEA_TRY(sys::write_all(file.get(), piece));
            bytes += count;
        }
    }
    auto const digest = hash.finish();
    std::string const name = layout + "/blobs/sha256/" + digest.hex();
    OBLEA_TRY(sys::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, name.c_str()));
    return Blob{.digest = digest.to_string(), .bytes = bytes};
}

Status put(std::string const& path, std::string_view text) {
    return sys::replace_file(AT_FDCWD, path.c_str(), text, 0644, sys::Sync::no);
}

Json descriptor(char const* type, std::string const& digest, std::uint64_t bytes) {
    return {{"mediaType", type}, {"digest", digest}, {"size", bytes}};
}

Result<Json> put_document(std::string const& layout, char const* type, Json const& document) {
    std::string const text = document.dump();
    auto const digest = base::sha256(text);
    OBLEA_TRY(put(layout + "/blobs/sha256/" + digest.hex(), text));
    return descriptor(type, digest.to_string(), text.size());
}

Status write_layout(std::string const& layout, std::vector<std::string> const& layers) {
    using namespace store::media_type;
    OBLEA_TRY(sys::mkdir_all(layout + "/blobs/sha256", 0755));
    Json descriptors = Json::array();
    Json diff_ids = Json::array();
    for (std::string const& layer : layers) {
        base::UniqueFd folder = OBLEA_TRY(sys::open(layer, O_RDONLY | O_DIRECTORY));
        store::FolderTar tar{std::move(folder), store::FolderTarOptions{}};
        Blob const blob = OBLEA_TRY(add_blob(layout, tar));
        descriptors.push_back(descriptor(kOciLayer, blob.digest, blob.bytes));
        diff_ids.push_back(blob.digest);
    }
    Json const config = OBLEA_TRY(
        put_document(layout, kOciConfig,
                     {{"architecture", "amd64"},
                      {"os", "linux"},
                      {"rootfs", {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}}}));
    Json manifest = OBLEA_TRY(put_document(layout, kOciManifest,
                                           {{"schemaVersion", 2},
                                            {"mediaType", kOciManifest},
                                            {"config", config},
                                            {"layers", std::move(descriptors)}}));
    manifest["annotations"] = {{store::kRefNameAnnotation, "latest"}};
    Json const index{{"schemaVersion", 2}, {"manifests", Json::array({manifest})}};
    OBLEA_TRY(put(layout + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
    return put(layout + "/index.json", index.dump());
}

}  // namespace

unsigned TreeSpec::folders() const {
    return files == 0 ? 0 : (files + files_per_folder - 1) / files_per_folder;
}

std::string TreeSpec::folder(unsigned number) const {
    return fmt::format("folder-{:04}", number);
}

// The layers take turns within a folder, so that each folder has files of all of them.
std::string TreeSpec::file(unsigned number) const {
    return fmt::format("{}/file-{:07}", folder(number / files_per_folder), number);
}

Result<Tree> make_tree(Workspace& space, TreeSpec const& spec) {
    Tree tree{.spec = spec, .layers = {}, .merged = {}, .layout = {}};
    std::string const base = OBLEA_TRY(space.fresh_folder("tree"));
    for (unsigned layer = 0; layer < spec.layers; ++layer) {
        // Short names: those of all layers have to fit into the options of a mount.
        std::string path = fmt::format("{}/{}", base, layer);
        OBLEA_TRY(sys::mkdirat(AT_FDCWD, path.c_str(), 0755));
        OBLEA_TRY(fill_layer(path, spec, layer));
        tree.layers.push_back(std::move(path));
    }
    tree.merged = base + "/merged";
    OBLEA_TRY(sys::mkdirat(AT_FDCWD, tree.merged.c_str(), 0755));
    for (std::string const& layer : tree.layers) {
        OBLEA_TRY(run({"cp", "-a", layer + "/.", tree.merged}));
    }
    tree.layout = base + "/layout";
    OBLEA_TRY(write_layout(tree.layout, tree.layers));
    return tree;
}

std::vector<unsigned> sample(unsigned count, unsigned wanted) {
    std::vector<unsigned> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 0U);
    std::mt19937 random{20250101};
    std::ranges::shuffle(numbers, random);
    numbers.resize(std::min(count, wanted));
    return numbers;
}

}  // namespace oblea::bench
