// SPDX-License-Identifier: MIT
// Images made in memory, in every form that import takes, and the means to damage them.
#pragma once
#include "store/base/hash.h"
#include "store/base/sys.h"
#include "store/image/tar_encode.h"
#include "tests/support/tree_builder.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace oblea::test {

// Members by name, in order.
using Members = std::vector<std::pair<std::string, std::string>>;

inline std::string tar_member(store::TarMemberHeader header, std::string_view content) {
    header.size = header.pieces.empty() ? content.size() : header.size;
    std::string text = value_of(store::encode_tar_header(header));
    text += content;
    text.append(store::tar_padding(content.size()), '\0');
    return text;
}

inline std::string tar_file(std::string const& name, std::string_view content) {
    store::TarMemberHeader header;
    header.path = name;
    header.permissions = 0644;
    return tar_member(header, content);
}

inline std::string tar_link(std::string const& name, std::string const& target,
                            store::FileType type = store::FileType::symlink) {
    store::TarMemberHeader header;
    header.path = name;
    header.type = type;
    header.link = type == store::FileType::symlink ? store::TarMemberHeader::Link::none
                                                   : store::TarMemberHeader::Link::hard;
    header.link_target = target;
    return value_of(store::encode_tar_header(header));
}

inline std::string tar_of(Members const& members) {
    std::string text;
    for (auto const& [name, content] : members) {
        text += tar_file(name, content);
    }
    return text + store::tar_end();
}

struct TestImage {
    std::vector<std::string> layers;  // tars, bottom first
    std::string config;
    std::string manifest;

    [[nodiscard]] store::Digest id() const { return base::sha256(config); }
};

inline std::string blob_name(std::string_view bytes) {
    return "blobs/sha256/" + base::sha256(bytes).hex();
}

inline std::string descriptor(std::string_view type, std::string_view bytes,
                              std::string const& more = "") {
    return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}{}}})", type,
                       base::sha256(bytes).to_string(), bytes.size(), more);
}

inline TestImage image_of_layers(std::vector<std::string> layers,
                                 std::string const& architecture = "amd64") {
    TestImage image;
    std::string ids;
    std::string descriptors;
    for (std::string const& layer : layers) {
        std::string const comma = ids.empty() ? "" : ",";
        ids += comma + '"' + base::sha256(layer).to_string() + '"';
        descriptors += comma + descriptor("application/vnd.oci.image.layer.v1.tar", layer);
    }
    image.config =
        fmt::format(R"({{"architecture":"{}","os":"linux","created":"2026-01-01T00:00:00Z",)"
                    R"("rootfs":{{"type":"layers","diff_ids":[{}]}}}})",
                    architecture, ids);
    image.manifest = fmt::format(
        R"({{"schemaVersion":2,"config":{},"layers":[{}]}})",
        descriptor("application/vnd.oci.image.config.v1+json", image.config), descriptors);
    image.layers = std::move(layers);
    return image;
}

// Two layers, the lower one with a large file.
inline TestImage small_image(std::string const& text = "hello") {
    return image_of_layers(
        {tar_of({{"etc/name", text}, {"large", std::string(200'000, 'x') + text}}),
         tar_of({{"etc/name", text + " again"}, {"usr/.wh.large", ""}})});
}

inline std::string ref_name(std::string const& name) {
    return R"(,"annotations":{"org.opencontainers.image.ref.name":")" + name + "\"}";
}

inline std::string index_of(std::vector<std::string> const& descriptors) {
    return fmt::format(R"({{"schemaVersion":2,"manifests":[{}]}})", fmt::join(descriptors, ","));
}

inline constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";

inline void add_blobs(Members& members, TestImage const& image) {
    for (std::string const& layer : image.layers) {
        members.emplace_back(blob_name(layer), layer);
    }
    members.emplace_back(blob_name(image.config), image.config);
    members.emplace_back(blob_name(image.manifest), image.manifest);
}

inline Members oci_layout(TestImage const& image, std::string const& annotations = "") {
    Members members{
        {"oci-layout", R"({"imageLayoutVersion":"1.0.0"})"},
        {"index.json", index_of({descriptor(kManifestType, image.manifest, annotations)})}};
    add_blobs(members, image);
    return members;
}

inline std::string docker_entry(std::string const& config, std::vector<std::string> const& layers,
                                std::vector<std::string> const& names) {
    auto const list = [](std::vector<std::string> const& texts) {
        return texts.empty() ? std::string{} : fmt::format("\"{}\"", fmt::join(texts, "\",\""));
    };
    return fmt::format(R"({{"Config":"{}","RepoTags":[{}],"Layers":[{}]}})", config, list(names),
                       list(layers));
}

// As podman save writes it: manifest.json last.
inline Members docker_archive(TestImage const& image, std::vector<std::string> const& names) {
    Members members;
    std::vector<std::string> layers;
    for (std::string const& layer : image.layers) {
        layers.push_back(base::sha256(layer).hex() + ".tar");
        members.emplace_back(layers.back(), layer);
    }
    std::string const config = image.id().hex() + ".json";
    members.emplace_back(config, image.config);
    members.emplace_back("manifest.json", "[" + docker_entry(config, layers, names) + "]");
    return members;
}

inline void write_file(std::string const& path, std::string_view text) {
    auto const slash = path.rfind('/');
    value_of(base::sys::mkdir_all(path.substr(0, slash), 0755));
    value_of(base::sys::replace_file(AT_FDCWD, path.c_str(), text, 0644, base::sys::Sync::no));
}

inline void write_folder(std::string const& folder, Members const& members) {
    for (auto const& [name, content] : members) {
        write_file(folder + '/' + name, content);
    }
}

}  // namespace oblea::test
