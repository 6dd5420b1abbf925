// SPDX-License-Identifier: MIT
#include "tools/registry/copy/layout_target.h"

#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/layer/layout.h"
#include "tools/registry/copy/layout_documents.h"
#include "tools/registry/copy/verified_blob.h"

#include <unistd.h>

namespace oblea::registry {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

constexpr std::size_t kIndexBytesMax = 64U << 20U;

class LayoutTarget final : public CopyTarget {
public:
    LayoutTarget(UniqueFd folder, std::string path)
        : folder_(std::move(folder)), path_(std::move(path)) {}

    Result<PushedBlob> put_blob(BlobUpload const& blob) override {
        return with_context(put(blob), [&] { return path_; });
    }

    Status put_manifest(RemoteManifest const& manifest,
                        std::optional<CopyName> const& name) override {
        BlobUpload const upload{
            .digest = manifest.digest,
            .bytes = manifest.bytes.size(),
            .open = [&](std::uint64_t offset) -> Result<std::unique_ptr<base::ByteSource>> {
                auto const rest = std::string_view{manifest.bytes}.substr(offset);
                return std::make_unique<base::MemorySource>(base::bytes_of(rest));
            }};
        OBLEA_TRY(put_blob(upload));
        if (name.has_value()) {
            entries_.push_back(layout_entry(manifest, *name));
        }
        return {};
    }

    // The blobs are durable by now, and the names of their files after the first sync.
    Status finish() override {
        return with_context(publish(), [&] { return path_; });
    }

private:
    Result<PushedBlob> put(BlobUpload const& blob) {
        std::string const name = store::layout::blob(blob.digest);
        auto const there = OBLEA_TRY(sys::stat_if_exists(folder_.get(), name.c_str()));
        if (there.has_value() && S_ISREG(there->st_mode) &&
            static_cast<std::uint64_t>(there->st_size) == blob.bytes) {
            return PushedBlob{.outcome = PushedBlob::Outcome::present};
        }
        std::string const fresh = name + ".new." + std::to_string(::getpid());
        UniqueFd const file =
            OBLEA_TRY(sys::openat(folder_.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                  store::layout::kSharedFileMode));
        base::ScopeExit discard{
            [&] { static_cast<void>(sys::unlink_if_exists(folder_.get(), fresh.c_str())); }};
        OBLEA_TRY(read_verified(
            blob, [&](base::ByteView piece) { return sys::write_all(file.get(), piece); }));
        OBLEA_TRY(sys::fsync(file.get()));
        OBLEA_TRY(sys::renameat2(folder_.get(), fresh.c_str(), folder_.get(), name.c_str()));
        discard.dismiss();
        return PushedBlob{.outcome = PushedBlob::Outcome::uploaded};
    }

    Status publish() {
        UniqueFd const blobs =
            OBLEA_TRY(sys::openat(folder_.get(), store::layout::kBlobs, O_RDONLY | O_DIRECTORY));
        OBLEA_TRY(sys::fsync(blobs.get()));
        // Several copies into one layout wait for each other here.
        OBLEA_TRY(sys::lock(folder_.get(), sys::LockKind::exclusive));
        auto const there = OBLEA_TRY(sys::stat_if_exists(folder_.get(), store::layout::kOciIndex));
        std::string const before =
            there.has_value()
                ? OBLEA_TRY(sys::read_file(folder_.get(), store::layout::kOciIndex, kIndexBytesMax))
                : std::string{};
        std::string const after = OBLEA_TRY(with_entries(before, entries_));
        return sys::replace_file(folder_.get(), store::layout::kOciIndex, after,
                                 store::layout::kSharedFileMode, sys::Sync::yes);
    }

    UniqueFd folder_;
    std::string path_;
    std::vector<LayoutEntry> entries_;
};

Status expect_layout(int folder, std::string const& path) {
    if (OBLEA_TRY(sys::stat_if_exists(folder, store::layout::kImages)).has_value()) {
        return fail(Errno::eexist, "",
                    path + " is an oblea store, which has to be written by pull, load and import");
    }
    if (OBLEA_TRY(sys::stat_if_exists(folder, store::layout::kOciLayout)).has_value()) {
        return {};
    }
    if (!OBLEA_TRY(sys::list_dir(folder)).empty()) {
        return fail(Errno::eexist, "", path + " has files in it, and is no OCI image layout");
    }
    return sys::replace_file(folder, store::layout::kOciLayout, kLayoutVersion,
                             store::layout::kSharedFileMode, sys::Sync::yes);
}

}  // namespace

Result<std::unique_ptr<CopyTarget>> open_layout_target(std::string const& path) {
    auto const named = [&] { return path; };
    OBLEA_TRY(with_context(sys::mkdir_all(path, store::layout::kSharedFolderMode), named));
    UniqueFd folder = OBLEA_TRY(with_context(sys::open(path, O_RDONLY | O_DIRECTORY), named));
    OBLEA_TRY(expect_layout(folder.get(), path));
    OBLEA_TRY(with_context(
        sys::mkdirat_if_missing(folder.get(), "blobs", store::layout::kSharedFolderMode), named));
    OBLEA_TRY(with_context(sys::mkdirat_if_missing(folder.get(), store::layout::kBlobs,
                                                   store::layout::kSharedFolderMode),
                           named));
    return std::make_unique<LayoutTarget>(std::move(folder), path);
}

}  // namespace oblea::registry
