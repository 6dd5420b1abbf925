// SPDX-License-Identifier: MIT
#include "fs/lower/folder_lower.h"

#include "fs/lower/folder_lower_impl.h"

#include <fmt/format.h>

#include <algorithm>

namespace oblea::fs {
namespace {

std::string joined(std::string_view folder, std::string_view name) {
    if (folder.empty() || name.empty()) {
        return std::string{folder.empty() ? name : folder};
    }
    return fmt::format("{}/{}", folder, name);
}

}  // namespace

Status FolderLower::start() {
    base::LockGuard const lock{records_.mutex};
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
    base::LockGuard const lock{records_.mutex};
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

Status FolderLower::resume() const {
    using Event = NumberingLog::Event;
    while (auto const event = numbering_->unseen()) {
        switch (event->kind) {
        case Event::Kind::folder:
            OBLEA_TRY(loaded(InodeNo{static_cast<std::uint32_t>(event->number)}));
            break;
        case Event::Kind::origin: {
            base::LockGuard const lock{records_.mutex};
            OBLEA_TRY(number_origin({.device = event->device,
                                     .number = event->number,
                                     .birth = event->birth,
                                     .type = event->type}));
            break;
        }
        case Event::Kind::file_system:
            static_cast<void>(layers_->device(event->number));
            break;
        }
        if (numbering_->unseen() == event) {
            return fail(Errno::estale, "lower", "a lower folder was changed");
        }
    }
    return numbering_->is_same();
}

FolderStack::Descriptors FolderLower::descriptors() const {
    Descriptors all{.numbering = numbering_->memory().descriptor()};
    for (std::uint16_t layer = 0; layer < layers_->count(); ++layer) {
        all.roots.push_back(layers_->root(layer)->get());
    }
    return all;
}

Result<std::shared_ptr<FolderStack const>>
FolderLower::make(std::unique_ptr<NumberingLog> numbering, std::unique_ptr<FolderLayers> layers,
                  FolderLowerOptions const& options) {
    auto tree = std::make_shared<FolderLower>(std::move(numbering), std::move(layers), options);
    OBLEA_TRY(tree->start());
    return std::shared_ptr<FolderStack const>{std::move(tree)};
}

Result<std::shared_ptr<FolderStack const>> folder_lower(std::vector<std::string> const& layers,
                                                        FolderLowerOptions const& options) {
    auto numbering = std::make_unique<NumberingLog>(OBLEA_TRY(NumberingLog::make()));
    auto opened = OBLEA_TRY(FolderLayers::open(layers, options.redirects, *numbering));
    return FolderLower::make(std::move(numbering), std::move(opened), options);
}

Result<std::shared_ptr<FolderStack const>> adopt_folder_lower(FolderStackMemory memory,
                                                              FolderLowerOptions const& options) {
    auto numbering =
        std::make_unique<NumberingLog>(OBLEA_TRY(NumberingLog::adopt(std::move(memory.numbering))));
    auto adopted =
        OBLEA_TRY(FolderLayers::adopt(std::move(memory.roots), options.redirects, *numbering));
    return FolderLower::make(std::move(numbering), std::move(adopted), options);
}

}  // namespace oblea::fs
