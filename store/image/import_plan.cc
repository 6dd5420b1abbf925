// SPDX-License-Identifier: MIT
#include "store/image/import_plan.h"

#include "store/base/limits.h"
#include "store/image/reference.h"
#include "store/layer/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace oblea::store {

namespace {

constexpr char kLayoutIndex[] = "index.json";
constexpr char kLayoutFile[] = "oci-layout";
constexpr char kDockerManifest[] = "manifest.json";
constexpr std::size_t kNamesShown = 10;

// Where an OCI layout has a blob; a store has them in the same place.
std::string blob_file(Digest const& digest) {
    return layout::blob(digest);
}

std::unexpected<Error> missing(std::string const& file, std::string_view wanted_by) {
    return fail(Errno::enoent, "", fmt::format("{} is missing, which {} needs", file, wanted_by));
}

Result<std::string> read_verified(ImageFiles const& files, Descriptor const& descriptor,
                                  std::size_t limit_bytes, std::string_view wanted_by) {
    std::string const file = blob_file(descriptor.digest);
    auto bytes = OBLEA_TRY(files.read(file, limit_bytes));
    if (!bytes.has_value()) {
        return missing(file, wanted_by);
    }
    if (bytes->size() != descriptor.bytes) {
        return fail(Errno::ebadmsg, "",
                    fmt::format("{} has {} bytes, and {} says {}", file, bytes->size(), wanted_by,
                                descriptor.bytes));
    }
    if (base::sha256(*bytes) != descriptor.digest) {
        return fail(Errno::ebadmsg, "", file + ": its SHA-256 is not its name");
    }
    return *std::move(bytes);
}

void check_platform(PlannedImage& image) {
    Platform const own{image.config.os, image.config.architecture, image.config.variant};
    Platform const machine = Platform::of_machine();
    if (!platform_rank(machine, own).has_value()) {
        image.warnings.push_back(fmt::format("the image is for {}, and this machine is {}",
                                             own.to_string(), machine.to_string()));
    }
}

Status expect_platform(PlannedImage const& image, ImportSelection const& selection) {
    Platform const own{image.config.os, image.config.architecture, image.config.variant};
    if (selection.platform.has_value() && !platform_rank(*selection.platform, own).has_value()) {
        return fail(Errno::enoent, "",
                    fmt::format("there is no image for {}, but one for {}",
                                selection.platform->to_string(), own.to_string()));
    }
    return {};
}

void check_history(PlannedImage& image) {
    if (image.config.has_history && image.config.history_layers != image.config.diff_ids.size()) {
        image.warnings.push_back(fmt::format("the history tells of {} layers, and the image has {}",
                                             image.config.history_layers,
                                             image.config.diff_ids.size()));
    }
}

std::unexpected<Error> length_mismatch(std::size_t expected, std::size_t got) {
    return fail(Errno::ebadmsg, "",
                fmt::format("invalid manifest, layers length mismatch: expected {}, got {}",
                            expected, got));
}

// OCI.

std::string annotation_of(Descriptor const& entry, char const* key) {
    auto const at = entry.annotations.find(key);
    return at == entry.annotations.end() ? "" : at->second;
}

class OciPlanner {
public:
    OciPlanner(ImageFiles const& files, ImportSelection const& selection)
        : files_(files), selection_(selection),
          platform_(selection.platform.value_or(Platform::of_machine())) {}

    Result<std::vector<PlannedImage>> run() {
        auto const text = OBLEA_TRY(files_.read(kLayoutIndex, limits::kManifestBytesMax));
        if (!text.has_value()) {
            return missing(kLayoutIndex, "an OCI image layout");
        }
        ImageIndex const index = OBLEA_TRY(parse_layout_index(*text, kLayoutIndex));
        std::vector<PlannedImage> images;
        for (auto const& group : OBLEA_TRY(group_entries(index))) {
            Descriptor const chosen = OBLEA_TRY(choose_entry(group));
            PlannedImage image =
                OBLEA_TRY(plan_descriptor(chosen, kLayoutIndex, limits::kIndexDepthMax));
            add_names(group.front(), image);
            images.push_back(std::move(image));
        }
        return images;
    }

private:
    using Group = std::vector<Descriptor>;  // one image, of which there may be several platforms

    // Entries of the same name are platforms of one image, and so are unnamed ones that all tell
    // their platform; other unnamed ones are images of their own.
    Result<std::vector<Group>> group_entries(ImageIndex const& index) const {
        std::vector<Group> groups;
        std::map<std::string, std::size_t> position;
        std::vector<std::string> labels;
        for (Descriptor const& entry : index.manifests) {
            if (entry.is_attestation()) {
                continue;
            }
            labels.push_back(layout_name(entry).empty() ? "(unnamed)" : layout_name(entry));
            if (selection_.selected.has_value() && !is_called(entry, *selection_.selected)) {
                continue;
            }
            std::string const key = layout_name(entry);
            bool const alone = key.empty() && !entry.platform.has_value();
            auto const [at, added] = position.try_emplace(key, groups.size());
            if (added || alone) {
                groups.emplace_back();
                at->second = groups.size() - 1;
            }
            groups[at->second].push_back(entry);
        }
        if (groups.empty()) {
            return no_entry(labels);
        }
        return groups;
    }

    [[nodiscard]] std::unexpected<Error> no_entry(std::vector<std::string> labels) const {
        if (labels.empty()) {
            return fail(Errno::enoent, "", "the layout holds no image");
        }
        bool const more = labels.size() > kNamesShown;
        labels.resize(std::min(labels.size(), kNamesShown));
        return fail(Errno::enoent, "",
                    fmt::format("the layout has no image \"{}\"; it has {}{}",
                                selection_.selected.value_or(""), fmt::join(labels, ", "),
                                more ? ", ..." : ""));
    }

    Result<Descriptor> choose_entry(Group const& group) const {
        if (group.size() == 1 && !selection_.platform.has_value()) {
            return group.front();
        }
        ImageIndex const alternatives{media_type::kOciIndex, group};
        return *OBLEA_TRY(choose_platform(alternatives, platform_, kLayoutIndex));
    }

    Result<PlannedImage> plan_descriptor(Descriptor const& descriptor, std::string_view wanted_by,
                                         std::size_t depth) const {
        std::string const file = blob_file(descriptor.digest);
        std::string bytes =
            OBLEA_TRY(read_verified(files_, descriptor, limits::kManifestBytesMax, wanted_by));
        auto const parsed = OBLEA_TRY(parse_manifest(bytes, descriptor.media_type, file));
        if (auto const* const manifest = std::get_if<Manifest>(&parsed)) {
            return plan_manifest(*manifest, std::move(bytes), file);
        }
        if (depth == 0) {
            return fail(Errno::e2big, "",
                        fmt::format("{}: image indexes are nested more than {} deep", file,
                                    limits::kIndexDepthMax));
        }
        Descriptor const& chosen =
            *OBLEA_TRY(choose_platform(std::get<ImageIndex>(parsed), platform_, file));
        return plan_descriptor(chosen, file, depth - 1);
    }

    Result<PlannedImage> plan_manifest(Manifest const& manifest, std::string bytes,
                                       std::string const& file) const {
        PlannedImage image;
        image.id = manifest.config.digest;
        image.config_bytes =
            OBLEA_TRY(read_verified(files_, manifest.config, limits::kConfigBytesMax, file));
        image.config = OBLEA_TRY(
            parse_config(image.config_bytes, "config " + manifest.config.digest.to_string()));
        image.manifest_bytes = std::move(bytes);
        if (manifest.layers.size() != image.config.diff_ids.size()) {
            return length_mismatch(image.config.diff_ids.size(), manifest.layers.size());
        }
        for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
            Descriptor const& layer = manifest.layers[i];
            std::string const name = blob_file(layer.digest);
            auto const member = OBLEA_TRY(files_.resolve(name));
            if (!member.has_value()) {
                return missing(name, file);
            }
            Digest const& diff_id = image.config.diff_ids[i];
            image.layers.push_back({*member, {layer.digest, layer.bytes, diff_id}, diff_id});
        }
        OBLEA_TRY(expect_platform(image, selection_));
        check_platform(image);
        check_history(image);
        return image;
    }

    void add_names(Descriptor const& entry, PlannedImage& image) const {
        std::string const full = annotation_of(entry, kFullNameAnnotation);
        std::string const ref = annotation_of(entry, kRefNameAnnotation);
        bool const is_tag = full.empty() && Reference::is_valid_tag(ref);
        // A bare word is the tag that skopeo and umoci give within a layout; the layout is the
        // repository.
        std::string const name = !is_tag ? (full.empty() ? ref : full)
                                 : !selection_.repository.empty()
                                     ? selection_.repository + ':' + ref
                                     : "";
        auto const reference = Reference::parse(name);
        if (reference.has_value()) {
            image.names.push_back(reference->with_default_tag().canonical());
        } else if (!ref.empty() || !full.empty()) {
            image.warnings.push_back(
                fmt::format("the layout calls the image \"{}\", which is not a "
                            "full name; it stays without one",
                            full.empty() ? ref : full));
        }
    }

    ImageFiles const& files_;
    ImportSelection const& selection_;
    Platform platform_;
};

// Docker.

Result<std::string> member_of(ImageFiles const& files, std::string const& name) {
    std::string const path =
        OBLEA_TRY(with_context(RelPath::parse(name), [] { return kDockerManifest; })).string();
    auto const member = OBLEA_TRY(files.resolve(path));
    if (!member.has_value()) {
        return missing(path, kDockerManifest);
    }
    return *member;
}

// "blobs/sha256/<hex>" is a digest that must hold.
std::optional<Digest> digest_in_name(std::string_view name) {
    std::string const prefix = std::string{layout::kBlobs} + '/';
    if (!name.starts_with(prefix)) {
        return std::nullopt;
    }
    auto const digest = Digest::parse_hex(name.substr(prefix.size()));
    return digest.has_value() ? std::optional{*digest} : std::nullopt;
}

Result<PlannedImage> plan_docker_image(ImageFiles const& files, DockerArchiveImage const& entry) {
    std::string const file = OBLEA_TRY(member_of(files, entry.config));
    auto bytes = OBLEA_TRY(files.read(file, limits::kConfigBytesMax));
    if (!bytes.has_value()) {
        return missing(file, kDockerManifest);
    }
    PlannedImage image;
    image.config_bytes = *std::move(bytes);
    image.id = base::sha256(image.config_bytes);
    if (auto const claimed = digest_in_name(file); claimed.has_value() && *claimed != image.id) {
        return fail(Errno::ebadmsg, "", file + ": its SHA-256 is not its name");
    }
    image.config = OBLEA_TRY(parse_config(image.config_bytes, "config " + file));
    if (entry.layers.size() != image.config.diff_ids.size()) {
        return length_mismatch(image.config.diff_ids.size(), entry.layers.size());
    }
    for (std::size_t i = 0; i < entry.layers.size(); ++i) {
        Digest const& diff_id = image.config.diff_ids[i];
        std::string member = OBLEA_TRY(member_of(files, entry.layers[i]));
        LayerClaims const claims{digest_in_name(member), std::nullopt, diff_id};
        image.layers.push_back({std::move(member), claims, diff_id});
    }
    for (std::string const& name : entry.names) {
        auto const reference = Reference::parse(name);
        if (reference.has_value()) {
            image.names.push_back(reference->with_default_tag().canonical());
        } else {
            image.warnings.push_back(fmt::format("\"{}\" is not the name of an image: {}", name,
                                                 reference.error().detail));
        }
    }
    check_platform(image);
    check_history(image);
    return image;
}

// "@N" by position, else by name; the image is then known by that name alone.
Result<DockerArchiveImage> select_docker(std::vector<DockerArchiveImage> const& entries,
                                         std::string const& selected) {
    if (selected.starts_with('@')) {
        std::size_t position = 0;
        auto const* const end = selected.data() + selected.size();
        auto const parsed = std::from_chars(selected.data() + 1, end, position);
        if (parsed.ec != std::errc{} || parsed.ptr != end || position >= entries.size()) {
            return fail(
                Errno::enoent, "",
                fmt::format("the archive has no image {}; it has {}", selected, entries.size()));
        }
        return entries[position];
    }
    auto const wanted = OBLEA_TRY(Reference::parse(selected)).with_default_tag().canonical();
    std::vector<std::string> there;
    for (DockerArchiveImage const& entry : entries) {
        for (std::string const& name : entry.names) {
            auto const reference = Reference::parse(name);
            if (reference.has_value() && reference->with_default_tag().canonical() == wanted) {
                return DockerArchiveImage{entry.config, {name}, entry.layers};
            }
            there.push_back(name);
        }
    }
    there.resize(std::min(there.size(), kNamesShown));
    return fail(Errno::enoent, "",
                fmt::format("the archive has no image \"{}\"; it has {}", selected,
                            there.empty() ? "none with a name (choose by @0, @1, ...)"
                                          : fmt::format("{}", fmt::join(there, ", "))));
}

Result<std::vector<PlannedImage>> plan_docker(ImageFiles const& files,
                                              ImportSelection const& selection) {
    auto const text = OBLEA_TRY(files.read(kDockerManifest, limits::kManifestBytesMax));
    if (!text.has_value()) {
        return fail(Errno::einval, "", "invalid archive: does not contain a manifest.json");
    }
    auto entries = OBLEA_TRY(parse_docker_manifest(*text, kDockerManifest));
    if (entries.empty()) {
        return fail(Errno::enoent, "", "the archive holds no image");
    }
    if (selection.selected.has_value()) {
        auto selected = OBLEA_TRY(select_docker(entries, *selection.selected));
        entries.assign(1, std::move(selected));
    }
    std::vector<PlannedImage> images;
    for (DockerArchiveImage const& entry : entries) {
        images.push_back(OBLEA_TRY(plan_docker_image(files, entry)));
        OBLEA_TRY(expect_platform(images.back(), selection));
    }
    return images;
}

void append_new(std::vector<std::string>& list, std::vector<std::string> const& more) {
    for (std::string const& text : more) {
        if (std::ranges::find(list, text) == list.end()) {
            list.push_back(text);
        }
    }
}

std::vector<PlannedImage> join_same(std::vector<PlannedImage> images) {
    std::vector<PlannedImage> joined;
    for (PlannedImage& image : images) {
        auto const same = std::ranges::find(joined, image.id, &PlannedImage::id);
        if (same == joined.end()) {
            joined.push_back(std::move(image));
        } else {
            append_new(same->names, image.names);
            append_new(same->warnings, image.warnings);
        }
    }
    return joined;
}

// docker save writes both forms into one archive, and all tags of an image into this one only.
Status add_docker_names(ImageFiles const& files, std::vector<PlannedImage>& images) {
    auto const text = OBLEA_TRY(files.read(kDockerManifest, limits::kManifestBytesMax));
    auto const entries = text.has_value() ? parse_docker_manifest(*text, kDockerManifest)
                                          : Result<std::vector<DockerArchiveImage>>{};
    if (!entries.has_value()) {
        return {};  // another tool's file: the layout is complete without it
    }
    for (DockerArchiveImage const& entry : *entries) {
        auto const id = digest_in_name(entry.config);
        auto const image = std::ranges::find_if(
            images, [&](PlannedImage const& planned) { return planned.id == id; });
        for (std::string const& name : entry.names) {
            auto const reference = Reference::parse(name);
            if (image != images.end() && reference.has_value()) {
                append_new(image->names, {reference->with_default_tag().canonical()});
            }
        }
    }
    return {};
}

}  // namespace

std::string layout_name(Descriptor const& entry) {
    std::string const full = annotation_of(entry, kFullNameAnnotation);
    return full.empty() ? annotation_of(entry, kRefNameAnnotation) : full;
}

bool is_called(Descriptor const& entry, std::string const& wanted) {
    if (annotation_of(entry, kRefNameAnnotation) == wanted ||
        annotation_of(entry, kFullNameAnnotation) == wanted) {
        return true;
    }
    auto const reference = Reference::parse(wanted);
    auto const own = Reference::parse(layout_name(entry));
    return reference.has_value() && own.has_value() &&
           reference->with_default_tag().canonical() == own->with_default_tag().canonical();
}

Result<std::optional<ImageFormat>> detect_format(ImageFiles const& files) {
    bool const has_index = OBLEA_TRY(files.resolve(kLayoutIndex)).has_value();
    bool const has_layout = OBLEA_TRY(files.resolve(kLayoutFile)).has_value();
    if (has_index && has_layout) {
        return std::optional{ImageFormat::oci};
    }
    if (OBLEA_TRY(files.resolve(kDockerManifest)).has_value()) {
        return std::optional{ImageFormat::docker};
    }
    return has_index || has_layout ? std::optional{ImageFormat::oci} : std::nullopt;
}

Result<std::vector<PlannedImage>> plan_images(ImageFiles const& files, ImageFormat format,
                                              ImportSelection const& selection) {
    if (format == ImageFormat::docker) {
        return join_same(OBLEA_TRY(plan_docker(files, selection)));
    }
    auto images = join_same(OBLEA_TRY(OciPlanner(files, selection).run()));
    if (!selection.selected.has_value()) {
        OBLEA_TRY(add_docker_names(files, images));
    }
    return images;
}

}  // namespace oblea::store
