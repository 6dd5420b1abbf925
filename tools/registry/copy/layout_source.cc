// SPDX-License-Identifier: MIT
#include "tools/registry/copy/layout_source.h"

#include "store/base/limits.h"
#include "store/image/import_plan.h"
#include "store/image/manifest.h"
#include "store/image/reference.h"
#include "store/layer/layout.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::registry {

namespace {

constexpr std::size_t kNamesShown = 10;
constexpr std::uint64_t kSkipBytes = 256U << 10U;

Status skip(base::ByteSource& source, std::uint64_t bytes) {
    base::Bytes buffer(static_cast<std::size_t>(std::min(bytes, kSkipBytes)));
    while (bytes > 0) {
        auto const room = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer.size()));
        std::size_t const count = OBLEA_TRY(source.read(base::MutableBytes{buffer}.first(room)));
        if (count == 0) {
            return fail(Errno::eio, "", "a blob is shorter than it was");
        }
        bytes -= count;
    }
    return {};
}

class LayoutSource final : public CopySource {
public:
    LayoutSource(OpenedFiles files, store::ImageIndex index, std::string what)
        : files_(std::move(files)), index_(std::move(index)), what_(std::move(what)) {}

    Result<std::vector<std::string>> names() override {
        std::vector<std::string> names;
        for (auto const& entry : index_.manifests) {
            std::string name = store::layout_name(entry);
            if (!entry.is_attestation() && !name.empty() &&
                std::ranges::find(names, name) == names.end()) {
                names.push_back(std::move(name));
            }
        }
        return names;
    }

    Result<RemoteManifest> manifest(std::string const& name) override {
        auto const digest = base::Digest::parse(name);
        if (digest.has_value()) {
            return read(*digest, "");
        }
        auto const& entry = *OBLEA_TRY(find(name));
        return read(entry.digest, entry.media_type);
    }

    Result<std::unique_ptr<base::ByteSource>> blob(ReferredBlob const& blob,
                                                   std::uint64_t offset) override {
        std::string const path = store::layout::blob(blob.digest);
        auto const member = OBLEA_TRY(files_.files->resolve(path));
        if (!member.has_value()) {
            return fail(Errno::enoent, "", what_ + ": " + path + " is missing");
        }
        auto file = OBLEA_TRY(files_.files->open(*member));
        if (file.bytes != blob.bytes) {
            return fail(Errno::ebadmsg, "",
                        fmt::format("{}: {} has {} bytes, and its manifest says {}", what_, path,
                                    file.bytes, blob.bytes));
        }
        OBLEA_TRY(skip(*file.source, offset));
        return std::move(file.source);
    }

    [[nodiscard]] std::optional<std::string> full_name(std::string const& name) const override {
        auto const entry = find(name);
        if (!entry.has_value()) {
            return std::nullopt;
        }
        auto const at = (*entry)->annotations.find(store::kFullNameAnnotation);
        return at == (*entry)->annotations.end() ? std::nullopt : std::optional{at->second};
    }

private:
    [[nodiscard]] Result<store::Descriptor const*> find(std::string const& name) const {
        std::vector<store::Descriptor const*> found;
        std::vector<std::string> there;
        for (auto const& entry : index_.manifests) {
            if (name.empty() ? !entry.is_attestation() : store::is_called(entry, name)) {
                found.push_back(&entry);
            }
            std::string label = store::layout_name(entry);
            there.push_back(label.empty() ? entry.digest.to_string() : std::move(label));
        }
        bool const same = std::ranges::all_of(
            found, [&](auto const* entry) { return entry->digest == found.front()->digest; });
        if (!found.empty() && same) {
            return found.front();
        }
        there.resize(std::min(there.size(), kNamesShown));
        return fail(
            Errno::enoent, "",
            fmt::format("{}: {}; there is {}", what_,
                        found.empty() ? fmt::format("no image \"{}\"", name)
                                      : "several images, of which one has to be named",
                        there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", "))));
    }

    Result<RemoteManifest> read(base::Digest const& digest, std::string const& media_type) {
        std::string const path = store::layout::blob(digest);
        auto bytes = OBLEA_TRY(files_.files->read(path, limits::kManifestBytesMax));
        if (!bytes.has_value()) {
            return fail(Errno::enoent, "", what_ + ": " + path + " is missing");
        }
        if (base::sha256(*bytes) != digest) {
            return fail(Errno::ebadmsg, "", what_ + ": " + path + ": its SHA-256 is not its name");
        }
        std::string type = manifest_type(*bytes, media_type);
        return RemoteManifest{
            .bytes = *std::move(bytes), .media_type = std::move(type), .digest = digest};
    }

    OpenedFiles files_;
    store::ImageIndex index_;
    std::string what_;
};

}  // namespace

Result<std::unique_ptr<CopySource>> open_layout_source(OpenedFiles files, std::string what) {
    constexpr char kIndex[] = "index.json";
    auto const text = OBLEA_TRY(files.files->read(kIndex, limits::kManifestBytesMax));
    if (!text.has_value()) {
        return fail(Errno::einval, "", what + " is no OCI image layout: it has no index.json");
    }
    auto index = OBLEA_TRY(store::parse_layout_index(*text, what + '/' + kIndex));
    return std::make_unique<LayoutSource>(std::move(files), std::move(index), std::move(what));
}

}  // namespace oblea::registry
