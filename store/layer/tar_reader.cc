// SPDX-License-Identifier: MIT
#include "store/layer/tar_reader.h"

#include "store/base/checked.h"
#include "store/base/limits.h"
#include "store/layer/sparse.h"

#include <algorithm>
#include <limits>

namespace oblea::store {

namespace {

using base::ByteView;
using base::printable;

std::uint64_t padding_of(std::uint64_t bytes) {
    return (kTarBlockBytes - bytes % kTarBlockBytes) % kTarBlockBytes;
}

std::string place(std::string const& name, std::uint64_t offset) {
    std::string const at = "byte " + std::to_string(offset) + " of the tar";
    return name.empty() ? at : "member " + printable(name) + " at " + at;
}

bool is_regular_type(char type) {
    switch (type) {
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case 'D':
        return false;
    default:
        return true;
    }
}

FileType file_type(char type) {
    switch (type) {
    case '2':
        return FileType::symlink;
    case '3':
        return FileType::char_device;
    case '4':
        return FileType::block_device;
    case '5':
    case 'D':  // GNU tar's folder with a list of its names as contents
        return FileType::directory;
    case '6':
        return FileType::fifo;
    default:
        return FileType::regular;
    }
}

Result<std::uint32_t> parse_owner(std::int64_t value, char const* what) {
    constexpr std::int64_t kLeast = std::numeric_limits<std::int32_t>::min();
    constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
    if (value < kLeast || value > kMost) {
        return fail(Errno::einval, "",
                    std::string{what} + " " + std::to_string(value) + " does not fit 32 bits");
    }
    return static_cast<std::uint32_t>(value);
}

Result<std::uint64_t> body_size(TarHeader const& header, PaxValues const& pax) {
    if (!pax.size.has_value() && header.size < 0) {
        return fail(Errno::einval, "", "a negative size: " + std::to_string(header.size));
    }
    std::uint64_t const size = pax.size.value_or(static_cast<std::uint64_t>(header.size));
    if (size > limits::kFileBytesMax) {
        return fail(Errno::e2big, "", "a size of " + std::to_string(size) + " bytes");
    }
    return size;
}

Result<DeviceNumber> device_of(TarHeader const& header, PaxValues const& pax) {
    auto const major =
        base::checked_cast<std::uint32_t>(pax.device_major.value_or(header.device_major));
    auto const minor =
        base::checked_cast<std::uint32_t>(pax.device_minor.value_or(header.device_minor));
    if (!major.has_value() || !minor.has_value()) {
        return fail(Errno::einval, "", "a device number that does not fit 32 bits");
    }
    return DeviceNumber{.major = *major, .minor = *minor};
}

Result<InodeAttr> parse_attr(TarHeader const& header, PaxValues const& pax, FileType type) {
    InodeAttr attr;
    attr.type = type;
    attr.permissions = header.mode;
    attr.uid = OBLEA_TRY(parse_owner(pax.uid.value_or(header.uid), "uid"));
    attr.gid = OBLEA_TRY(parse_owner(pax.gid.value_or(header.gid), "gid"));
    attr.mtime = pax.mtime.value_or(Timestamp{.seconds = header.mtime, .nanoseconds = 0});
    if (type == FileType::char_device || type == FileType::block_device) {
        attr.device = OBLEA_TRY(device_of(header, pax));
    }
    return attr;
}

Status set_symlink(std::string target, LayerEntry& entry) {
    if (target.empty()) {
        return fail(Errno::einval, "", "a symbolic link to nothing");
    }
    if (target.size() > limits::kSymlinkBytesMax) {
        return fail(Errno::e2big, "",
                    "a symbolic link whose target is longer than " +
                        std::to_string(limits::kSymlinkBytesMax) + " bytes");
    }
    entry.attr.size = target.size();
    entry.symlink_target = std::move(target);
    return {};
}

Status set_hard_link(std::string const& target, LayerEntry& entry) {
    entry.kind = LayerEntry::Kind::hard_link;
    entry.target_path = OBLEA_TRY(with_context(
        RelPath::parse(target), [&] { return "a hard link to " + printable(target); }));
    if (entry.target_path.is_root()) {
        return fail(Errno::einval, "", "a hard link to the root");
    }
    return {};
}

// Fills all of `entry` but the size and place of a regular file's content.
Status set_inode(TarHeader const& header, PaxValues const& pax, std::string link_name,
                 std::string_view name, LayerEntry& entry) {
    if (header.type == '1') {
        return set_hard_link(link_name, entry);
    }
    FileType type = file_type(header.type);
    if (type == FileType::regular && name.ends_with('/')) {
        type = FileType::directory;
    }
    entry.attr = OBLEA_TRY(parse_attr(header, pax, type));
    entry.xattrs = OBLEA_TRY(pax.xattrs());
    if (type == FileType::symlink) {
        return set_symlink(std::move(link_name), entry);
    }
    return {};
}

}  // namespace

Result<bool> TarReader::refill() {
    if (rest_.empty()) {
        rest_ = OBLEA_TRY(source_.next());
    }
    return !rest_.empty();
}

// nullopt at the end of the stream. The block goes to the sink.
Result<std::optional<ByteView>> TarReader::read_block() {
    ByteView block;
    if (rest_.size() >= kTarBlockBytes) {
        block = rest_.first(kTarBlockBytes);
        rest_ = rest_.subspan(kTarBlockBytes);
    } else {
        std::size_t have = 0;
        while (have < kTarBlockBytes && OBLEA_TRY(refill())) {
            std::size_t const count = std::min(rest_.size(), kTarBlockBytes - have);
            std::copy_n(rest_.begin(), count, block_.begin() + static_cast<std::ptrdiff_t>(have));
            rest_ = rest_.subspan(count);
            have += count;
        }
        if (have == 0) {
            return std::optional<ByteView>{};
        }
        if (have < kTarBlockBytes) {
            return fail(Errno::einval, "", "the tar ends in the middle of a block");
        }
        block = block_;
    }
    offset_ += kTarBlockBytes;
    OBLEA_TRY(literals_.literal(block));
    return std::optional{block};
}

Result<ByteView> TarReader::read_block_of_member() {
    auto const block = OBLEA_TRY(read_block());
    if (!block.has_value()) {
        return fail(Errno::einval, "", "the tar ends in the middle of its headers");
    }
    return *block;
}

Result<ByteView> TarReader::content() {
    return with_context(take_content(), [&] { return place(name_, member_offset_); });
}

Result<ByteView> TarReader::take_content() {
    if (body_left_ == 0) {
        return ByteView{};
    }
    if (!OBLEA_TRY(refill())) {
        return fail(Errno::einval, "",
                    "the tar ends " + std::to_string(body_left_) +
                        " bytes before the end of its contents");
    }
    auto const count = static_cast<std::size_t>(std::min<std::uint64_t>(rest_.size(), body_left_));
    ByteView const piece = rest_.first(count);
    rest_ = rest_.subspan(count);
    body_left_ -= count;
    offset_ += count;
    return piece;
}

void TarReader::set_body(std::uint64_t bytes) {
    body_left_ = bytes;
    padding_left_ = padding_of(bytes);
}

Status TarReader::skip_padding() {
    std::uint64_t left = std::exchange(padding_left_, 0);
    while (left > 0) {
        if (!OBLEA_TRY(refill())) {
            // Go's archive/tar takes this for the end, so docker and podman do, and umoci insert
            // writes it.
            return {};
        }
        auto const count = static_cast<std::size_t>(std::min<std::uint64_t>(rest_.size(), left));
        OBLEA_TRY(literals_.literal(rest_.first(count)));
        rest_ = rest_.subspan(count);
        left -= count;
        offset_ += count;
    }
    return {};
}

Status TarReader::finish_body() {
    for (;;) {
        ByteView const piece = OBLEA_TRY(take_content());
        if (piece.empty()) {
            break;
        }
        OBLEA_TRY(literals_.literal(piece));
    }
    return skip_padding();
}

// After a first zero block: the second, or the end, and then all that may follow.
Status TarReader::finish_archive() {
    ended_ = true;
    name_.clear();
    member_offset_ = offset_;
    auto const second = OBLEA_TRY(read_block());
    if (!second.has_value()) {
        return {};
    }
    if (!is_zero_block(*second)) {
        return fail(Errno::einval, "", "a header after a lone zero block, which announces the end");
    }
    while (OBLEA_TRY(refill())) {
        OBLEA_TRY(literals_.literal(rest_));
        offset_ += rest_.size();
        rest_ = {};
    }
    return {};
}

Result<std::string> TarReader::read_extension(TarHeader const& header, Extensions& extensions) {
    std::uint64_t const size = OBLEA_TRY(body_size(header, {}));
    if (size > limits::kTarHeaderBytesMax - extensions.bytes) {
        return fail(Errno::e2big, "",
                    "an extension header of " + std::to_string(size) + " bytes; at most " +
                        std::to_string(limits::kTarHeaderBytesMax) + " are taken for a member");
    }
    extensions.bytes += static_cast<std::size_t>(size);
    std::string text;
    set_body(size);
    for (;;) {
        ByteView const piece = OBLEA_TRY(take_content());
        if (piece.empty()) {
            break;
        }
        OBLEA_TRY(literals_.literal(piece));
        text += base::text_of(piece);
    }
    OBLEA_TRY(skip_padding());
    return text;
}

// A body of any length that says nothing of the members.
Status TarReader::skip_extension(TarHeader const& header) {
    set_body(OBLEA_TRY(body_size(header, {})));
    return finish_body();
}

// Whether the header was one that only leads to the next.
Result<bool> TarReader::take_extension(TarHeader const& header, Extensions& extensions) {
    switch (header.type) {
    case 'x':
    case 'X': {  // Solaris, before POSIX had settled
        pax_archive_ = true;
        extensions.pax_seen = true;
        std::string const records = OBLEA_TRY(read_extension(header, extensions));
        OBLEA_TRY(parse_pax_records(records, extensions.pax));
        return true;
    }
    case 'L':
    case 'K': {
        std::string const text = OBLEA_TRY(read_extension(header, extensions));
        auto& into = header.type == 'L' ? extensions.gnu_name : extensions.gnu_link_name;
        into = tar_text(base::bytes_of(text));
        return true;
    }
    case 'g':
    case 'V':  // the label of a GNU archive
        OBLEA_TRY(skip_extension(header));
        return true;
    case 'M':
        return fail(Errno::einval, "", "the tar is a further volume of a multi-volume archive");
    default:
        return false;
    }
}

Result<std::vector<SparsePiece>> TarReader::read_gnu_map(GnuSparseHeader first) {
    std::vector<SparsePiece> pieces = std::move(first.pieces);
    bool continued = first.continued;
    while (continued) {
        ByteView const block = OBLEA_TRY(read_block_of_member());
        GnuSparseHeader const more = OBLEA_TRY(parse_gnu_sparse_extension(block));
        if (pieces.size() + more.pieces.size() > limits::kSparseExtentsMax || more.pieces.empty()) {
            return fail(Errno::e2big, "", "the map of a sparse file is too long, or has no end");
        }
        pieces.insert(pieces.end(), more.pieces.begin(), more.pieces.end());
        continued = more.continued;
    }
    return pieces;
}

Result<std::vector<SparsePiece>> TarReader::read_pax_map() {
    SparseMapParser parser;
    for (;;) {
        if (body_left_ < kTarBlockBytes) {
            return fail(Errno::einval, "", "the map of a sparse file is longer than its contents");
        }
        ByteView const block = OBLEA_TRY(read_block_of_member());
        body_left_ -= kTarBlockBytes;
        if (OBLEA_TRY(parser.feed(block))) {
            return parser.pieces();
        }
    }
}

// Size and extents of a regular file, whose body is next in the stream.
Status TarReader::set_regular(TarHeader const& header, Extensions const& extensions,
                              TarMember& member) {
    PaxSparse const& sparse = extensions.pax.sparse;
    std::uint64_t real_size = body_left_;
    std::optional<std::vector<SparsePiece>> pieces;
    if (header.type == 'S') {
        GnuSparseHeader first = OBLEA_TRY(parse_gnu_sparse_header(own_block_));
        if (first.real_size < 0) {
            return fail(Errno::einval, "", "a negative size of a sparse file");
        }
        real_size = static_cast<std::uint64_t>(first.real_size);
        pieces = OBLEA_TRY(read_gnu_map(std::move(first)));
    } else if (sparse.present) {
        if (!sparse.real_size.has_value()) {
            return fail(Errno::einval, "", "a sparse file without its size");
        }
        bool const known = sparse.map_in_data() || sparse.major == 0;
        if (!known) {
            return fail(Errno::einval, "", "a sparse file of an unknown version");
        }
        real_size = *sparse.real_size;
        pieces = sparse.map_in_data() ? OBLEA_TRY(read_pax_map()) : sparse.pieces;
    }
    if (real_size > limits::kFileBytesMax) {
        return fail(Errno::e2big, "", "a size of " + std::to_string(real_size) + " bytes");
    }
    member.entry.attr.size = real_size;
    member.blob_bytes = body_left_;
    if (pieces.has_value()) {
        member.extents = OBLEA_TRY(plan_extents(*pieces, real_size, body_left_));
    }
    return {};
}

Result<std::optional<TarMember>> TarReader::make_member(TarHeader const& header,
                                                        Extensions const& extensions) {
    PaxValues const& pax = extensions.pax;
    TarMember member{.entry = {}, .offset = extensions.start, .blob_bytes = 0, .extents = {}};
    if (name_.empty() && file_type(header.type) != FileType::directory) {
        return fail(Errno::einval, "", "a member without a name");
    }
    member.entry.path = OBLEA_TRY(RelPath::parse(name_));

    // In old archives the size of a hard link is that of the file, though nothing follows.
    bool const has_body =
        is_regular_type(header.type) || header.type == 'D' || (header.type == '1' && pax_archive_);
    std::uint64_t const size = OBLEA_TRY(body_size(header, pax));
    set_body(has_body ? size : 0);

    WhiteoutMark mark = OBLEA_TRY(parse_whiteout(member.entry.path));
    if (mark.kind == WhiteoutMark::Kind::leftover) {
        return std::optional<TarMember>{};
    }
    if (mark.kind != WhiteoutMark::Kind::none) {
        member.entry.kind = mark.kind == WhiteoutMark::Kind::opaque ? LayerEntry::Kind::opaque
                                                                    : LayerEntry::Kind::whiteout;
        member.entry.path = std::move(mark.path);
        return std::optional{std::move(member)};
    }
    std::string link_name = pax.link_path.has_value()
                                ? *pax.link_path
                                : extensions.gnu_link_name.value_or(header.link_name);
    OBLEA_TRY(set_inode(header, pax, std::move(link_name), name_, member.entry));
    bool const is_inode = member.entry.kind == LayerEntry::Kind::inode;
    if (member.entry.path.is_root() &&
        !(is_inode && member.entry.attr.type == FileType::directory)) {
        return fail(Errno::einval, "", "the root of a layer must be a folder");
    }
    if (is_inode && member.entry.attr.type == FileType::regular) {
        OBLEA_TRY(set_regular(header, extensions, member));
    }
    return std::optional{std::move(member)};
}

// One header; nullopt when it was none that gives a member.
Result<std::optional<TarMember>> TarReader::next_member(Extensions& extensions) {
    auto const block = OBLEA_TRY(read_block());
    if (!block.has_value() || is_zero_block(*block)) {
        if (extensions.bytes > 0 || extensions.pax_seen) {
            return fail(Errno::einval, "", "the tar ends after the extension header of a member");
        }
        if (block.has_value()) {
            OBLEA_TRY(finish_archive());
        }
        ended_ = true;
        return std::optional<TarMember>{};
    }
    std::copy_n(block->begin(), kTarBlockBytes, own_block_.begin());
    TarHeader const header = OBLEA_TRY(parse_tar_header(own_block_));
    name_ = header.name;
    if (OBLEA_TRY(take_extension(header, extensions))) {
        name_.clear();
        return std::optional<TarMember>{};
    }
    PaxSparse const& sparse = extensions.pax.sparse;
    if (sparse.name.has_value()) {
        name_ = *sparse.name;
    } else if (extensions.pax.path.has_value()) {
        name_ = *extensions.pax.path;
    } else if (extensions.gnu_name.has_value()) {
        name_ = *extensions.gnu_name;
    }
    auto member = OBLEA_TRY(make_member(header, extensions));
    // Skipped or not, what was said in front of this member is used up.
    extensions = {};
    if (!member.has_value()) {
        OBLEA_TRY(finish_body());
        extensions.start = offset_;
        member_offset_ = offset_;
    }
    return member;
}

Result<std::optional<TarMember>> TarReader::read_member() {
    OBLEA_TRY(finish_body());
    Extensions extensions;
    extensions.start = offset_;
    member_offset_ = offset_;
    name_.clear();
    while (!ended_) {
        auto member = OBLEA_TRY(next_member(extensions));
        if (member.has_value()) {
            return member;
        }
    }
    return std::optional<TarMember>{};
}

Result<std::optional<TarMember>> TarReader::next() {
    return with_context(read_member(), [&] { return place(name_, member_offset_); });
}

}  // namespace oblea::store
