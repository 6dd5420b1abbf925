// SPDX-License-Identifier: MIT
#include "fs/lower/folder_lower.h"

#include "fs/lower/folder_layers.h"
#include "fs/lower/folder_merge.h"
#include "fs/lower/inode_records.h"
#include "store/base/hash.h"
#include "store/base/sys.h"
#include "store/index/file_mode.h"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace oblea::fs {

namespace sys = base::sys;
using base::UniqueFd;
using store::InodeNo;

namespace {

constexpr std::size_t kDescriptors = 512;  // of folders, and as many of files
constexpr std::uint64_t kPlainNumberEnd = kNewInoFirst;
constexpr std::uint32_t kDeviceNumbersEnd = 1U << 20U;
constexpr char const* kRootKey = "root";

using store::type_of_mode;

std::uint32_t index_of(InodeNo ino) {
    return static_cast<std::uint32_t>(ino);
}

std::string joined(std::string_view folder, std::string_view name) {
    if (folder.empty() || name.empty()) {
        return std::string{folder.empty() ? name : folder};
    }
    return fmt::format("{}/{}", folder, name);
}

LowerAttr attr_of(struct stat const& info) {
    LowerAttr attr;
    attr.type = type_of_mode(info.st_mode);
    attr.permissions = info.st_mode & 07777U;
    attr.nlink = static_cast<std::uint32_t>(info.st_nlink);
    attr.uid = info.st_uid;
    attr.gid = info.st_gid;
    attr.size = attr.type == FileType::regular || attr.type == FileType::symlink
                    ? static_cast<std::uint64_t>(info.st_size)
                    : 0;
    attr.mtime = {info.st_mtim.tv_sec, static_cast<std::uint32_t>(info.st_mtim.tv_nsec)};
    attr.device = {major(info.st_rdev), minor(info.st_rdev)};
    attr.atime = {info.st_atim.tv_sec, static_cast<std::uint32_t>(info.st_atim.tv_nsec)};
    attr.ctime = {info.st_ctim.tv_sec, static_cast<std::uint32_t>(info.st_ctim.tv_nsec)};
    attr.blocks_512 = static_cast<std::uint64_t>(info.st_blocks);
    return attr;
}

// When the file was made, which tells it from a later one of its number; 0 where it is not known.
Result<std::uint64_t> birth_of(int folder, std::string_view name) {
    struct statx info = {};
    if (::statx(folder, std::string{name}.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &info) != 0) {
        return fail(sys::last_errno(), "statx");
    }
    if ((info.stx_mask & STATX_BTIME) == 0) {
        return std::uint64_t{0};
    }
    return static_cast<std::uint64_t>(info.stx_btime.tv_sec) * 1'000'000'000U +
           info.stx_btime.tv_nsec;
}

// What an upper remembers of a file: its device, its number and its birth there, and its kind.
struct FileKey {
    std::uint32_t device = 0;
    std::uint64_t number = 0;
    std::uint64_t birth = 0;
    FileType type = FileType::regular;
};

std::string encode_key(FileKey const& key, bool stable) {
    return fmt::format("{}{}.{}.{:x}.{}", stable ? 'f' : 'x', key.device, key.number, key.birth,
                       static_cast<unsigned>(key.type));
}

std::optional<FileKey> parse_key(std::string_view text) {
    if (!text.starts_with('f')) {
        return std::nullopt;
    }
    char const* at = text.data() + 1;
    char const* const end = text.data() + text.size();
    FileKey key;
    unsigned type = 0;
    auto const take = [&](auto& value, int base) {
        if (at != text.data() + 1) {
            if (at == end || *at != '.') {
                return false;
            }
            ++at;
        }
        auto const [next, error] = std::from_chars(at, end, value, base);
        at = next;
        return error == std::errc{};
    };
    bool const whole =
        take(key.device, 10) && take(key.number, 10) && take(key.birth, 16) && take(type, 10);
    if (!whole || at != end || type < 1 || type > static_cast<unsigned>(FileType::socket) ||
        type == static_cast<unsigned>(FileType::directory)) {
        return std::nullopt;
    }
    key.type = FileType{static_cast<std::uint8_t>(type)};
    return key;
}

class FolderLower final : public LowerTree {
public:
    FolderLower(std::unique_ptr<FolderLayers> layers, FolderLowerOptions options)
        : layers_(std::move(layers)), options_(options) {}
    Status start();

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

private:
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
    [[nodiscard]] bool look_at_doubtful(std::vector<Pending>& entries,
                                        std::vector<std::size_t>& doubtful) const;
    Result<InodeNo> number_entry(InodeNo folder, std::uint32_t position, Pending& pending) const;

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

    std::unique_ptr<FolderLayers> layers_;
    FolderLowerOptions options_;
    mutable InodeRecords records_;
    mutable FdCache folders_{kDescriptors};
    mutable FdCache files_{kDescriptors};
};

Status FolderLower::start() {
    std::scoped_lock const lock{records_.mutex};
    auto const root = OBLEA_TRY(records_.add());
    auto const top = static_cast<std::uint16_t>(layers_->count() - 1);
    struct stat const info = OBLEA_TRY(sys::fstat(layers_->root(top)->get()));
    root.record->number = info.st_ino;
    root.record->device = layers_->device(info.st_dev);
    root.record->layer = top;
    root.record->type = FileType::directory;
    auto folder = std::make_unique<FolderRecord>();
    for (std::uint16_t layer = layers_->count(); layer-- > 0;) {
        folder->candidates.push_back(layer);
    }
    root.record->folder = std::move(folder);
    return {};
}

// --- from numbers to places ---

Result<InodeRecord const*> FolderLower::record(InodeNo ino) const {
    InodeRecord const* const found = records_.find(ino);
    // Those of a chunk that are not given out yet have no number.
    if (found == nullptr || found->number == 0) {
        return fail(Errno::estale, "lower");
    }
    return found;
}

Result<std::string> FolderLower::part_path(InodeNo folder, std::uint16_t layer) const {
    std::string path;
    for (InodeNo at = folder; at != InodeNo::root;) {
        InodeRecord const* const one = OBLEA_TRY(record(at));
        if (one->folder != nullptr && one->folder->loaded.load(std::memory_order_acquire)) {
            LayerPart const* const part = one->folder->part(layer);
            if (part != nullptr && part->path.has_value()) {
                return joined(*part->path, path);
            }
        }
        std::string_view const name = records_.name(*one);
        path = joined(name, path);
        at = InodeNo{one->parent.load(std::memory_order_acquire)};
    }
    return path;
}

Result<SharedFd> FolderLower::part_folder(InodeNo folder, std::uint16_t layer) const {
    if (folder == InodeNo::root) {
        return layers_->root(layer);
    }
    if (SharedFd open = folders_.find(cache_key(folder, layer))) {
        return open;
    }
    // From the nearest folder above that is open; the way may be too long for one path.
    InodeRecord const* const one = OBLEA_TRY(record(folder));
    bool const redirected = one->folder->loaded.load(std::memory_order_acquire) &&
                            one->folder->part(layer) != nullptr &&
                            one->folder->part(layer)->path.has_value();
    InodeNo const above{one->parent.load(std::memory_order_acquire)};
    SharedFd base = redirected ? SharedFd{} : folders_.find(cache_key(above, layer));
    std::string path;
    if (base != nullptr) {
        path = records_.name(*one);
    } else {
        base = layers_->root(layer);
        path = OBLEA_TRY(part_path(folder, layer));
    }
    SharedFd opened = OBLEA_TRY(FolderLayers::open_folder(base, path));
    folders_.put(cache_key(folder, layer), opened);
    return opened;
}

Result<FolderLower::At> FolderLower::locate(InodeRecord const& one) const {
    InodeNo const folder{one.parent.load(std::memory_order_acquire)};
    if (folder == InodeNo::none) {
        if (&one == records_.find(InodeNo::root)) {
            return At{layers_->root(one.layer), "."};
        }
        return fail(Errno::estale, "lower");  // only an origin told of it
    }
    SharedFd part = OBLEA_TRY(part_folder(folder, one.layer));
    return At{std::move(part), std::string{records_.name(one)}};
}

// --- listings ---

Result<std::vector<FolderLower::Way>> FolderLower::redirected(InodeNo folder, std::uint16_t layer,
                                                              std::string const& redirect) const {
    std::vector<Way> ways;
    InodeRecord const* const one = OBLEA_TRY(record(folder));
    InodeNo const above{one->parent.load(std::memory_order_acquire)};
    bool const absolute = redirect.starts_with('/');
    for (std::uint16_t below = layer; below-- > 0;) {
        std::string base;
        if (!absolute) {
            // A new last name, in what the parent is made of there.
            InodeRecord const* const parent = OBLEA_TRY(record(above));
            if (parent->folder->part(below) == nullptr) {
                continue;
            }
            base = OBLEA_TRY(part_path(above, below));
        }
        auto path = redirected_path(base, redirect);
        if (path.has_value()) {
            ways.push_back({below, *std::move(path)});
        }
    }
    return ways;
}

Result<std::vector<FolderLower::OpenPart>>
FolderLower::open_parts(InodeNo folder, FolderRecord const& record) const {
    std::vector<Way> ways;
    for (std::uint16_t const layer : record.candidates) {
        ways.push_back({layer, std::nullopt});
    }
    std::vector<OpenPart> parts;
    for (std::size_t i = 0; i < ways.size(); ++i) {
        Way const way = ways[i];
        OpenPart part{.part = {way.layer, way.path}, .folder = {}, .marks = {}};
        bool hidden = false;
        if (way.path.has_value()) {
            auto found = OBLEA_TRY(layers_->follow(way.layer, *way.path));
            hidden = found.below == FolderLayers::Redirected::Below::hidden;
            if (found.path_below != *way.path) {
                for (std::size_t next = i + 1; next < ways.size(); ++next) {
                    ways[next].path = found.path_below;
                }
            }
            part.folder = std::move(found.folder);
        } else {
            part.folder = OBLEA_TRY(part_folder(folder, way.layer));
        }
        if (part.folder != nullptr) {
            part.marks = OBLEA_TRY(layers_->marks(part.folder->get()));
            hidden = hidden || part.marks.opaque == FolderMarks::Opaque::yes;
            if (part.marks.redirect.has_value() && folder != InodeNo::root) {
                ways.resize(i + 1);
                auto const further = OBLEA_TRY(redirected(folder, way.layer, *part.marks.redirect));
                ways.insert(ways.end(), further.begin(), further.end());
            }
            parts.push_back(std::move(part));
        }
        if (hidden) {
            break;
        }
    }
    return parts;
}

Result<LayerEntryRead> FolderLower::read_entry(Reading const& reading, sys::DirEntry& entry) const {
    int const folder = reading.folder;
    LayerEntryRead read{.type = type_of_mode(static_cast<std::uint32_t>(DTTOIF(entry.type))),
                        .number = entry.ino,
                        .device = reading.device};
    bool const maybe_marked =
        entry.type == DT_REG && reading.whiteouts == FolderMarks::XattrWhiteouts::yes;
    if (entry.type == DT_UNKNOWN || entry.type == DT_CHR || maybe_marked ||
        reading.numbers == FolderLayers::Numbers::to_be_asked) {
        struct stat const info = OBLEA_TRY(sys::fstatat(folder, entry.name.c_str()));
        read.type = type_of_mode(info.st_mode);
        read.number = info.st_ino;
        read.device = layers_->device(info.st_dev);
        if (S_ISCHR(info.st_mode) && info.st_rdev == 0) {
            read.kind = LayerEntryRead::Kind::whiteout;
        }
        for (char const* xattr : kWhiteoutXattrs) {
            if (!maybe_marked || info.st_size != 0) {
                break;
            }
            auto const mark = OBLEA_TRY(layer_xattr(folder, entry.name, xattr));
            if (mark.has_value()) {
                read.kind = LayerEntryRead::Kind::whiteout;
            }
        }
    }
    if (reading.override_xattr != nullptr && read.type == FileType::regular) {
        auto const text = OBLEA_TRY(layer_xattr(folder, entry.name, reading.override_xattr));
        auto const stat = text.has_value() ? parse_override_stat(*text) : std::nullopt;
        if (stat.has_value() && stat->type.value_or(read.type) != FileType::directory) {
            read.type = stat->type.value_or(read.type);
        }
    }
    read.name = std::move(entry.name);
    return read;
}

Result<std::vector<LayerEntryRead>> FolderLower::read_part(OpenPart& part) const {
    int const folder = part.folder->get();
    struct stat const info = OBLEA_TRY(sys::fstat(folder));
    Reading const reading{
        .folder = folder,
        .device = layers_->device(info.st_dev),
        .numbers = FolderLayers::numbers_of(folder),
        .whiteouts = part.marks.xattr_whiteouts,
        .override_xattr = layers_->override_xattr(part.part.layer),
    };
    std::vector<LayerEntryRead> entries;
    for (sys::DirEntry& entry : OBLEA_TRY(sys::list_dir(folder))) {
        LayerName const name = classify_name(entry.name);
        switch (name.kind) {
        case LayerName::Kind::opaque:
            part.marks.opaque = FolderMarks::Opaque::yes;
            break;
        case LayerName::Kind::foreign:
            break;
        case LayerName::Kind::whiteout:
            entries.push_back(
                {.name = std::string{name.name}, .kind = LayerEntryRead::Kind::whiteout});
            break;
        case LayerName::Kind::entry:
            entries.push_back(OBLEA_TRY(read_entry(reading, entry)));
            break;
        }
    }
    return entries;
}

Result<FolderLower::Gathered> FolderLower::gather(InodeNo folder,
                                                  FolderRecord const& record) const {
    Gathered gathered;
    FolderMerge merge;
    std::vector<OpenPart> parts = OBLEA_TRY(open_parts(folder, record));
    for (OpenPart& part : parts) {
        std::vector<LayerEntryRead> entries = OBLEA_TRY(read_part(part));
        merge.add(part.part.layer, std::move(entries));
        gathered.parts.push_back(std::move(part.part));
        if (part.marks.opaque == FolderMarks::Opaque::yes) {
            break;
        }
    }
    for (MergedLayerEntry& entry : std::move(merge).finish()) {
        gathered.entries.push_back({.entry = std::move(entry)});
    }
    return gathered;
}

// Under the mutex: whether there are files whose number another name has too, and of which it is
// not known yet how many links they have.
bool FolderLower::look_at_doubtful(std::vector<Pending>& entries,
                                   std::vector<std::size_t>& doubtful) const {
    doubtful.clear();
    std::unordered_map<InodeRecords::Number, std::size_t, InodeRecords::NumberHash> here;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        MergedLayerEntry const& entry = entries[i].entry;
        if (entry.type == FileType::directory || entries[i].links.has_value()) {
            continue;
        }
        InodeRecords::Number const key{entry.number, entry.device};
        bool const again = !here.try_emplace(key, i).second;
        if (again || records_.by_number.contains(key)) {
            doubtful.push_back(i);
        }
    }
    return !doubtful.empty();
}

Result<InodeNo> FolderLower::number_entry(InodeNo folder, std::uint32_t position,
                                          Pending& pending) const {
    MergedLayerEntry& entry = pending.entry;
    bool const is_folder = entry.type == FileType::directory;
    InodeRecords::Number const key{entry.number, entry.device};
    InodeRecord::Alias alias = InodeRecord::Alias::no;
    if (!is_folder) {
        auto const known = records_.by_number.find(key);
        if (known != records_.by_number.end()) {
            InodeRecord* const one = records_.find(known->second);
            bool const told = one->parent.load(std::memory_order_relaxed) == 0;
            if (told && one->type == entry.type &&
                records_.told_births[known->second] == pending.links->birth) {
                one->layer = entry.layers.front();
                one->position = position;
                one->parent.store(index_of(folder), std::memory_order_release);
                return known->second;
            }
            if (!told && pending.links->count > 1) {
                records_.more_names[known->second].push_back({folder, position});
                return known->second;
            }
            alias = InodeRecord::Alias::yes;
        }
    }
    auto const added = OBLEA_TRY(records_.add());
    added.record->position = position;
    added.record->number = entry.number;
    added.record->device = entry.device;
    added.record->layer = entry.layers.front();
    added.record->type = entry.type;
    added.record->alias = alias;
    if (is_folder) {
        added.record->folder = std::make_unique<FolderRecord>();
        added.record->folder->candidates = std::move(entry.layers);
    } else if (alias == InodeRecord::Alias::no) {
        records_.by_number.emplace(key, added.ino);
    }
    added.record->parent.store(index_of(folder), std::memory_order_release);
    return added.ino;
}

Status FolderLower::install(InodeNo folder, FolderRecord& record, Gathered gathered) const {
    std::vector<std::size_t> doubtful;
    std::unique_lock lock{records_.mutex};
    for (;;) {
        if (record.loaded.load(std::memory_order_relaxed)) {
            return {};  // another thread has read the same
        }
        if (!look_at_doubtful(gathered.entries, doubtful)) {
            break;
        }
        lock.unlock();
        for (std::size_t const i : doubtful) {
            Pending& pending = gathered.entries[i];
            std::uint16_t const layer = pending.entry.layers.front();
            auto const part = std::ranges::find(gathered.parts, layer, &LayerPart::layer);
            SharedFd dir;
            if (part->path.has_value()) {
                dir = OBLEA_TRY(FolderLayers::open_folder(layers_->root(layer), *part->path));
            } else {
                dir = OBLEA_TRY(part_folder(folder, layer));
            }
            struct stat const info =
                OBLEA_TRY(sys::fstatat(dir->get(), pending.entry.name.c_str()));
            std::uint64_t const birth = OBLEA_TRY(birth_of(dir->get(), pending.entry.name));
            pending.links = Pending::Links{info.st_nlink, birth};
        }
        lock.lock();
    }
    record.parts = std::move(gathered.parts);
    record.entries.reserve(gathered.entries.size());
    for (Pending& pending : gathered.entries) {
        auto const position = static_cast<std::uint32_t>(record.entries.size());
        std::string_view const name = records_.keep(pending.entry.name);
        FileType const type = pending.entry.type;
        InodeNo const ino = OBLEA_TRY(number_entry(folder, position, pending));
        record.entries.push_back({.name = name, .ino = ino, .type = type});
        record.subfolders += type == FileType::directory ? 1 : 0;
    }
    record.loaded.store(true, std::memory_order_release);
    return {};
}

Result<FolderRecord const*> FolderLower::loaded(InodeNo folder) const {
    InodeRecord const* const one = OBLEA_TRY(record(folder));
    if (one->type != FileType::directory) {
        return fail(Errno::enotdir, "lower");
    }
    FolderRecord& listing = *one->folder;
    if (!listing.loaded.load(std::memory_order_acquire)) {
        Gathered gathered = OBLEA_TRY(gather(folder, listing));
        OBLEA_TRY(install(folder, listing, std::move(gathered)));
    }
    return &listing;
}

Result<std::optional<LowerEntry>> FolderLower::lookup(InodeNo directory,
                                                      std::string_view name) const {
    FolderRecord const* const listing = OBLEA_TRY(loaded(directory));
    auto const at = std::ranges::lower_bound(listing->entries, name, {}, &LowerEntry::name);
    return at != listing->entries.end() && at->name == name ? std::optional{*at} : std::nullopt;
}

Result<std::uint32_t> FolderLower::entry_count(InodeNo directory) const {
    return static_cast<std::uint32_t>(OBLEA_TRY(loaded(directory))->entries.size());
}

Result<LowerEntry> FolderLower::entry(InodeNo directory, std::uint32_t position) const {
    FolderRecord const* const listing = OBLEA_TRY(loaded(directory));
    if (position >= listing->entries.size()) {
        return fail(Errno::einval, "lower");
    }
    return listing->entries[position];
}

Result<InodeNo> FolderLower::parent(InodeNo directory) const {
    if (directory == InodeNo::root) {
        return InodeNo::root;
    }
    return InodeNo{OBLEA_TRY(record(directory))->parent.load(std::memory_order_acquire)};
}

Result<std::vector<LowerName>> FolderLower::names(InodeNo ino) const {
    std::vector<LowerName> result;
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    InodeNo const folder{one->parent.load(std::memory_order_acquire)};
    if (folder != InodeNo::none) {
        result.push_back({folder, records_.name(*one)});
    }
    std::scoped_lock const lock{records_.mutex};
    auto const more = records_.more_names.find(ino);
    if (more != records_.more_names.end()) {
        for (InodeRecords::NameAt const& name : more->second) {
            result.push_back(
                {name.folder, records_.find(name.folder)->folder->entries[name.position].name});
        }
    }
    return result;
}

Status FolderLower::find_all_names() const {
    std::vector<InodeNo> todo{InodeNo::root};
    while (!todo.empty()) {
        InodeNo const folder = todo.back();
        todo.pop_back();
        for (LowerEntry const& entry : OBLEA_TRY(loaded(folder))->entries) {
            if (entry.type == FileType::directory) {
                todo.push_back(entry.ino);
            }
        }
    }
    return {};
}

// --- attributes ---

std::uint64_t FolderLower::st_ino(InodeNo ino) const {
    InodeRecord const* const one = records_.find(ino);
    if (one == nullptr) {
        return 0;
    }
    bool const plain = one->alias == InodeRecord::Alias::no && one->number < kPlainNumberEnd;
    if (plain && one->device == 0 && layers_->stable_devices() > 0) {
        return one->number;
    }
    if (plain && one->device < std::min(layers_->stable_devices(), kDeviceNumbersEnd)) {
        return kForeignInoFirst | (std::uint64_t{one->device} << 40U) | one->number;
    }
    std::array<std::uint64_t, 3> const words{
        one->number, one->device,
        one->alias == InodeRecord::Alias::yes ? std::uint64_t{index_of(ino)} : 0};
    constexpr std::uint64_t kHashed = std::uint64_t{1} << 61U;
    return kForeignInoFirst | kHashed |
           (base::xxh3_64(std::as_bytes(std::span{words})) & (kHashed - 1));
}

Status FolderLower::apply_override(At const& at, char const* xattr, LowerAttr& attr) {
    if (xattr == nullptr) {
        return {};
    }
    auto const text = OBLEA_TRY(layer_xattr(at.folder->get(), at.name, xattr));
    auto const stat = text.has_value() ? parse_override_stat(*text) : std::nullopt;
    if (!stat.has_value()) {
        return {};
    }
    attr.uid = stat->uid;
    attr.gid = stat->gid;
    attr.permissions = stat->permissions;
    if (stat->type.has_value() && attr.type == FileType::regular &&
        *stat->type != FileType::directory) {
        attr.type = *stat->type;
        attr.device = stat->device;
    }
    return {};
}

// Whether the count of the one layer that has the folder is that of the union.
Result<bool> FolderLower::single_layer_links(InodeRecord const& one, At const& at,
                                             LowerAttr const& attr) const {
    // Below 2 the file system does not count; where it does not tell numbers we do not know.
    if (one.folder->candidates.size() != 1 || attr.nlink < 2 ||
        FolderLayers::numbers_of(at.folder->get()) != FolderLayers::Numbers::told) {
        return false;
    }
    for (std::string const& xattr : OBLEA_TRY(layer_xattr_names(at.folder->get(), at.name))) {
        if (xattr.ends_with(".overlay.redirect")) {
            return false;
        }
    }
    return true;
}

Result<LowerAttr> FolderLower::attr(InodeNo ino) const {
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    if (one->parent.load(std::memory_order_acquire) == 0 && ino != InodeNo::root) {
        LowerAttr told;
        told.type = one->type;
        return told;
    }
    At const at = OBLEA_TRY(locate(*one));
    LowerAttr attr = attr_of(OBLEA_TRY(sys::fstatat(at.folder->get(), at.name.c_str())));
    OBLEA_TRY(apply_override(at, layers_->override_xattr(one->layer), attr));
    if (attr.type != one->type) {
        return fail(Errno::estale, "lower", "a lower folder was changed");
    }
    if (attr.type == FileType::directory) {
        if (options_.folder_links == FolderLowerOptions::FolderLinks::one) {
            attr.nlink = 1;
        } else if (!OBLEA_TRY(single_layer_links(*one, at, attr))) {
            attr.nlink = 2 + OBLEA_TRY(loaded(ino))->subfolders;
        }
    }
    return attr;
}

Result<std::string> FolderLower::symlink_target(InodeNo ino) const {
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    At const at = OBLEA_TRY(locate(*one));
    struct stat const info = OBLEA_TRY(sys::fstatat(at.folder->get(), at.name.c_str()));
    if (S_ISLNK(info.st_mode)) {
        return sys::readlinkat(at.folder->get(), at.name.c_str());
    }
    // One that could not be made: its target is its content.
    return sys::read_file(at.folder->get(), at.name.c_str(), PATH_MAX);
}

Result<std::optional<std::string>> FolderLower::xattr(InodeNo ino, std::string_view name) const {
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    std::string const stored = stored_layer_xattr(name);
    if (!shown_layer_xattr(stored).has_value() || is_recorded_stat(*one, stored)) {
        return std::optional<std::string>{};
    }
    At const at = OBLEA_TRY(locate(*one));
    return layer_xattr(at.folder->get(), at.name, stored.c_str());
}

Result<std::vector<std::string>> FolderLower::xattr_names(InodeNo ino) const {
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    At const at = OBLEA_TRY(locate(*one));
    std::vector<std::string> names;
    for (std::string const& stored : OBLEA_TRY(layer_xattr_names(at.folder->get(), at.name))) {
        auto shown = shown_layer_xattr(stored);
        if (shown.has_value() && !is_recorded_stat(*one, stored)) {
            names.push_back(*std::move(shown));
        }
    }
    return names;
}

// --- contents ---

// A file of which its layer holds the attributes alone has its bytes in a layer below.
// SPEC: overlayfs.rst "Metadata only copy up".
Result<SharedFd> FolderLower::open_data(InodeRecord const& one, At const& at) const {
    InodeNo const folder{one.parent.load(std::memory_order_acquire)};
    InodeRecord const* const above = OBLEA_TRY(record(folder));
    auto const redirect =
        OBLEA_TRY(layer_xattr(at.folder->get(), at.name, "trusted.overlay.redirect"));
    for (std::uint16_t layer = one.layer; layer-- > 0;) {
        std::optional<std::string> path;
        if (redirect.has_value() && redirect->starts_with('/')) {
            path = redirected_path("", *redirect);
        } else if (above->folder->part(layer) != nullptr) {
            std::string const part = OBLEA_TRY(part_path(folder, layer));
            path = redirected_path(part, redirect.value_or(at.name));
        }
        if (!path.has_value()) {
            continue;
        }
        auto const parsed = OBLEA_TRY(store::RelPath::parse(*path));
        auto const dir = FolderLayers::open_folder(layers_->root(layer), parsed.parent().string());
        if (!dir.has_value()) {
            continue;
        }
        std::string const name{parsed.filename()};
        auto const info = OBLEA_TRY(sys::stat_if_exists((*dir)->get(), name.c_str()));
        if (!info.has_value()) {
            continue;
        }
        if (!S_ISREG(info->st_mode)) {
            break;
        }
        if (!OBLEA_TRY(layer_xattr((*dir)->get(), name, "trusted.overlay.metacopy")).has_value()) {
            return std::make_shared<UniqueFd const>(
                OBLEA_TRY(sys::openat((*dir)->get(), name.c_str(), O_RDONLY | O_NOFOLLOW)));
        }
    }
    return fail(Errno::eio, "lower", "a file whose data no layer has");
}

Result<SharedFd> FolderLower::open_file(InodeNo file) const {
    if (SharedFd open = files_.find(cache_key(file, 0))) {
        return open;
    }
    InodeRecord const* const one = OBLEA_TRY(record(file));
    if (one->type != FileType::regular) {
        return fail(Errno::einval, "lower");
    }
    At const at = OBLEA_TRY(locate(*one));
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    auto opened = sys::openat(at.folder->get(), at.name.c_str(), kFlags | O_NOATIME);
    if (!opened.has_value() && opened.error().code == Errno::eperm) {
        opened = sys::openat(at.folder->get(), at.name.c_str(), kFlags);  // of somebody else
    }
    UniqueFd own = OBLEA_TRY(std::move(opened));
    struct stat const info = OBLEA_TRY(sys::fstat(own.get()));
    if (!S_ISREG(info.st_mode)) {
        return fail(Errno::estale, "lower", "a lower folder was changed");
    }
    bool moved = false;
    if (info.st_blocks == 0 && info.st_size > 0) {
        auto const metacopy = OBLEA_TRY(sys::fgetxattr(own.get(), "trusted.overlay.metacopy"));
        moved = metacopy.has_value();
    }
    SharedFd shared;
    if (moved) {
        shared = OBLEA_TRY(open_data(*one, at));
    } else {
        shared = std::make_shared<UniqueFd const>(std::move(own));
    }
    files_.put(cache_key(file, 0), shared);
    return shared;
}

Result<std::size_t> FolderLower::read(InodeNo file, base::MutableBytes buffer,
                                      std::uint64_t offset) const {
    return sys::pread_full(OBLEA_TRY(open_file(file))->get(), buffer, offset);
}

Result<std::shared_ptr<UniqueFd const>> FolderLower::object(InodeNo file) const {
    return open_file(file);
}

Result<std::uint64_t> FolderLower::seek(InodeNo file, std::uint64_t offset, Seek what) const {
    return sys::lseek(OBLEA_TRY(open_file(file))->get(), offset,
                      what == Seek::data ? SEEK_DATA : SEEK_HOLE);
}

// --- origins ---

Result<std::string> FolderLower::origin_key(InodeNo ino) const {
    if (ino == InodeNo::root) {
        return std::string{kRootKey};
    }
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    if (one->type == FileType::directory) {
        return std::string{};
    }
    bool const stable =
        one->device < layers_->stable_devices() && one->alias == InodeRecord::Alias::no;
    FileKey key{.device = one->device, .number = one->number, .type = one->type};
    if (!stable) {
        key.number = index_of(ino);
        return encode_key(key, stable);
    }
    At const at = OBLEA_TRY(locate(*one));
    key.birth = OBLEA_TRY(birth_of(at.folder->get(), at.name));
    return encode_key(key, stable);
}

Result<std::optional<InodeNo>> FolderLower::find_origin(std::string_view text) const {
    if (text == kRootKey) {
        return std::optional{InodeNo::root};
    }
    auto const key = parse_key(text);
    if (!key.has_value() || key->device >= layers_->stable_devices() || key->number == 0) {
        return std::optional<InodeNo>{};
    }
    InodeNo known = InodeNo::none;
    {
        std::scoped_lock const lock{records_.mutex};
        InodeRecords::Number const number{key->number, key->device};
        auto const found = records_.by_number.find(number);
        if (found == records_.by_number.end()) {
            // Its name, if it still shows one, was not met yet.
            auto const added = OBLEA_TRY(records_.add());
            added.record->device = key->device;
            added.record->type = key->type;
            added.record->number = key->number;
            records_.by_number.emplace(number, added.ino);
            records_.told_births.emplace(added.ino, key->birth);
            return std::optional{added.ino};
        }
        known = found->second;
    }
    InodeRecord const* const one = OBLEA_TRY(record(known));
    if (one->type != key->type) {
        return std::optional<InodeNo>{};
    }
    if (one->parent.load(std::memory_order_acquire) != 0) {
        At const at = OBLEA_TRY(locate(*one));
        if (OBLEA_TRY(birth_of(at.folder->get(), at.name)) != key->birth) {
            return std::optional<InodeNo>{};  // another file that got the number
        }
    }
    return std::optional{known};
}

}  // namespace

Result<std::shared_ptr<LowerTree const>> folder_lower(std::vector<std::string> const& layers,
                                                      FolderLowerOptions const& options) {
    auto opened = OBLEA_TRY(FolderLayers::open(layers, options.redirects));
    auto tree = std::make_shared<FolderLower>(std::move(opened), options);
    OBLEA_TRY(tree->start());
    return std::shared_ptr<LowerTree const>{std::move(tree)};
}

}  // namespace oblea::fs
