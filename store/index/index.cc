// SPDX-License-Identifier: MIT
#include "store/index/index.h"

#include "store/base/checked.h"
#include "store/base/sys.h"
#include "store/index/index_view.h"
#include "store/index/name_hash.h"

#include <bit>

namespace oblea::store {

namespace {

using format::Header;
using format::Section;

Status check_header(IndexView const& view, Header const& header, std::uint64_t file_bytes) {
    if (header.magic != format::kMagic) {
        return fail(Errno::euclean, "", view.name + ": not an index");
    }
    // The version comes before the checksum, whose place a later version may have moved.
    if (header.version != format::kVersion) {
        return fail(Errno::eopnotsupp, "",
                    view.name + ": an index of version " + std::to_string(header.version) +
                        "; this program reads version " + std::to_string(format::kVersion));
    }
    auto const head = base::ByteView{std::as_bytes(std::span{&header, 1})};
    if (base::xxh3_64(head.first(offsetof(Header, header_check))) != header.header_check) {
        return view.damaged("the header's checksum differs");
    }
    if ((header.required_features & ~format::kRequiredFeaturesKnown) != 0) {
        return fail(Errno::eopnotsupp, "",
                    view.name + ": an index with features that this program does not know");
    }
    auto const kind = IndexKind{header.kind};
    if (header.header_bytes != sizeof(Header) || header.inode_count == 0 ||
        (kind != IndexKind::layer && kind != IndexKind::merged)) {
        return view.damaged("header");
    }
    if (header.file_bytes != file_bytes) {
        return view.damaged("the file has " + std::to_string(file_bytes) + " bytes instead of " +
                            std::to_string(header.file_bytes));
    }
    return {};
}

// Sections follow each other without room for anything else, up to the end of the file.
Status check_sections(IndexView const& view, Header const& header) {
    std::uint64_t end = sizeof(Header);
    for (format::SectionRecord const& section : header.sections) {
        std::uint64_t const start =
            (end + format::kSectionAlign - 1) / format::kSectionAlign * format::kSectionAlign;
        if (section.offset != start ||
            !base::range_fits(section.offset, section.bytes, header.file_bytes)) {
            return view.damaged("section table");
        }
        end = section.offset + section.bytes;
    }
    if (end != header.file_bytes) {
        return view.damaged("section table");
    }
    return {};
}

Result<FileType> file_type(IndexView const& view, std::uint8_t type) {
    if (type < static_cast<std::uint8_t>(FileType::regular) ||
        type > static_cast<std::uint8_t>(FileType::socket)) {
        return view.damaged("file type");
    }
    return FileType{type};
}

}  // namespace

Status IndexView::attach(base::ByteView all, Header const& copy) {
    OBLEA_TRY(check_header(*this, copy, all.size()));
    OBLEA_TRY(check_sections(*this, copy));
    header = copy;
    bytes = all;
    bool divides = true;
    auto const section = [&](Section which) {
        auto const& place = header.sections[static_cast<std::size_t>(which)];
        return all.subspan(place.offset, place.bytes);
    };
    auto const take = [&]<typename T>(Section which, std::span<T const>& records) {
        auto const found = section(which);
        divides = divides && found.size() % sizeof(T) == 0;
        records = base::records_of<T>(found);
    };
    take(Section::inodes, inodes);
    take(Section::dirents, dirents);
    take(Section::slots, slots);
    names = base::text_of(section(Section::names));
    strings = base::text_of(section(Section::strings));
    take(Section::xattr_sets, xattr_sets);
    take(Section::xattrs, xattrs);
    take(Section::links, links);
    take(Section::contents, contents);
    take(Section::extents, extents);
    take(Section::layers, layers);
    take(Section::objects, objects);
    take(Section::origins, origins);
    if (!divides || inodes.size() != header.inode_count || dirents.size() != header.dirent_count ||
        !std::has_single_bit(slots.size()) || slots.size() / 2 < dirents.size()) {
        return damaged("sizes of sections");
    }
    return {};
}

Result<format::InodeRecord const*> IndexView::directory(InodeNo ino) const {
    format::InodeRecord const* const record = OBLEA_TRY(inode(ino));
    if (FileType{record->type} != FileType::directory) {
        return fail(Errno::enotdir);
    }
    if (!base::range_fits<std::size_t>(record->place[format::kPlaceFirstDirent],
                                       record->place[format::kPlaceDirents], dirents.size())) {
        return damaged("entries of a folder");
    }
    return record;
}

Result<std::string_view> IndexView::string(std::uint32_t offset, std::uint32_t length) const {
    if (!base::range_fits<std::size_t>(offset, length, strings.size())) {
        return damaged("place of a string");
    }
    return strings.substr(offset, length);
}

Result<std::string_view> IndexView::name_of(format::DirentRecord const& record) const {
    if (record.name_bytes == 0 ||
        !base::range_fits<std::size_t>(record.name_offset, record.name_bytes, names.size())) {
        return damaged("place of a name");
    }
    return names.substr(record.name_offset, record.name_bytes);
}

Result<Dirent> IndexView::dirent(format::DirentRecord const& record) const {
    Dirent entry;
    entry.name = OBLEA_TRY(name_of(record));
    entry.kind = DirentKind{record.kind};
    switch (entry.kind) {
    case DirentKind::entry:
        if (record.ino == 0 || record.ino > inodes.size()) {
            return damaged("inode number of an entry");
        }
        entry.ino = InodeNo{record.ino};
        entry.type = OBLEA_TRY(file_type(*this, record.type));
        return entry;
    case DirentKind::whiteout:
        return entry;
    case DirentKind::external_link:
        if (record.ino >= links.size()) {
            return damaged("target of a link");
        }
        entry.external_link_target =
            OBLEA_TRY(string(links[record.ino].target_offset, links[record.ino].target_bytes));
        return entry;
    }
    return damaged("kind of an entry");
}

Result<ContentView> IndexView::content(format::ContentRecord const& record) const {
    ContentView view;
    view.kind = ContentKind{static_cast<std::uint8_t>(record.kind)};
    view.blob_bytes = record.blob_bytes;
    if (!base::range_fits<std::size_t>(record.extent_first, record.extent_count, extents.size())) {
        return damaged("pieces of a sparse file");
    }
    view.extents = extents.subspan(record.extent_first, record.extent_count);
    if (record.kind == static_cast<std::uint32_t>(ContentKind::pack) &&
        record.layer < layers.size()) {
        view.layer = LayerPos{record.layer};
        view.pack_offset = record.pack_offset;
        view.pack_check = {record.pack_check_low, record.pack_check_high};
        return view;
    }
    if (record.kind == static_cast<std::uint32_t>(ContentKind::object) &&
        record.object < objects.size()) {
        view.object = objects[record.object];
        return view;
    }
    return damaged("content of a file");
}

Result<std::span<format::XattrRecord const>> IndexView::xattrs_of_set(std::uint32_t set) const {
    if (set == format::kNone) {
        return std::span<format::XattrRecord const>{};
    }
    if (set >= xattr_sets.size() ||
        !base::range_fits<std::size_t>(xattr_sets[set].first, xattr_sets[set].count,
                                       xattrs.size())) {
        return damaged("place of xattrs");
    }
    return xattrs.subspan(xattr_sets[set].first, xattr_sets[set].count);
}

Index::Index(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;

// The header is read, not mapped: opening a file that shrinks meanwhile cannot fault.
Result<Index> Index::open(base::UniqueFd file, std::string name) {
    auto impl = std::make_unique<Impl>();
    impl->name = std::move(name);
    auto const info = with_context(base::sys::fstat(file.get()), [&] { return impl->name; });
    if (!info.has_value()) {
        return std::unexpected<Error>(info.error());
    }
    auto const size = base::checked_cast<std::size_t>(info->st_size);
    if (!S_ISREG(info->st_mode) || !size.has_value() || *size < sizeof(Header)) {
        return fail(Errno::euclean, "", impl->name + ": not an index");
    }
    Header header{};
    std::size_t const count = OBLEA_TRY(with_context(
        base::sys::pread_full(file.get(), std::as_writable_bytes(std::span{&header, 1}), 0),
        [&] { return impl->name; }));
    if (count != sizeof(Header)) {
        return fail(Errno::euclean, "", impl->name + ": not an index");
    }
    impl->mapped = OBLEA_TRY(
        with_context(base::MappedFile::map(file.get(), *size), [&] { return impl->name; }));
    OBLEA_TRY(impl->attach(impl->mapped.bytes(), header));
    return Index{std::move(impl)};
}

Result<Index> Index::from_bytes(base::Bytes bytes, std::string name) {
    auto impl = std::make_unique<Impl>();
    impl->name = std::move(name);
    if (bytes.size() < sizeof(Header)) {
        return fail(Errno::euclean, "", impl->name + ": not an index");
    }
    Header header{};
    std::memcpy(&header, bytes.data(), sizeof(header));
    impl->owned = std::move(bytes);
    OBLEA_TRY(impl->attach(impl->owned, header));
    return Index{std::move(impl)};
}

IndexKind Index::kind() const {
    return impl_->kind();
}

std::uint32_t Index::inode_count() const {
    return impl_->header.inode_count;
}

std::uint64_t Index::file_bytes() const {
    return impl_->header.file_bytes;
}

base::ByteView Index::bytes() const {
    return impl_->bytes;
}

std::uint64_t Index::content_bytes() const {
    return impl_->header.content_bytes;
}

std::uint32_t Index::layer_count() const {
    return static_cast<std::uint32_t>(impl_->layers.size());
}

Result<Digest> Index::layer(LayerPos position) const {
    auto const at = static_cast<std::size_t>(position);
    if (at >= impl_->layers.size()) {
        return fail(Errno::einval, "layer position out of range");
    }
    return impl_->layers[at];
}

std::uint32_t Index::object_count() const {
    return static_cast<std::uint32_t>(impl_->objects.size());
}

Result<Digest> Index::object(std::uint32_t position) const {
    if (position >= impl_->objects.size()) {
        return fail(Errno::einval, "object position out of range");
    }
    return impl_->objects[position];
}

Result<InodeAttr> Index::attr(InodeNo ino) const {
    format::InodeRecord const& record = *OBLEA_TRY(impl_->inode(ino));
    InodeAttr attr;
    attr.type = OBLEA_TRY(file_type(*impl_, record.type));
    attr.permissions = record.permissions;
    attr.nlink = record.nlink;
    attr.uid = record.uid;
    attr.gid = record.gid;
    attr.size = record.size;
    attr.mtime = {record.mtime_seconds, record.mtime_nanoseconds};
    if (attr.type == FileType::char_device || attr.type == FileType::block_device) {
        attr.device = {record.place[format::kPlaceMajor], record.place[format::kPlaceMinor]};
    }
    return attr;
}

Result<bool> Index::is_opaque(InodeNo directory) const {
    return (OBLEA_TRY(impl_->directory(directory))->flags & format::kInodeOpaque) != 0;
}

Result<bool> Index::is_implicit(InodeNo directory) const {
    return (OBLEA_TRY(impl_->directory(directory))->flags & format::kInodeImplicit) != 0;
}

Result<Origin> Index::origin(InodeNo ino) const {
    format::InodeRecord const& record = *OBLEA_TRY(impl_->inode(ino));
    return Origin{LayerPos{record.origin_layer}, InodeNo{record.origin_ino}};
}

Result<std::optional<InodeNo>> Index::find_origin(Origin origin) const {
    if (impl_->kind() == IndexKind::layer) {
        bool const own = origin.layer == LayerPos::bottom && impl_->inode(origin.ino).has_value();
        return own ? std::optional{origin.ino} : std::nullopt;
    }
    std::size_t first = 0;
    std::size_t last = impl_->origins.size();
    while (first < last) {
        std::size_t const middle = first + (last - first) / 2;
        InodeNo const ino{impl_->origins[middle]};
        auto const found = this->origin(ino);
        if (!found.has_value()) {
            return impl_->damaged("table of origins");
        }
        if (*found == origin) {
            return ino;
        }
        (*found < origin ? first : last) = *found < origin ? middle + 1 : middle;
    }
    return std::optional<InodeNo>{};
}

Result<std::optional<Dirent>> Index::lookup(InodeNo directory, std::string_view name) const {
    OBLEA_TRY(impl_->directory(directory));
    auto const parent = static_cast<std::uint32_t>(directory);
    auto const slots = impl_->slots;
    std::size_t const mask = slots.size() - 1;
    std::size_t at = name_hash(impl_->header.hash_seed, parent, name) & mask;
    // An intact table has empty slots, at which the search ends.
    for (std::size_t probes = 0; probes < slots.size(); ++probes, at = (at + 1) & mask) {
        std::uint32_t const slot = slots[at];
        if (slot == 0) {
            return std::optional<Dirent>{};
        }
        if (slot > impl_->dirents.size()) {
            return impl_->damaged("hash table");
        }
        format::DirentRecord const& record = impl_->dirents[slot - 1];
        if (record.parent == parent && record.name_bytes == name.size() &&
            OBLEA_TRY(impl_->name_of(record)) == name) {
            return OBLEA_TRY(impl_->dirent(record));
        }
    }
    return impl_->damaged("hash table");
}

Result<std::uint32_t> Index::entry_count(InodeNo directory) const {
    return OBLEA_TRY(impl_->directory(directory))->place[format::kPlaceDirents];
}

Result<Dirent> Index::entry(InodeNo directory, std::uint32_t position) const {
    format::InodeRecord const& record = *OBLEA_TRY(impl_->directory(directory));
    if (position >= record.place[format::kPlaceDirents]) {
        return fail(Errno::einval, "entry position out of range");
    }
    auto const& found = impl_->dirents[record.place[format::kPlaceFirstDirent] + position];
    if (found.parent != static_cast<std::uint32_t>(directory)) {
        return impl_->damaged("an entry of another folder");
    }
    return impl_->dirent(found);
}

Result<InodeNo> Index::parent(InodeNo directory) const {
    std::uint32_t const number =
        OBLEA_TRY(impl_->directory(directory))->place[format::kPlaceParent];
    if (number == 0 || number > impl_->inodes.size()) {
        return impl_->damaged("parent of a folder");
    }
    return InodeNo{number};
}

Result<std::optional<InodeNo>> Index::resolve(RelPath const& path) const {
    InodeNo at = InodeNo::root;
    FileType type = FileType::directory;
    std::string_view rest = path.string();
    while (!rest.empty()) {
        if (type != FileType::directory) {
            return std::optional<InodeNo>{};
        }
        auto const slash = std::min(rest.find('/'), rest.size());
        auto const found = OBLEA_TRY(lookup(at, rest.substr(0, slash)));
        if (!found.has_value() || found->kind != DirentKind::entry) {
            return std::optional<InodeNo>{};
        }
        at = found->ino;
        type = found->type;
        rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    return std::optional{at};
}

Result<std::string_view> Index::symlink_target(InodeNo ino) const {
    format::InodeRecord const& record = *OBLEA_TRY(impl_->inode(ino));
    if (FileType{record.type} != FileType::symlink) {
        return fail(Errno::einval, "not a symbolic link");
    }
    auto const length = base::checked_cast<std::uint32_t>(record.size);
    if (!length.has_value()) {
        return impl_->damaged("length of a symbolic link");
    }
    return impl_->string(record.place[format::kPlaceTarget], *length);
}

Result<ContentView> Index::content(InodeNo ino) const {
    format::InodeRecord const& record = *OBLEA_TRY(impl_->inode(ino));
    if (FileType{record.type} != FileType::regular) {
        return fail(Errno::einval, "not a regular file");
    }
    std::uint32_t const position = record.place[format::kPlaceContent];
    if (position == format::kNone) {
        return ContentView{};
    }
    if (position >= impl_->contents.size()) {
        return impl_->damaged("content of a file");
    }
    return impl_->content(impl_->contents[position]);
}

Result<bool> Index::has_xattrs(InodeNo ino) const {
    return OBLEA_TRY(impl_->inode(ino))->xattr_set != format::kNone;
}

Result<std::optional<std::string_view>> Index::xattr(InodeNo ino, std::string_view name) const {
    format::InodeRecord const& inode = *OBLEA_TRY(impl_->inode(ino));
    auto const set = OBLEA_TRY(impl_->xattrs_of_set(inode.xattr_set));
    std::size_t first = 0;
    std::size_t last = set.size();
    while (first < last) {
        std::size_t const middle = first + (last - first) / 2;
        format::XattrRecord const& record = set[middle];
        auto const found = OBLEA_TRY(impl_->string(record.name_offset, record.name_bytes));
        if (found == name) {
            return std::optional{OBLEA_TRY(impl_->string(record.value_offset, record.value_bytes))};
        }
        (found < name ? first : last) = found < name ? middle + 1 : middle;
    }
    return std::optional<std::string_view>{};
}

Result<std::vector<std::string_view>> Index::xattr_names(InodeNo ino) const {
    format::InodeRecord const& inode = *OBLEA_TRY(impl_->inode(ino));
    auto const set = OBLEA_TRY(impl_->xattrs_of_set(inode.xattr_set));
    std::vector<std::string_view> names;
    names.reserve(set.size());
    for (format::XattrRecord const& record : set) {
        names.push_back(OBLEA_TRY(impl_->string(record.name_offset, record.name_bytes)));
    }
    return names;
}

}  // namespace oblea::store
