// SPDX-License-Identifier: MIT
// Index::check: reads the file in the order in which it was written and holds every number to the
// only value that it may have. FORMAT.md "Invariants".
#include "store/base/checked.h"
#include "store/base/limits.h"
#include "store/index/index_view.h"
#include "store/index/name_hash.h"

#include <algorithm>

namespace oblea::store {

namespace {

using format::InodeRecord;

class Checker {
public:
    explicit Checker(IndexView const& view) : view_(view) {}

    Status run() {
        OBLEA_TRY(check_payload());
        OBLEA_TRY(check_lists());
        for (std::uint32_t number = 1; number <= view_.inodes.size(); ++number) {
            OBLEA_TRY(check_inode(number));
        }
        links_.assign(view_.inodes.size() + 1, 0);
        for (std::uint32_t number = 1; number <= view_.inodes.size(); ++number) {
            if (is_folder(number)) {
                OBLEA_TRY(check_folder(number));
            }
        }
        OBLEA_TRY(check_reached());
        OBLEA_TRY(check_xattrs());
        OBLEA_TRY(check_slots());
        OBLEA_TRY(check_origins());
        return check_used_up();
    }

private:
    Status check_payload() const;
    Status check_lists() const;
    Status check_inode(std::uint32_t number);
    Status check_origin(InodeRecord const& record, std::uint32_t number) const;
    Status check_place(InodeRecord const& record);
    Status check_symlink(InodeRecord const& record);
    Status check_content(InodeRecord const& record);
    Status check_pieces(format::ContentRecord const& content, std::uint64_t size);
    Status check_folder(std::uint32_t number);
    Status check_dirent(std::uint32_t folder, format::DirentRecord const& record);
    Status check_entry(std::uint32_t folder, format::DirentRecord const& record);
    Status check_link(format::DirentRecord const& record);
    Status check_reached() const;
    Status check_xattrs();
    Status check_xattr_set(format::XattrSetRecord const& set, std::string& key);
    Status check_slots() const;
    Status check_origins() const;
    Status check_used_up() const;

    [[nodiscard]] bool is_folder(std::uint32_t number) const {
        return FileType{view_.inodes[number - 1].type} == FileType::directory;
    }
    [[nodiscard]] bool merged() const { return view_.kind() == IndexKind::merged; }
    // The string that must come next in the section.
    Result<std::string_view> next_string(std::uint32_t offset, std::uint64_t bytes);
    std::unexpected<Error> wrong(std::string_view what) const { return view_.damaged(what); }

    IndexView const& view_;
    std::vector<std::uint32_t> links_;  // by inode number: names, for folders 2 + subfolders
    std::uint32_t numbers_met_ = 1;     // inode numbers appear in order, the root's first
    std::uint64_t dirents_used_ = 0;
    std::uint64_t names_used_ = 0;
    std::uint64_t strings_used_ = 0;
    std::uint64_t xattr_sets_met_ = 0;
    std::uint64_t xattrs_used_ = 0;
    std::uint64_t external_links_used_ = 0;
    std::uint64_t contents_used_ = 0;
    std::uint64_t extents_used_ = 0;
    std::uint64_t content_bytes_ = 0;
    std::vector<bool> objects_used_;
};

Result<std::string_view> Checker::next_string(std::uint32_t offset, std::uint64_t bytes) {
    auto const length = base::checked_cast<std::uint32_t>(bytes);
    if (offset != strings_used_ || !length.has_value()) {
        return wrong("order of strings");
    }
    strings_used_ += *length;
    return view_.string(offset, *length);
}

Status Checker::check_payload() const {
    base::Hash128 const found = base::xxh3_128(view_.bytes.subspan(sizeof(format::Header)));
    auto const& header = view_.header;
    if (found != base::Hash128{header.payload_check_low, header.payload_check_high}) {
        return wrong("the checksum differs");
    }
    std::uint64_t end = sizeof(format::Header);
    for (format::SectionRecord const& section : header.sections) {
        auto const gap = view_.bytes.subspan(end, section.offset - end);
        if (std::ranges::any_of(gap, [](std::byte byte) { return byte != std::byte{}; })) {
            return wrong("bytes between sections");
        }
        end = section.offset + section.bytes;
    }
    return {};
}

Status Checker::check_lists() const {
    auto const& header = view_.header;
    auto const layers = view_.layers.size();
    bool const reverse = merged() && layers != 0;
    if (merged() ? layers > limits::kLayersMax || header.merge_version == 0
                 : layers != 1 || header.merge_version != 0) {
        return wrong("number of layers");
    }
    if (view_.origins.size() != (reverse ? view_.inodes.size() : 0)) {
        return wrong("size of the table of origins");
    }
    if (header.optional_features == 0 &&
        std::ranges::any_of(header.reserved, [](auto n) { return n != 0; })) {
        return wrong("reserved fields of the header");
    }
    for (std::size_t i = 13; i < format::kSectionCount; ++i) {
        if (header.optional_features == 0 && header.sections[i].bytes != 0) {
            return wrong("unknown sections");
        }
    }
    if (std::ranges::adjacent_find(view_.objects, std::greater_equal<>{}) != view_.objects.end()) {
        return wrong("order of objects");
    }
    return {};
}

Status Checker::check_inode(std::uint32_t number) {
    InodeRecord const& record = view_.inodes[number - 1];
    if (record.type < static_cast<std::uint8_t>(FileType::regular) ||
        record.type > static_cast<std::uint8_t>(FileType::socket)) {
        return wrong("file type");
    }
    bool const folder = is_folder(number);
    std::uint8_t const flags_allowed = !folder    ? std::uint8_t{0}
                                       : merged() ? format::kInodeImplicit
                                                  : format::kInodeFlagsKnown;
    if ((record.flags & ~flags_allowed) != 0 || record.permissions > 07777 ||
        record.mtime_nanoseconds >= 1'000'000'000) {
        return wrong("attributes");
    }
    if (record.xattr_set != format::kNone) {
        if (record.xattr_set > xattr_sets_met_) {
            return wrong("order of xattrs");
        }
        xattr_sets_met_ = std::max<std::uint64_t>(xattr_sets_met_, record.xattr_set + 1ULL);
    }
    OBLEA_TRY(check_origin(record, number));
    return check_place(record);
}

Status Checker::check_origin(InodeRecord const& record, std::uint32_t number) const {
    bool right = record.origin_layer == 0 && record.origin_ino == number;
    if (merged()) {
        // Without layers there is the root alone, which comes from nowhere.
        right = view_.layers.empty()
                    ? number == 1 && record.origin_layer == 0 && record.origin_ino == 0
                    : record.origin_layer < view_.layers.size() && record.origin_ino != 0;
    }
    return right ? Status{} : wrong("origin of an inode");
}

Status Checker::check_place(InodeRecord const& record) {
    std::size_t used = 0;
    auto const type = FileType{record.type};
    switch (type) {
    case FileType::regular:
        used = 1;
        OBLEA_TRY(check_content(record));
        break;
    case FileType::symlink:
        used = 1;
        OBLEA_TRY(check_symlink(record));
        break;
    case FileType::directory:
        used = 3;
        break;
    case FileType::char_device:
    case FileType::block_device:
        used = 2;
        break;
    case FileType::fifo:
    case FileType::socket:
        break;
    }
    bool const sized = type == FileType::regular || type == FileType::symlink;
    if (!sized && record.size != 0) {
        return wrong("size of a special file");
    }
    for (std::size_t i = used; i < record.place.size(); ++i) {
        if (record.place[i] != 0) {
            return wrong("unused fields of an inode");
        }
    }
    return {};
}

Status Checker::check_symlink(InodeRecord const& record) {
    if (record.size == 0 || record.size > limits::kSymlinkBytesMax) {
        return wrong("length of a symbolic link");
    }
    std::string_view const target =
        OBLEA_TRY(next_string(record.place[format::kPlaceTarget], record.size));
    return target.find('\0') == std::string_view::npos ? Status{}
                                                       : wrong("target of a symbolic link");
}

Status Checker::check_content(InodeRecord const& record) {
    auto const sum = base::checked_add(content_bytes_, record.size);
    if (record.size > limits::kFileBytesMax || !sum.has_value()) {
        return wrong("size of a file");
    }
    content_bytes_ = *sum;
    std::uint32_t const position = record.place[format::kPlaceContent];
    if (position == format::kNone) {
        return {};
    }
    if (position != contents_used_ || position >= view_.contents.size()) {
        return wrong("order of contents");
    }
    ++contents_used_;
    format::ContentRecord const& content = view_.contents[position];
    static_cast<void>(OBLEA_TRY(view_.content(content)));
    bool const in_pack = content.kind == static_cast<std::uint32_t>(ContentKind::pack);
    bool const placed = in_pack ? content.object == format::kNone &&
                                      base::range_fits(content.pack_offset, content.blob_bytes,
                                                       limits::kFileBytesMax)
                                : content.layer == 0 && content.pack_offset == 0 &&
                                      content.pack_check_low == 0 && content.pack_check_high == 0;
    if (!placed || content.reserved != 0 || content.blob_bytes == 0 ||
        content.blob_bytes > limits::kFileBytesMax) {
        return wrong("place of a content");
    }
    if (!in_pack) {
        objects_used_.resize(view_.objects.size());
        objects_used_[content.object] = true;
    }
    return check_pieces(content, record.size);
}

Status Checker::check_pieces(format::ContentRecord const& content, std::uint64_t size) {
    if (content.extent_first != extents_used_) {
        return wrong("order of the pieces of sparse files");
    }
    extents_used_ += content.extent_count;
    if (content.extent_count == 0) {
        return content.blob_bytes == size ? Status{} : wrong("a file's size is not its content's");
    }
    if (content.extent_count > limits::kSparseExtentsMax) {
        return wrong("number of pieces of a sparse file");
    }
    std::uint64_t end = 0;
    for (Extent const& piece : view_.extents.subspan(content.extent_first, content.extent_count)) {
        if (piece.bytes == 0 || piece.file_offset < end ||
            !base::range_fits(piece.file_offset, piece.bytes, size) ||
            !base::range_fits(piece.blob_offset, piece.bytes, content.blob_bytes)) {
            return wrong("pieces of a sparse file");
        }
        end = piece.file_offset + piece.bytes;
    }
    return {};
}

// Folders in the order of their numbers own consecutive entries, and inodes are numbered as entries
// first name them. So a folder that is met as an entry has a greater number than its parent, which
// leaves no room for cycles, and met once, it has one parent.
Status Checker::check_folder(std::uint32_t number) {
    InodeRecord const& record = *OBLEA_TRY(view_.directory(InodeNo{number}));
    if (number > numbers_met_ || record.place[format::kPlaceFirstDirent] != dirents_used_ ||
        (number == 1 && record.place[format::kPlaceParent] != 1)) {
        return wrong("order of folders");
    }
    links_[number] += 2;
    auto const entries = view_.dirents.subspan(record.place[format::kPlaceFirstDirent],
                                               record.place[format::kPlaceDirents]);
    dirents_used_ += entries.size();
    std::string_view previous;
    for (format::DirentRecord const& dirent : entries) {
        OBLEA_TRY(check_dirent(number, dirent));
        std::string_view const name = OBLEA_TRY(view_.name_of(dirent));
        if (!(previous < name)) {
            return wrong("order of names");
        }
        previous = name;
    }
    return {};
}

Status Checker::check_dirent(std::uint32_t folder, format::DirentRecord const& record) {
    std::string_view const name = OBLEA_TRY(view_.name_of(record));
    if (record.parent != folder || record.reserved != 0 || record.name_offset != names_used_) {
        return wrong("order of entries");
    }
    names_used_ += record.name_bytes;
    if (name == "." || name == ".." ||
        name.find_first_of(std::string_view{"/\0", 2}) != name.npos) {
        return wrong("a name that is none");
    }
    static_cast<void>(OBLEA_TRY(view_.dirent(record)));
    auto const kind = DirentKind{record.kind};
    if (kind == DirentKind::entry) {
        return check_entry(folder, record);
    }
    if (merged() || record.type != 0) {
        return wrong("an entry of a kind that is not allowed");
    }
    if (kind == DirentKind::external_link) {
        return check_link(record);
    }
    return record.ino == 0 ? Status{} : wrong("a whiteout with an inode");
}

Status Checker::check_entry(std::uint32_t folder, format::DirentRecord const& record) {
    InodeRecord const& inode = view_.inodes[record.ino - 1];
    bool const first = record.ino == numbers_met_ + 1;
    if ((!first && record.ino > numbers_met_) || inode.type != record.type) {
        return wrong("inode of an entry");
    }
    numbers_met_ += first ? 1 : 0;
    if (!is_folder(record.ino)) {
        ++links_[record.ino];
        return {};
    }
    if (!first || inode.place[format::kPlaceParent] != folder) {
        return wrong("a folder with two parents");
    }
    ++links_[folder];
    return {};
}

Status Checker::check_link(format::DirentRecord const& record) {
    if (record.ino != external_links_used_++) {
        return wrong("order of links");
    }
    format::LinkRecord const& link = view_.links[record.ino];
    std::string_view const target = OBLEA_TRY(next_string(link.target_offset, link.target_bytes));
    auto const path = RelPath::parse(target);
    bool const normal = path.has_value() && path->string() == target && !path->is_root();
    return normal ? Status{} : wrong("target of a link");
}

Status Checker::check_reached() const {
    if (numbers_met_ != view_.inodes.size()) {
        return wrong("inodes without a name");
    }
    for (std::size_t number = 1; number < links_.size(); ++number) {
        if (links_[number] != view_.inodes[number - 1].nlink) {
            return wrong("link count");
        }
    }
    return {};
}

Status Checker::check_xattrs() {
    std::vector<std::string> keys;
    keys.reserve(view_.xattr_sets.size());
    for (format::XattrSetRecord const& set : view_.xattr_sets) {
        OBLEA_TRY(check_xattr_set(set, keys.emplace_back()));
    }
    std::ranges::sort(keys);
    if (std::ranges::adjacent_find(keys) != keys.end()) {
        return wrong("equal sets of xattrs");
    }
    return {};
}

// `key` becomes the set's bytes with their lengths: equal for equal sets alone.
Status Checker::check_xattr_set(format::XattrSetRecord const& set, std::string& key) {
    if (set.first != xattrs_used_ || set.count == 0 ||
        !base::range_fits<std::size_t>(set.first, set.count, view_.xattrs.size())) {
        return wrong("order of xattrs");
    }
    xattrs_used_ += set.count;
    std::size_t list_bytes = 0;
    std::string_view previous;
    for (format::XattrRecord const& record : view_.xattrs.subspan(set.first, set.count)) {
        auto const name = OBLEA_TRY(next_string(record.name_offset, record.name_bytes));
        auto const value = OBLEA_TRY(next_string(record.value_offset, record.value_bytes));
        list_bytes += name.size() + 1;
        if (name.empty() || name.size() > limits::kXattrNameBytesMax ||
            name.find('\0') != std::string_view::npos || !(previous < name) ||
            value.size() > limits::kXattrValueBytesMax || list_bytes > limits::kXattrListBytesMax) {
            return wrong("xattrs");
        }
        previous = name;
        key += std::to_string(name.size()) + ':';
        key += name;
        key += std::to_string(value.size()) + ':';
        key += value;
    }
    return {};
}

// Every entry is found by a search for it, and nothing else is in the table.
Status Checker::check_slots() const {
    std::size_t const mask = view_.slots.size() - 1;
    for (std::uint32_t i = 0; i < view_.dirents.size(); ++i) {
        format::DirentRecord const& record = view_.dirents[i];
        std::string_view const name = OBLEA_TRY(view_.name_of(record));
        std::size_t at = name_hash(view_.header.hash_seed, record.parent, name) & mask;
        std::size_t probes = 0;
        while (view_.slots[at] != i + 1) {
            if (view_.slots[at] == 0 || ++probes >= view_.slots.size()) {
                return wrong("hash table");
            }
            at = (at + 1) & mask;
        }
    }
    auto const empty = std::ranges::count(view_.slots, 0U);
    if (view_.slots.size() - static_cast<std::size_t>(empty) != view_.dirents.size()) {
        return wrong("hash table");
    }
    return {};
}

// Strictly ascending origins are all different, so the numbers beside them are, too.
Status Checker::check_origins() const {
    InodeRecord const* previous = nullptr;
    for (std::uint32_t const number : view_.origins) {
        if (number == 0 || number > view_.inodes.size()) {
            return wrong("table of origins");
        }
        InodeRecord const& record = view_.inodes[number - 1];
        if (previous != nullptr && std::pair{previous->origin_layer, previous->origin_ino} >=
                                       std::pair{record.origin_layer, record.origin_ino}) {
            return wrong("table of origins");
        }
        previous = &record;
    }
    return {};
}

Status Checker::check_used_up() const {
    bool const all =
        dirents_used_ == view_.dirents.size() && names_used_ == view_.names.size() &&
        strings_used_ == view_.strings.size() && xattr_sets_met_ == view_.xattr_sets.size() &&
        xattrs_used_ == view_.xattrs.size() && external_links_used_ == view_.links.size() &&
        contents_used_ == view_.contents.size() && extents_used_ == view_.extents.size();
    auto const used = std::ranges::count(objects_used_, true);
    bool const objects = !merged() || static_cast<std::size_t>(used) == view_.objects.size();
    if (!all || !objects) {
        return wrong("parts that nothing refers to");
    }
    return content_bytes_ == view_.header.content_bytes ? Status{} : wrong("sum of sizes");
}

}  // namespace

Status Index::check() const {
    return Checker{*impl_}.run();
}

}  // namespace oblea::store
