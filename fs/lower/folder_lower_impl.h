// SPDX-License-Identifier: MIT
// The inside of folder_lower.h, for its sources: from numbers to places (folder_lower.cc), and what
// is read there (folder_listings.cc, folder_attributes.cc, folder_contents.cc, folder_origins.cc).
#pragma once
#include "fs/lower/folder_layers.h"
#include "fs/lower/folder_lower.h"
#include "fs/lower/folder_merge.h"
#include "fs/lower/inode_records.h"
#include "fs/lower/numbering_log.h"
#include "store/base/sys.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::fs {

namespace sys = base::sys;
using base::UniqueFd;
using store::InodeNo;

inline std::uint32_t index_of(InodeNo ino) {
    return static_cast<std::uint32_t>(ino);
}

// When the file was made, which tells it from a later one of its number; 0 where it is not known.
Result<std::uint64_t> birth_of(int folder, std::string_view name);

// What an upper remembers of a file: its device, its number and its birth there, and its kind. Of
// one that a later mount could not tell again: its inode number here, and the session's instead of
// its birth.
struct FileKey {
    enum class Stable { no, yes } stable = Stable::yes;
    std::uint32_t device = 0;
    std::uint64_t number = 0;
    std::uint64_t birth = 0;
    FileType type = FileType::regular;
};

class FolderLower final : public FolderStack {
public:
    FolderLower(std::unique_ptr<NumberingLog> numbering, std::unique_ptr<FolderLayers> layers,
                FolderLowerOptions options)
        : numbering_(std::move(numbering)), layers_(std::move(layers)), options_(options) {}
    static Result<std::shared_ptr<FolderStack const>> make(std::unique_ptr<NumberingLog> numbering,
                                                           std::unique_ptr<FolderLayers> layers,
                                                           FolderLowerOptions const& options);
    [[nodiscard]] Descriptors descriptors() const override;

    [[nodiscard]] std::uint32_t inode_count() const override { return InodeRecords::kCountMax; }
    [[nodiscard]] std::uint64_t st_ino(InodeNo ino) const override;
    Result<LowerAttr> attr(InodeNo ino) const override;
    Result<std::optional<LowerEntry>> lookup(InodeNo directory,
                                             std::string_view name) const override;
    Result<std::uint32_t> entry_count(InodeNo directory) const override;
    Result<LowerEntry> entry(InodeNo directory, std::uint32_t position) const override;
    Result<InodeNo> parent(InodeNo directory) const override;
    Result<std::vector<LowerName>> names(InodeNo ino) const override;
    Status find_all_names() const override;
    Result<std::string> symlink_target(InodeNo ino) const override;
    Result<std::optional<std::string>> xattr(InodeNo ino, std::string_view name) const override;
    Result<std::vector<std::string>> xattr_names(InodeNo ino) const override;
    Result<std::size_t> read(InodeNo file, base::MutableBytes buffer,
                             std::uint64_t offset) const override;
    Result<base::ByteView> mapped(InodeNo, std::uint64_t, std::size_t) const override {
        return base::ByteView{};  // files of others may be cut at any time
    }
    Result<std::shared_ptr<UniqueFd const>> object(InodeNo file) const override;
    Result<std::uint64_t> seek(InodeNo file, std::uint64_t offset, Seek what) const override;
    Result<std::string> origin_key(InodeNo ino) const override;
    Result<std::optional<InodeNo>> find_origin(std::string_view key) const override;
    Status resume() const override;

private:
    Status start();

    // A file by the folder that it is in and its name there.
    struct At {
        SharedFd folder{};
        std::string name{};
    };
    struct OpenPart {
        LayerPart part;
        SharedFd folder;
        FolderMarks marks;
    };
    // Where the parts of a folder below the one just found are to be looked for.
    struct Way {
        std::uint16_t layer = 0;
        std::optional<std::string> path{};  // of a redirect; else the folder's own
    };
    // A merged entry that waits for its number.
    struct Pending {
        MergedLayerEntry entry;
        struct Links {
            std::uint64_t count = 1;
            std::uint64_t birth = 0;
        };
        std::optional<Links> links{};  // looked at where another name has the number
    };
    struct Gathered {
        std::vector<LayerPart> parts;
        std::vector<Pending> entries;
    };

    Result<InodeRecord const*> record(InodeNo ino) const;
    Result<FolderRecord const*> loaded(InodeNo folder) const;
    Result<At> locate(InodeRecord const& record) const;
    Result<SharedFd> part_folder(InodeNo folder, std::uint16_t layer) const;
    Result<std::string> part_path(InodeNo folder, std::uint16_t layer) const;

    Result<Gathered> gather(InodeNo folder, FolderRecord const& record) const;
    Result<std::vector<OpenPart>> open_parts(InodeNo folder, FolderRecord const& record) const;
    Result<std::vector<Way>> redirected(InodeNo folder, std::uint16_t layer,
                                        std::string const& redirect) const;
    // What one layer's folder is read with.
    struct Reading {
        int folder = -1;
        std::uint32_t device = 0;
        FolderLayers::Numbers numbers = FolderLayers::Numbers::told;
        FolderMarks::XattrWhiteouts whiteouts = FolderMarks::XattrWhiteouts::no;
        char const* override_xattr = nullptr;
    };
    Result<LayerEntryRead> read_entry(Reading const& reading, sys::DirEntry& entry) const;
    Result<std::vector<LayerEntryRead>> read_part(OpenPart& part) const;
    Status install(InodeNo folder, FolderRecord& record, Gathered gathered) const;
    // Whether there are files whose number another name has too, and of which it is not known yet
    // how many links they have.
    [[nodiscard]] bool look_at_doubtful(std::vector<Pending>& entries,
                                        std::vector<std::size_t>& doubtful) const
        OBLEA_REQUIRES(records_.mutex);
    Result<InodeNo> number_entry(InodeNo folder, std::uint32_t position, Pending& pending) const
        OBLEA_REQUIRES(records_.mutex);
    // Its name, if it still shows one, was not met yet.
    Result<InodeNo> number_origin(FileKey const& key) const OBLEA_REQUIRES(records_.mutex);

    Result<SharedFd> open_file(InodeNo file) const;
    Result<SharedFd> open_data(InodeRecord const& record, At const& at) const;
    Result<bool> single_layer_links(InodeRecord const& record, At const& at,
                                    LowerAttr const& attr) const;
    static Status apply_override(At const& at, char const* xattr, LowerAttr& attr);
    [[nodiscard]] bool is_recorded_stat(InodeRecord const& one, std::string_view xattr) const {
        char const* const recorded = layers_->override_xattr(one.layer);
        return recorded != nullptr && xattr == recorded;
    }
    [[nodiscard]] static Ino cache_key(InodeNo ino, std::uint16_t layer) {
        return Ino{(std::uint64_t{layer} << 32U) | index_of(ino)};
    }

    std::unique_ptr<NumberingLog> numbering_;
    std::unique_ptr<FolderLayers> layers_;
    FolderLowerOptions options_;
    mutable InodeRecords records_;
    static constexpr std::size_t kDescriptors = 512;  // of folders, and as many of files
    mutable FdCache folders_{kDescriptors};
    mutable FdCache files_{kDescriptors};
};

}  // namespace oblea::fs
