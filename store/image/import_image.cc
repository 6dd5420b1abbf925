// SPDX-License-Identifier: MIT
#include "store/image/import_image.h"

#include "store/base/sys.h"
#include "store/gc.h"
#include "store/image/archive_tar.h"
#include "store/image/child_output.h"
#include "store/image/folder_tar.h"
#include "store/image/import_plan.h"
#include "store/image/import_source.h"
#include "store/image/json_fields.h"
#include "store/image/layer_importer.h"
#include "store/image/progress_board.h"
#include "store/image/publish_images.h"
#include "store/image/reference.h"
#include "store/image/rfc3339.h"
#include "store/image/rootfs_image.h"
#include "store/image/sniff.h"
#include "store/image/stream_files.h"
#include "store/layer/plain_stream.h"
#include "store/repair.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;
using As = ImportRequest::As;

namespace {

constexpr char kLookedFor[] =
    "not recognised; looked for an OCI image layout (oci-layout, index.json), a docker archive "
    "(manifest.json) and a root file system (folder, tar, cpio or zip; gzip, zstd, xz or bzip2)";

std::string with_compression(std::string what, StreamKind outer) {
    return is_compressed(outer) ? what + ", " + name_of(outer) : what;
}

Result<Sniffed> look_at(HeadSource& source) {
    std::size_t const bytes = head_bytes_for(OBLEA_TRY(source.peek(kHeadBytes)));
    return sniff_archive(OBLEA_TRY(source.peek(bytes)));
}

class Import {
public:
    Import(Store const& store, ImportRequest const& request, ImportSource source,
           LayerImporter layers)
        : store_(store), request_(request), source_(std::move(source)), layers_(std::move(layers)) {
    }

    // What is to be imported of an image's files.
    Status prepare() {
        if (!request_.platform.empty()) {
            selection_.platform = OBLEA_TRY(Platform::parse(request_.platform));
        }
        selection_.selected = source_.selected;
        selection_.repository = repository_of(source_);
        if (request_.name.has_value()) {
            auto const reference = OBLEA_TRY(with_context(
                Reference::parse(*request_.name), [&] { return '"' + *request_.name + '"'; }));
            if (reference.digest.has_value()) {
                return fail(Errno::einval, "", "refusing to create a tag with a digest reference");
            }
            name_ = reference.with_default_tag().canonical();
        }
        return {};
    }

    Result<ImportReport> run() {
        using Kind = ImportSource::Kind;
        if (source_.kind == Kind::containers_storage) {
            return from_containers_storage();
        }
        if (source_.kind == Kind::standard_input) {
            return from_stream(OBLEA_TRY(sys::duplicate(0)));
        }
        UniqueFd file = OBLEA_TRY(sys::openat(AT_FDCWD, source_.location.c_str(), O_RDONLY));
        struct stat const info = OBLEA_TRY(sys::fstat(file.get()));
        if (S_ISDIR(info.st_mode)) {
            return from_folder(std::move(file));
        }
        if (source_.kind == Kind::oci_layout) {
            return fail(Errno::enotdir, "", "oci: names a folder; for a file write oci-archive:");
        }
        return S_ISREG(info.st_mode) ? from_file(std::move(file)) : from_stream(std::move(file));
    }

private:
    // Whether to take it for an image, as far as request and source tell.
    [[nodiscard]] As wanted() const {
        using Kind = ImportSource::Kind;
        bool const named = source_.kind == Kind::oci_layout || source_.kind == Kind::oci_archive ||
                           source_.kind == Kind::docker_archive ||
                           source_.kind == Kind::containers_storage;
        return named ? As::image : request_.as;
    }

    Status expect_allowed(char const* transport) const {
        if (!request_.allow) {
            return {};
        }
        using Kind = ImportSource::Kind;
        bool const other_store = source_.kind == Kind::containers_storage;
        bool const has_path = !other_store && source_.kind != Kind::standard_input;
        return request_.allow({.transport = other_store ? "containers-storage" : transport,
                               .path = has_path ? source_.location : "",
                               .name = source_.selected.value_or("")});
    }

    // The archive of an image, or a folder with what one has.
    Status expect_allowed(ImageFormat format, char const* oci_transport) const {
        return expect_allowed(format == ImageFormat::oci ? oci_transport : "docker-archive");
    }

    [[nodiscard]] Result<ImageFormat> format_of(ImageFiles const& files) const {
        using Kind = ImportSource::Kind;
        if (source_.kind == Kind::oci_layout || source_.kind == Kind::oci_archive) {
            return ImageFormat::oci;
        }
        if (source_.kind == Kind::docker_archive) {
            return ImageFormat::docker;
        }
        auto const format = OBLEA_TRY(detect_format(files));
        if (!format.has_value()) {
            return fail(Errno::einval, "",
                        "invalid archive: does not contain a manifest.json, nor the index.json of "
                        "an OCI layout; a root file system is imported by --as rootfs");
        }
        return *format;
    }

    static std::string archive_name(ImageFormat format) {
        return format == ImageFormat::oci ? "OCI archive" : "docker archive";
    }

    Result<ImportReport> from_folder(UniqueFd folder) {
        using Kind = ImportSource::Kind;
        if (source_.kind == Kind::oci_archive || source_.kind == Kind::docker_archive) {
            return fail(Errno::eisdir, "", "the archive is a folder; name it without the prefix");
        }
        auto const files = OBLEA_TRY(open_folder_files(source_.location));
        bool const rootfs =
            wanted() == As::rootfs ||
            (wanted() == As::automatic && !OBLEA_TRY(detect_format(*files)).has_value());
        if (!rootfs) {
            ImageFormat const format = OBLEA_TRY(format_of(*files));
            OBLEA_TRY(expect_allowed(format, "oci"));
            return from_files(*files, format,
                              format == ImageFormat::oci ? "OCI image layout"
                                                         : "docker archive, unpacked");
        }
        if (request_.as == As::automatic && OBLEA_TRY(sys::list_dir(folder.get())).empty()) {
            return fail(Errno::einval, "", std::string{"an empty folder is "} + kLookedFor);
        }
        FolderTarOptions const options{.latest = OBLEA_TRY(source_date_epoch())};
        FolderTar tar{std::move(folder), options};
        return from_rootfs(tar, 0, "root file system (folder)");
    }

    Result<ImportReport> from_files(SeekableFiles const& files, ImageFormat format,
                                    std::string recognised) {
        auto images = OBLEA_TRY(plan_images(files, format, selection_));
        if (request_.repair != nullptr) {
            Images const known = OBLEA_TRY(store_.images());
            std::erase_if(
                images, [&](PlannedImage const& image) { return known.find(image.id) == nullptr; });
        }
        LayerOutcomes const outcomes = OBLEA_TRY(layers_.import_all(files, images, request_.jobs));
        return publish(std::move(images), outcomes, std::move(recognised));
    }

    // A file: an image in a plain tar is read side by side, everything else as a stream.
    Result<ImportReport> from_file(UniqueFd file) {
        struct stat const info = OBLEA_TRY(sys::fstat(file.get()));
        auto const file_bytes = static_cast<std::uint64_t>(info.st_size);
        base::FileRangeSource beginning{file.get(), 0, file_bytes};
        HeadSource head{beginning};
        Sniffed const sniffed = OBLEA_TRY(look_at(head));
        if (sniffed.outer == StreamKind::tar && wanted() != As::rootfs) {
            Looks const looks = judge_names(sniffed.names);
            if (wanted() == As::image || looks != Looks::like_rootfs) {
                auto const files = OBLEA_TRY(open_tar_files(file.get()));
                bool const image = wanted() == As::image || looks == Looks::like_image ||
                                   OBLEA_TRY(detect_format(*files)).has_value();
                if (image) {
                    ImageFormat const format = OBLEA_TRY(format_of(*files));
                    OBLEA_TRY(expect_allowed(format, "oci-archive"));
                    return from_files(*files, format, archive_name(format));
                }
            }
        }
        return from_sniffed(sniffed, std::move(file), file_bytes);
    }

    Result<ImportReport> from_stream(UniqueFd pipe) {
        return from_sniffed(std::nullopt, std::move(pipe), 0);
    }

    // `total_bytes` is for progress; 0: not known.
    Result<ImportReport> from_sniffed(std::optional<Sniffed> sniffed, UniqueFd file,
                                      std::uint64_t total_bytes) {
        int const fd = file.get();
        bool const seekable = sniffed.has_value();
        base::FdSource source{std::move(file)};
        HeadSource peeked{source};
        if (!seekable) {
            sniffed = OBLEA_TRY(look_at(peeked));
        }
        bool const is_tar = sniffed->archive == StreamKind::tar;
        bool const as_image =
            is_tar && (wanted() == As::image || (wanted() == As::automatic &&
                                                 judge_names(sniffed->names) == Looks::like_image));
        if (as_image) {
            return from_image_stream(peeked, *sniffed);
        }
        if (wanted() == As::image) {
            return fail(Errno::einval, "",
                        "not recognised; looked for an OCI archive and a docker archive, both of "
                        "which are tar");
        }
        std::string const what = with_compression(
            fmt::format("root file system ({}", name_of(sniffed->archive)), sniffed->outer);
        if (is_tar) {
            return from_rootfs_tar(peeked, *sniffed, total_bytes, what + ")");
        }
        if (sniffed->archive != StreamKind::cpio && sniffed->archive != StreamKind::zip) {
            return fail(Errno::einval, "", kLookedFor);
        }
        // The directory of a zip is at its end: only a file shows modes and links.
        ArchiveReader archive =
            OBLEA_TRY(seekable ? ArchiveReader::open_file(fd, ArchiveReader::Format::tree)
                               : ArchiveReader::open(peeked, ArchiveReader::Format::tree));
        ArchiveTar tar{archive};
        return from_rootfs(tar, 0, what + ")");
    }

    Result<ImportReport> from_image_stream(base::ByteSource& stream, Sniffed const& sniffed) {
        // libarchive decompresses in the thread that parses, and slower.
        std::unique_ptr<base::ByteSource> plain;
        if (sniffed.outer == StreamKind::gzip || sniffed.outer == StreamKind::zstd) {
            plain = make_plain_stream(
                stream, sniffed.outer == StreamKind::gzip ? Compression::gzip : Compression::zstd);
        }
        ArchiveReader archive =
            OBLEA_TRY(ArchiveReader::open(plain ? *plain : stream, ArchiveReader::Format::tar));
        StreamFiles files;
        LayerOutcomes outcomes;
        // A member that is no good layer is a fault only if an image wants it.
        std::map<std::string, Error> failures;
        OBLEA_TRY(files.scan(archive,
                             [&](std::string const& member, base::ByteSource& content,
                                 std::uint64_t bytes) -> Status {
                                 failures.erase(member);
                                 outcomes.erase(member);
                                 auto outcome = import_passing(member, content, bytes);
                                 if (outcome.has_value()) {
                                     outcomes[member] = *std::move(outcome);
                                     return {};
                                 }
                                 bool const of_the_member =
                                     outcome.error().code == Errno::einval ||
                                     outcome.error().code == Errno::ebadmsg ||
                                     outcome.error().code == Errno::e2big;
                                 if (!of_the_member) {
                                     return std::unexpected<Error>(std::move(outcome).error());
                                 }
                                 failures[member] = std::move(outcome).error();
                                 return {};
                             }));
        ImageFormat const format = OBLEA_TRY(format_of(files));
        OBLEA_TRY(expect_allowed(format, "oci-archive"));
        auto images = OBLEA_TRY(plan_images(files, format, selection_));
        std::set<std::string> used;
        for (PlannedImage const& image : images) {
            for (PlannedLayer const& layer : image.layers) {
                if (auto const at = failures.find(layer.member); at != failures.end()) {
                    return std::unexpected<Error>(at->second);
                }
                used.insert(layer.member);
            }
        }
        has_unused_ = std::ranges::any_of(
            outcomes, [&](auto const& outcome) { return !used.contains(outcome.first); });
        return publish(std::move(images), outcomes,
                       with_compression(archive_name(format), sniffed.outer));
    }

    // What the name of a member tells: blobs/sha256/<digest>, or podman's <diff ID>.tar.
    Result<LayerOutcome> import_passing(std::string const& member, base::ByteSource& content,
                                        std::uint64_t bytes) {
        LayerClaims claims;
        constexpr std::string_view kBlobPrefix = "blobs/sha256/";
        constexpr std::string_view kTar = ".tar";
        if (member.starts_with(kBlobPrefix)) {
            auto const blob =
                Digest::parse_hex(std::string_view{member}.substr(kBlobPrefix.size()));
            if (blob.has_value()) {
                claims.blob = *blob;
                if (auto known = OBLEA_TRY(layers_.find_known(member, claims))) {
                    return *std::move(known);
                }
            }
        } else if (member.ends_with(kTar)) {
            auto const diff_id =
                Digest::parse_hex(std::string_view{member}.substr(0, member.size() - kTar.size()));
            // Only to find it: the name is a habit, no promise.
            LayerClaims guess;
            if (diff_id.has_value()) {
                guess.diff_id = *diff_id;
                if (auto known = OBLEA_TRY(layers_.find_known(member, guess))) {
                    return *std::move(known);
                }
            }
        }
        return layers_.import(member, content, bytes, claims);
    }

    // The tar itself becomes the layer; its compression is kept where images may have it.
    Result<ImportReport> from_rootfs_tar(HeadSource& stream, Sniffed const& sniffed,
                                         std::uint64_t total_bytes, std::string recognised) {
        bool const as_it_is = sniffed.outer == StreamKind::tar ||
                              sniffed.outer == StreamKind::gzip ||
                              sniffed.outer == StreamKind::zstd;
        if (as_it_is) {
            return from_rootfs(stream, total_bytes, std::move(recognised));
        }
        ArchiveReader plain = OBLEA_TRY(ArchiveReader::open(stream, ArchiveReader::Format::raw));
        OBLEA_TRY(plain.next());
        ArchiveEntrySource tar{plain};
        return from_rootfs(tar, 0, std::move(recognised));
    }

    Result<ImportReport> from_rootfs(base::ByteSource& tar, std::uint64_t total_bytes,
                                     std::string recognised) {
        OBLEA_TRY(expect_allowed("tarball"));
        std::string const member = "root file system";
        auto const epoch = OBLEA_TRY(source_date_epoch());
        LayerOutcome outcome = OBLEA_TRY(layers_.import(member, tar, total_bytes, {}));
        std::string_view path = source_.location;
        while (path.size() > 1 && path.ends_with('/')) {
            path.remove_suffix(1);
        }
        RootfsFacts const facts{selection_.platform.value_or(Platform::of_machine()),
                                rfc3339(epoch.value_or(now_seconds())),
                                fmt::format("oblea import {}", path.substr(path.rfind('/') + 1)),
                                request_.comment, request_.config};
        std::vector<PlannedImage> images;
        images.push_back(OBLEA_TRY(make_rootfs_image(facts, outcome.layer, member)));
        LayerOutcomes outcomes;
        outcomes.emplace(member, std::move(outcome));
        return publish(std::move(images), outcomes, std::move(recognised));
    }

    Result<ImportReport> from_containers_storage() {
        ChildOutput child = OBLEA_TRY(save_from_containers_storage(store_, source_.location));
        auto report = from_stream(child.take_output());
        // What the program has to say is the cause, where both fail.
        OBLEA_TRY(child.finish());
        return report;
    }

    Result<ImportReport> publish(std::vector<PlannedImage> images, LayerOutcomes const& outcomes,
                                 std::string recognised) {
        if (request_.cancel != nullptr && *request_.cancel) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        if (name_.has_value()) {
            if (images.size() != 1) {
                return fail(Errno::einval, "",
                            fmt::format("a name can be given to one image only, and there are {}; "
                                        "choose one by oci:DIR:TAG, oci-archive:FILE:TAG or "
                                        "docker-archive:FILE:NAME",
                                        images.size()));
            }
            images.front().names = {*name_};
        }
        if (request_.repair != nullptr) {
            OBLEA_TRY(layers_.publish());
            return restore_documents(images, std::move(recognised));
        }
        ImportReport report;
        report.recognised = std::move(recognised);
        report.images =
            OBLEA_TRY(publish_images(store_, layers_, images, outcomes, request_.source));
        return report;
    }

    // Of images that the store has.
    Result<ImportReport> restore_documents(std::vector<PlannedImage> const& planned,
                                           std::string recognised) {
        Images const images = OBLEA_TRY(store_.images());
        for (PlannedImage const& image : planned) {
            if (images.find(image.id) == nullptr) {
                continue;
            }
            OBLEA_TRY(restore_blob(store_, image.config_bytes, *request_.repair));
            if (image.manifest_bytes.has_value()) {
                OBLEA_TRY(restore_blob(store_, *image.manifest_bytes, *request_.repair));
            }
        }
        ImportReport report;
        report.recognised = std::move(recognised);
        return report;
    }

    Store const& store_;
    ImportRequest const& request_;
    ImportSource source_;
    LayerImporter layers_;
    ImportSelection selection_;
    std::optional<std::string> name_;

public:
    // Layers came that no image wants.
    bool has_unused_ = false;
};

}  // namespace

Result<ImportReport> import_image(Store const& store, ImportRequest const& request,
                                  std::function<void(ImportProgress const&)> const& progress) {
    ImportSource source = OBLEA_TRY(parse_import_source(request.source));
    Lease lease = OBLEA_TRY(store.take_lease("import"));
    nlohmann::json const about = {{"source", request.source}};
    OBLEA_TRY(lease.describe(json_fields::encode(about, json_fields::Layout::compact)));
    bool has_unused = false;
    auto const run = [&]() -> Result<ImportReport> {
        ProgressBoard board{progress};
        StagingOptions options{.sync_step_bytes = request.sync_step_bytes};
        if (request.repair != nullptr) {
            options.distrust = *request.repair;
        }
        LayerImporter layers =
            OBLEA_TRY(LayerImporter::create(store, board, request.cancel, std::move(options)));
        Import import{store, request, std::move(source), std::move(layers)};
        OBLEA_TRY(import.prepare());
        auto report = import.run();
        has_unused = import.has_unused_;
        return report;
    };
    auto report = run();
    if (!report.has_value() || has_unused) {
        // What stays behind if this fails too is debris, which gc removes.
        static_cast<void>(discard_since(store, lease));
    }
    return with_context(std::move(report),
                        [&] { return request.source == "-" ? "standard input" : request.source; });
}

}  // namespace oblea::store
