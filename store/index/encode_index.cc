// SPDX-License-Identifier: MIT
#include "store/index/encode_index.h"

#include "store/base/checked.h"
#include "store/index/format.h"
#include "store/index/name_hash.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace oblea::store {

namespace {

using format::Section;
using EntryId = TreeDraft::EntryId;
using InodeId = TreeDraft::InodeId;

// A table of names that collide too often is hashed again with another seed; names that collide
// whatever the seed end the attempts.
constexpr std::size_t kProbesAccepted = 1024;
constexpr std::uint64_t kSeedsMax = 8;

std::unexpected<Error> too_large(char const* what) {
    return fail(Errno::eoverflow, "", std::string{"too many "} + what + " for one index");
}

template <typename T>
Result<std::uint32_t> narrow(T value, char const* what) {
    // The highest numbers stay free: they mean "none".
    if (value > T{0xffff'fff0U}) {
        return too_large(what);
    }
    return static_cast<std::uint32_t>(value);
}

struct NumberedInode {
    InodeId id = InodeId::none;
    std::uint32_t nlink = 0;
    std::uint32_t first_dirent = 0;
    std::uint32_t dirents = 0;
    std::uint32_t parent = 0;
};

class Encoder {
public:
    Encoder(TreeDraft const& tree, IndexPlan plan) : tree_(tree), plan_(std::move(plan)) {}

    Result<base::Bytes> encode();

private:
    void number();
    void number_entries_of(std::uint32_t directory);
    void number_entry(std::uint32_t directory, EntryId id);
    [[nodiscard]] InodeId inode_of(EntryId id) const;
    [[nodiscard]] std::string const& external_target(EntryId id) const;
    void list_objects();
    Status measure();
    void lay_out();
    void write_inodes();
    void write_place(NumberedInode const& numbered, format::InodeRecord& record);
    std::uint32_t write_content(TreeDraft::StoredContent const& stored);
    void write_dirents();
    void write_xattrs();
    std::uint64_t write_slots();
    std::size_t fill_slots(std::uint64_t seed);
    void write_origins();
    Status write_header(std::uint64_t seed);

    std::uint32_t append_string(std::string_view text);
    [[nodiscard]] base::MutableBytes section(Section which) {
        auto const& place = sections_[static_cast<std::size_t>(which)];
        return base::MutableBytes{file_}.subspan(place.offset, place.bytes);
    }
    template <typename T>
    [[nodiscard]] std::span<T> table(Section which) {
        return base::records_of<T>(section(which));
    }
    std::uint64_t& bytes_of(Section which) {
        return sections_[static_cast<std::size_t>(which)].bytes;
    }

    TreeDraft const& tree_;
    IndexPlan plan_;
    std::vector<std::uint32_t> numbers_;          // by InodeId; 0: not reached
    std::vector<NumberedInode> inodes_;           // by inode number - 1
    std::vector<EntryId> dirents_;                // in the order of the file
    std::vector<std::uint32_t> xattr_set_;        // by the draft's number: the file's number
    std::vector<std::uint32_t> xattr_sets_used_;  // the draft's numbers in the file's order
    std::array<format::SectionRecord, format::kSectionCount> sections_{};
    base::Bytes file_;
    std::size_t strings_used_ = 0;
    std::size_t contents_used_ = 0;
    std::size_t extents_used_ = 0;
    std::size_t links_used_ = 0;
};

// The inode that an entry names; none for a whiteout and for a link into the lower layers.
InodeId Encoder::inode_of(EntryId id) const {
    auto const& entry = tree_.entry(id);
    return entry.kind == DirentKind::external_link ? plan_.link_ends.at(id).inode : entry.inode;
}

std::string const& Encoder::external_target(EntryId id) const {
    return tree_.link_target(plan_.link_ends.at(id).external_target);
}

// Breadth first, each folder's entries by name: a folder's entries lie together, and so do, mostly,
// the inodes of its files.
void Encoder::number() {
    numbers_.assign(tree_.inode_count(), 0);
    inodes_.push_back({.id = InodeId::root, .nlink = 2, .parent = 1});
    numbers_[TreeDraft::index(InodeId::root)] = 1;
    for (std::uint32_t number = 1; number <= inodes_.size(); ++number) {
        if (tree_.is_directory(inodes_[number - 1].id)) {
            number_entries_of(number);
        }
    }
}

void Encoder::number_entries_of(std::uint32_t directory) {
    std::vector<std::pair<std::string_view, EntryId>> children;
    for (EntryId id = tree_.inode(inodes_[directory - 1].id).first_child; id != EntryId::none;
         id = tree_.entry(id).next) {
        children.emplace_back(tree_.name(id), id);
    }
    std::ranges::sort(children);
    inodes_[directory - 1].first_dirent = static_cast<std::uint32_t>(dirents_.size());
    inodes_[directory - 1].dirents = static_cast<std::uint32_t>(children.size());
    for (auto const& [name, id] : children) {
        dirents_.push_back(id);
        number_entry(directory, id);
    }
}

void Encoder::number_entry(std::uint32_t directory, EntryId id) {
    InodeId const target = inode_of(id);
    if (target == InodeId::none) {
        return;
    }
    std::uint32_t& known = numbers_[TreeDraft::index(target)];
    if (known == 0) {
        inodes_.push_back({.id = target});
        known = static_cast<std::uint32_t>(inodes_.size());
    }
    NumberedInode& named = inodes_[known - 1];
    if (tree_.is_directory(target)) {
        named.nlink = 2;
        named.parent = directory;
        ++inodes_[directory - 1].nlink;
    } else {
        ++named.nlink;
    }
}

void Encoder::list_objects() {
    for (NumberedInode const& numbered : inodes_) {
        auto const content = tree_.inode(numbered.id).content;
        if (content != TreeDraft::kNone &&
            tree_.content(content).content.kind == ContentKind::object) {
            plan_.objects.push_back(tree_.content(content).content.object);
        }
    }
    std::ranges::sort(plan_.objects);
    auto const repeated = std::ranges::unique(plan_.objects);
    plan_.objects.erase(repeated.begin(), repeated.end());
}

// Adds up what each section takes. 64-bit sums cannot wrap: everything counted is in memory.
Status Encoder::measure() {
    std::uint64_t strings = 0;
    std::uint64_t contents = 0;
    std::uint64_t extents = 0;
    std::uint64_t xattrs = 0;
    xattr_set_.assign(tree_.xattr_set_count(), TreeDraft::kNone);
    for (NumberedInode const& numbered : inodes_) {
        auto const& inode = tree_.inode(numbered.id);
        if (inode.attr.type == FileType::symlink) {
            strings += inode.attr.size;
        }
        if (inode.content != TreeDraft::kNone) {
            ++contents;
            extents += tree_.content(inode.content).content.extents.size();
        }
        if (inode.xattrs != TreeDraft::kNone && xattr_set_[inode.xattrs] == TreeDraft::kNone) {
            xattr_set_[inode.xattrs] = static_cast<std::uint32_t>(xattr_sets_used_.size());
            xattr_sets_used_.push_back(inode.xattrs);
            for (auto const& [name, value] : tree_.xattrs(inode.xattrs)) {
                ++xattrs;
                strings += name.size() + value.size();
            }
        }
    }
    std::uint64_t names = 0;
    std::uint64_t links = 0;
    for (EntryId const id : dirents_) {
        auto const& entry = tree_.entry(id);
        names += entry.name_bytes;
        if (entry.kind == DirentKind::external_link && inode_of(id) == InodeId::none) {
            ++links;
            strings += external_target(id).size();
        }
    }
    if (dirents_.size() > std::uint64_t{1} << 31U) {
        return too_large("entries");
    }
    OBLEA_TRY(narrow(inodes_.size(), "inodes"));
    OBLEA_TRY(narrow(names, "bytes of names"));
    OBLEA_TRY(narrow(strings, "bytes of link targets and xattrs"));
    OBLEA_TRY(narrow(xattrs, "xattrs"));
    OBLEA_TRY(narrow(extents, "pieces of sparse files"));
    OBLEA_TRY(narrow(plan_.objects.size(), "objects"));
    bytes_of(Section::inodes) = inodes_.size() * sizeof(format::InodeRecord);
    bytes_of(Section::dirents) = dirents_.size() * sizeof(format::DirentRecord);
    bytes_of(Section::slots) =
        std::bit_ceil(std::max<std::uint64_t>(2 * dirents_.size(), 2)) * sizeof(std::uint32_t);
    bytes_of(Section::names) = names;
    bytes_of(Section::strings) = strings;
    bytes_of(Section::xattr_sets) = xattr_sets_used_.size() * sizeof(format::XattrSetRecord);
    bytes_of(Section::xattrs) = xattrs * sizeof(format::XattrRecord);
    bytes_of(Section::links) = links * sizeof(format::LinkRecord);
    bytes_of(Section::contents) = contents * sizeof(format::ContentRecord);
    bytes_of(Section::extents) = extents * sizeof(Extent);
    bytes_of(Section::layers) = plan_.layers.size() * sizeof(Digest);
    bytes_of(Section::objects) = plan_.objects.size() * sizeof(Digest);
    bool const reverse = plan_.kind == IndexKind::merged && !plan_.layers.empty();
    bytes_of(Section::origins) = reverse ? inodes_.size() * sizeof(std::uint32_t) : 0;
    return {};
}

void Encoder::lay_out() {
    std::uint64_t end = sizeof(format::Header);
    for (format::SectionRecord& place : sections_) {
        place.offset =
            (end + format::kSectionAlign - 1) / format::kSectionAlign * format::kSectionAlign;
        end = place.offset + place.bytes;
    }
    file_.resize(end);
}

std::uint32_t Encoder::append_string(std::string_view text) {
    auto const offset = strings_used_;
    auto const strings = section(Section::strings);
    std::copy_n(base::bytes_of(text).begin(), text.size(),
                strings.begin() + static_cast<std::ptrdiff_t>(offset));
    strings_used_ += text.size();
    return static_cast<std::uint32_t>(offset);
}

void Encoder::write_inodes() {
    auto const records = table<format::InodeRecord>(Section::inodes);
    for (std::size_t i = 0; i < inodes_.size(); ++i) {
        auto const& inode = tree_.inode(inodes_[i].id);
        Origin const origin =
            plan_.kind == IndexKind::merged
                ? inode.origin
                : Origin{LayerPos::bottom, InodeNo{static_cast<std::uint32_t>(i + 1)}};
        format::InodeRecord& record = records[i];
        record.type = static_cast<std::uint8_t>(inode.attr.type);
        record.flags = static_cast<std::uint8_t>((inode.opaque ? format::kInodeOpaque : 0) |
                                                 (inode.implicit ? format::kInodeImplicit : 0));
        record.permissions = static_cast<std::uint16_t>(inode.attr.permissions);
        record.nlink = inodes_[i].nlink;
        record.uid = inode.attr.uid;
        record.gid = inode.attr.gid;
        record.size = inode.attr.size;
        record.mtime_seconds = inode.attr.mtime.seconds;
        record.mtime_nanoseconds = inode.attr.mtime.nanoseconds;
        record.xattr_set =
            inode.xattrs == TreeDraft::kNone ? format::kNone : xattr_set_[inode.xattrs];
        record.origin_layer = static_cast<std::uint32_t>(origin.layer);
        record.origin_ino = static_cast<std::uint32_t>(origin.ino);
        write_place(inodes_[i], record);
    }
}

void Encoder::write_place(NumberedInode const& numbered, format::InodeRecord& record) {
    auto const& inode = tree_.inode(numbered.id);
    switch (inode.attr.type) {
    case FileType::directory:
        record.place[format::kPlaceFirstDirent] = numbered.first_dirent;
        record.place[format::kPlaceDirents] = numbered.dirents;
        record.place[format::kPlaceParent] = numbered.parent;
        break;
    case FileType::symlink:
        record.place[format::kPlaceTarget] =
            append_string(tree_.text(inode.target, inode.attr.size));
        break;
    case FileType::regular:
        record.place[format::kPlaceContent] = inode.content == TreeDraft::kNone
                                                  ? format::kNone
                                                  : write_content(tree_.content(inode.content));
        break;
    case FileType::char_device:
    case FileType::block_device:
        record.place[format::kPlaceMajor] = inode.attr.device.major;
        record.place[format::kPlaceMinor] = inode.attr.device.minor;
        break;
    case FileType::fifo:
    case FileType::socket:
        break;
    }
}

std::uint32_t Encoder::write_content(TreeDraft::StoredContent const& stored) {
    Content const& content = stored.content;
    format::ContentRecord& record = table<format::ContentRecord>(Section::contents)[contents_used_];
    record.kind = static_cast<std::uint32_t>(content.kind);
    record.blob_bytes = content.blob_bytes;
    record.object = format::kNone;
    if (content.kind == ContentKind::pack) {
        record.layer = static_cast<std::uint32_t>(stored.layer);
        record.pack_offset = content.pack_offset;
        record.pack_check_low = content.pack_check.low;
        record.pack_check_high = content.pack_check.high;
    } else {
        auto const place = std::ranges::lower_bound(plan_.objects, content.object);
        record.object = static_cast<std::uint32_t>(place - plan_.objects.begin());
    }
    record.extent_first = static_cast<std::uint32_t>(extents_used_);
    record.extent_count = static_cast<std::uint32_t>(content.extents.size());
    auto const extents = table<Extent>(Section::extents);
    std::ranges::copy(content.extents,
                      extents.begin() + static_cast<std::ptrdiff_t>(extents_used_));
    extents_used_ += content.extents.size();
    return static_cast<std::uint32_t>(contents_used_++);
}

void Encoder::write_dirents() {
    auto const records = table<format::DirentRecord>(Section::dirents);
    auto const names = section(Section::names);
    auto const links = table<format::LinkRecord>(Section::links);
    std::uint32_t directory = 0;
    std::uint32_t directory_end = 0;
    std::size_t names_used = 0;
    for (std::uint32_t i = 0; i < dirents_.size(); ++i) {
        while (i >= directory_end) {  // on to the next folder that has entries
            NumberedInode const& next = inodes_[directory++];
            directory_end = std::max(directory_end, next.first_dirent + next.dirents);
        }
        auto const& entry = tree_.entry(dirents_[i]);
        InodeId const target = inode_of(dirents_[i]);
        std::string_view const name = tree_.name(dirents_[i]);
        format::DirentRecord& record = records[i];
        record.parent = directory;
        record.name_offset = static_cast<std::uint32_t>(names_used);
        record.name_bytes = entry.name_bytes;
        std::copy_n(base::bytes_of(name).begin(), name.size(),
                    names.begin() + static_cast<std::ptrdiff_t>(names_used));
        names_used += name.size();
        if (target != InodeId::none) {
            record.kind = static_cast<std::uint8_t>(DirentKind::entry);
            record.ino = numbers_[TreeDraft::index(target)];
            record.type = static_cast<std::uint8_t>(tree_.inode(target).attr.type);
        } else if (entry.kind == DirentKind::external_link) {
            std::string const& path = external_target(dirents_[i]);
            record.kind = static_cast<std::uint8_t>(DirentKind::external_link);
            record.ino = static_cast<std::uint32_t>(links_used_);
            links[links_used_++] = {append_string(path), static_cast<std::uint32_t>(path.size())};
        } else {
            record.kind = static_cast<std::uint8_t>(DirentKind::whiteout);
        }
    }
}

void Encoder::write_xattrs() {
    auto const sets = table<format::XattrSetRecord>(Section::xattr_sets);
    auto const records = table<format::XattrRecord>(Section::xattrs);
    std::size_t used = 0;
    for (std::size_t i = 0; i < xattr_sets_used_.size(); ++i) {
        Xattrs const& set = tree_.xattrs(xattr_sets_used_[i]);
        sets[i] = {static_cast<std::uint32_t>(used), static_cast<std::uint32_t>(set.size())};
        for (auto const& [name, value] : set) {
            format::XattrRecord& record = records[used++];
            record.name_offset = append_string(name);
            record.name_bytes = static_cast<std::uint32_t>(name.size());
            record.value_offset = append_string(value);
            record.value_bytes = static_cast<std::uint32_t>(value.size());
        }
    }
}

// Returns the seed that it took.
std::uint64_t Encoder::write_slots() {
    auto const layers = section(Section::layers);
    std::uint64_t best_seed = 0;
    std::size_t best_probes = std::numeric_limits<std::size_t>::max();
    for (std::uint64_t attempt = 0; attempt < kSeedsMax; ++attempt) {
        std::uint64_t const seed = base::xxh3_64(layers, attempt);
        std::size_t const probes = fill_slots(seed);
        if (probes < best_probes) {
            best_seed = seed;
            best_probes = probes;
        }
        if (probes <= kProbesAccepted) {
            return seed;
        }
    }
    fill_slots(best_seed);
    return best_seed;
}

// Returns the number of probes of the worst name.
std::size_t Encoder::fill_slots(std::uint64_t seed) {
    auto const slots = table<std::uint32_t>(Section::slots);
    auto const records = table<format::DirentRecord>(Section::dirents);
    auto const names = base::text_of(section(Section::names));
    std::ranges::fill(slots, 0U);
    std::size_t const mask = slots.size() - 1;
    std::size_t probes_max = 0;
    for (std::uint32_t i = 0; i < records.size(); ++i) {
        format::DirentRecord const& record = records[i];
        std::string_view const name = names.substr(record.name_offset, record.name_bytes);
        std::size_t at = name_hash(seed, record.parent, name) & mask;
        std::size_t probes = 1;
        while (slots[at] != 0) {
            at = (at + 1) & mask;
            ++probes;
        }
        slots[at] = i + 1;
        probes_max = std::max(probes_max, probes);
    }
    return probes_max;
}

void Encoder::write_origins() {
    auto const numbers = table<std::uint32_t>(Section::origins);
    std::vector<std::pair<Origin, std::uint32_t>> sorted(numbers.size());
    for (std::uint32_t i = 0; i < sorted.size(); ++i) {
        sorted[i] = {tree_.inode(inodes_[i].id).origin, i + 1};
    }
    std::ranges::sort(sorted);
    std::ranges::transform(sorted, numbers.begin(), [](auto const& pair) { return pair.second; });
}

Status Encoder::write_header(std::uint64_t seed) {
    std::uint64_t content_bytes = 0;
    for (NumberedInode const& numbered : inodes_) {
        InodeAttr const& attr = tree_.inode(numbered.id).attr;
        if (attr.type == FileType::regular) {
            auto const sum = base::checked_add(content_bytes, attr.size);
            if (!sum.has_value()) {
                return too_large("bytes of contents");
            }
            content_bytes = *sum;
        }
    }
    auto const payload = base::ByteView{file_}.subspan(sizeof(format::Header));
    base::Hash128 const check = base::xxh3_128(payload);
    format::Header& header = base::records_of<format::Header>(
        base::MutableBytes{file_}.first(sizeof(format::Header)))[0];
    header.magic = format::kMagic;
    header.version = format::kVersion;
    header.header_bytes = sizeof(format::Header);
    header.kind = static_cast<std::uint32_t>(plan_.kind);
    header.merge_version = plan_.kind == IndexKind::merged ? format::kMergeVersion : 0;
    header.inode_count = static_cast<std::uint32_t>(inodes_.size());
    header.dirent_count = static_cast<std::uint32_t>(dirents_.size());
    header.hash_seed = seed;
    header.content_bytes = content_bytes;
    header.file_bytes = file_.size();
    header.payload_check_low = check.low;
    header.payload_check_high = check.high;
    header.sections = sections_;
    header.header_check =
        base::xxh3_64(base::ByteView{file_}.first(offsetof(format::Header, header_check)));
    return {};
}

Result<base::Bytes> Encoder::encode() {
    number();
    list_objects();
    OBLEA_TRY(measure());
    lay_out();
    std::ranges::copy(plan_.layers, table<Digest>(Section::layers).begin());
    std::ranges::copy(plan_.objects, table<Digest>(Section::objects).begin());
    // This order is the order of the strings: symlinks' targets, links' targets, xattrs.
    write_inodes();
    write_dirents();
    write_xattrs();
    write_origins();
    std::uint64_t const seed = write_slots();
    OBLEA_TRY(write_header(seed));
    return std::move(file_);
}

}  // namespace

Result<base::Bytes> encode_index(TreeDraft const& tree, IndexPlan plan) {
    return Encoder{tree, std::move(plan)}.encode();
}

}  // namespace oblea::store
