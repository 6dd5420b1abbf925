// SPDX-License-Identifier: MIT
// What is in the folders of a stack: read in all layers, merged, numbered and kept.
#include "fs/lower/folder_lower_impl.h"
#include "store/index/file_mode.h"

#include <dirent.h>
#include <sys/sysmacros.h>

#include <algorithm>

namespace oblea::fs {

using store::type_of_mode;

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
    base::UniqueLock lock{records_.mutex};
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
    numbering_->note({.kind = NumberingLog::Event::Kind::folder, .number = index_of(folder)});
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

}  // namespace oblea::fs
