// SPDX-License-Identifier: MIT
#include "fs/upper/check_upper.h"

#include "fs/lower/follow_redirect.h"
#include "fs/union_fs.h"
#include "fs/upper/map_files.h"
#include "fs/upper/work_texts.h"
#include "store/base/absence.h"
#include "store/base/boot_id.h"
#include "store/base/sys.h"
#include "store/index/file_mode.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace oblea::fs {

namespace {

namespace sys = base::sys;
using base::UniqueFd;
using store::FileType;
using store::InodeNo;

constexpr std::size_t kFormatBytesMax = 4096;

// A file of the layer, or of its work folder, with those of its attributes that are marks.
struct Thing {
    std::string path;
    struct stat info = {};
    std::map<std::string, std::string> marks{};

    [[nodiscard]] FileType type() const { return store::type_of_mode(info.st_mode); }
    [[nodiscard]] bool is_folder() const { return type() == FileType::directory; }
    [[nodiscard]] bool is_file() const { return type() == FileType::regular; }
    [[nodiscard]] std::string const* find(std::string const& mark) const {
        auto const at = marks.find(mark);
        return at == marks.end() ? nullptr : &at->second;
    }
};

struct Folder {
    UniqueFd folder;
    std::string path;
    InodeNo lower = InodeNo::none;  // that shows through it
    enum class Impure { no, yes } impure = Impure::no;
    enum class Listed { no, yes } listed = Listed::no;
    std::vector<std::string> names{};
};

class Checker {
public:
    explicit Checker(UpperCheck const& check)
        : check_(check), names_(check.space), boot_id_(base::boot_id()) {}

    Result<std::vector<UpperFault>> run() {
        OBLEA_TRY(check_root());
        if (check_.work >= 0) {
            check_format();
            check_notes();
            OBLEA_TRY(check_orphans());
            OBLEA_TRY(check_index());
        }
        while (!way_.empty()) {
            OBLEA_TRY(step());
        }
        if (check_.work >= 0) {
            OBLEA_TRY(check_links());
        }
        if (crosses()) {
            OBLEA_TRY(check_places());
            OBLEA_TRY(check_uncounted());
        }
        std::ranges::sort(faults_, {}, &UpperFault::path);
        return std::move(faults_);
    }

private:
    // Whether things are held against each other and the lower tree.
    [[nodiscard]] bool crosses() const {
        return check_.lower != nullptr && check_.mounted == UpperCheck::Mounted::no;
    }
    [[nodiscard]] bool is_sealed() const { return state_ == UpperDir::State::sealed; }

    void fault(std::string path, std::string what) {
        faults_.push_back({std::move(path), std::move(what)});
    }

    // The end of a look at `path`: what went away meanwhile is none of ours.
    void unless_gone(std::string const& path, Error const& error) {
        if (!base::is_absent(error.code)) {
            fault(path, error.message());
        }
    }

    // Nullopt, and a fault unless it is gone: it cannot be looked at.
    std::optional<Thing> look(int folder, std::string const& name, std::string path) {
        Thing thing{.path = std::move(path)};
        auto const looked = read_thing(folder, name, thing);
        if (!looked.has_value()) {
            unless_gone(thing.path, looked.error());
            return std::nullopt;
        }
        return thing;
    }

    Status read_thing(int folder, std::string const& name, Thing& thing) const {
        thing.info = OBLEA_TRY(sys::fstatat(folder, name.c_str()));
        std::string const at = sys::proc_path(folder) + '/' + name;
        for (std::string const& mark : OBLEA_TRY(sys::llistxattr(at))) {
            bool const is_mark =
                mark.starts_with(names_.overlay) && !shown_xattr_name(names_, mark).has_value();
            if (!is_mark) {
                continue;
            }
            if (auto text = OBLEA_TRY(sys::lgetxattr(at, mark.c_str()))) {
                thing.marks.emplace(mark, *std::move(text));
            }
        }
        return {};
    }

    // --- marks ---

    // Each by itself: on what it stands, and what it says.
    InodeMark check_marks(Thing const& thing) {
        InodeMark mark;
        for (auto const& [name, text] : thing.marks) {
            bool sound = true;
            if (name == names_.opaque) {
                sound = thing.is_folder() && (text == "y" || text == "x");
            } else if (name == names_.impure) {
                sound = thing.is_folder() && text == "y";
            } else if (name == names_.whiteout) {
                sound = thing.is_file() && thing.info.st_size == 0;
            } else if (name == names_.partial) {
                sound = thing.is_file() && text == "1";
                mark.contents = InodeMark::Contents::partial;
            } else if (name == names_.redirect) {
                sound = thing.is_folder() && store::RelPath::parse(text).has_value();
            } else if (name == names_.inode) {
                sound = read_inode_mark(thing, text, mark);
            } else if (name == names_.format) {
                sound = thing.path == kRoot;
            } else {
                sound = !name.starts_with(names_.own);
            }
            if (!sound) {
                fault(thing.path, fmt::format("its attribute {} is damaged", name));
            }
        }
        if (mark.contents == InodeMark::Contents::partial && !mark.origin.has_value()) {
            fault(thing.path, "a part of its contents is the image's, and no mark says of which "
                              "file there");
        }
        return mark;
    }

    static bool read_inode_mark(Thing const& thing, std::string const& text, InodeMark& mark) {
        auto const parsed = parse_inode_mark(text);
        if (!parsed.has_value()) {
            return false;
        }
        mark.origin = parsed->origin;
        mark.permissions = parsed->permissions;
        return thing.type() != FileType::symlink || !mark.permissions.has_value();
    }

    // The inode of the lower tree that a mark, or a name in work/index, stands for.
    Result<std::optional<InodeNo>> find_origin(Thing const& thing, std::string const& key) {
        auto const found = OBLEA_TRY(check_.lower->find_origin(key));
        if (!found.has_value()) {
            fault(thing.path, "the image has no such inode as it is marked to be");
            return std::optional<InodeNo>{};
        }
        if (OBLEA_TRY(check_.lower->attr(*found)).type != thing.type()) {
            fault(thing.path, "the inode of the image that it is marked to be is of another kind");
            return std::optional<InodeNo>{};
        }
        auto const [copy, fresh] =
            copies_.try_emplace(*found, Copy{.upper_ino = thing.info.st_ino, .path = thing.path});
        if (!fresh && copy->second.upper_ino != thing.info.st_ino) {
            fault(thing.path,
                  "it is marked to be the same inode of the image as " + copy->second.path);
            return std::optional<InodeNo>{};
        }
        return found;
    }

    // --- the tree ---

    Status check_root() {
        auto const root = look(check_.upper, ".", std::string{kRoot});
        if (!root.has_value()) {
            return {};
        }
        InodeMark const mark = check_marks(*root);
        if (std::string const* const state = root->find(names_.format)) {
            auto const parsed = parse_state(*state);
            if (parsed.has_value()) {
                state_ = *parsed;
            } else {
                fault(root->path, parsed.error().message());
            }
        }
        UniqueFd folder = OBLEA_TRY(sys::openat(check_.upper, ".", O_RDONLY | O_DIRECTORY));
        if (mark.empty() && !OBLEA_TRY(sys::list_dir(folder.get())).empty()) {
            fault(root->path, "it lacks the mark of the image's root, whose owner and permissions "
                              "it may have lost; extended attributes are lost where a copy was "
                              "made without them");
        }
        std::string const* const opaque = root->find(names_.opaque);
        bool const shows_lower = crosses() && (opaque == nullptr || *opaque != "y");
        if (crosses() && mark.origin.has_value()) {
            auto const found = OBLEA_TRY(find_origin(*root, *mark.origin));
            if (found.has_value() && *found != InodeNo::root) {
                fault(root->path, "it is marked to be another folder of the image than its root");
            }
        }
        enter(*root, std::move(folder), shows_lower ? InodeNo::root : InodeNo::none);
        return {};
    }

    void enter(Thing const& thing, UniqueFd folder, InodeNo lower) {
        if (lower != InodeNo::none) {
            covered_.try_emplace(lower);
        }
        way_.push_back({.folder = std::move(folder),
                        .path = thing.path,
                        .lower = lower,
                        .impure = thing.find(names_.impure) != nullptr ? Folder::Impure::yes
                                                                       : Folder::Impure::no});
    }

    Status step() {
        if (check_.cancel != nullptr && *check_.cancel) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        Folder& here = way_.back();
        if (here.listed == Folder::Listed::no) {
            auto entries = sys::list_dir(here.folder.get());
            if (!entries.has_value()) {
                fault(here.path, entries.error().message());
                way_.pop_back();
                return {};
            }
            for (sys::DirEntry& entry : *entries) {
                here.names.push_back(std::move(entry.name));
            }
            here.listed = Folder::Listed::yes;
        }
        if (here.names.empty()) {
            way_.pop_back();
            return {};
        }
        std::string const name = std::move(here.names.back());
        here.names.pop_back();
        return visit(here, name);
    }

    // May make `here` invalid.
    Status visit(Folder const& here, std::string const& name) {
        auto const thing = look(here.folder.get(), name, here.path + '/' + name);
        if (!thing.has_value()) {
            return {};
        }
        std::optional<LowerEntry> below;
        if (here.lower != InodeNo::none) {
            below = OBLEA_TRY(check_.lower->lookup(here.lower, name));
        }
        if (below.has_value()) {
            OBLEA_TRY(cover(here.lower, name, *below));
        }
        if (thing->type() == FileType::char_device && thing->info.st_rdev == 0) {
            return {};  // a whiteout
        }
        InodeMark const mark = check_marks(*thing);
        if (thing->is_folder()) {
            return visit_folder(here, name, *thing, mark, below);
        }
        bool const is_whiteout = thing->is_file() && thing->find(names_.whiteout) != nullptr;
        if (!crosses() || is_whiteout) {
            return {};
        }
        return check_file(here, *thing, mark, below);
    }

    Status cover(InodeNo folder, std::string const& name, LowerEntry const& below) {
        covered_[folder].insert(name);
        if (below.type != FileType::directory &&
            OBLEA_TRY(check_.lower->attr(below.ino)).nlink > 1) {
            counted_.insert(below.ino);
        }
        return {};
    }

    Status check_file(Folder const& here, Thing const& thing, InodeMark const& mark,
                      std::optional<LowerEntry> const& below) {
        if (!mark.origin.has_value()) {
            return {};
        }
        auto const found = OBLEA_TRY(find_origin(thing, *mark.origin));
        if (!found.has_value()) {
            return {};
        }
        auto const anchor = anchors_.find(thing.info.st_ino);
        bool const is_anchored = anchor != anchors_.end();
        if (is_anchored && anchor->second != *found) {
            fault(thing.path, "work/index says that it is another inode of the image than its "
                              "mark does");
        }
        if (!is_anchored && has_index_ && OBLEA_TRY(check_.lower->attr(*found)).nlink > 1) {
            fault(thing.path, "it has several names in the image, and work/index lacks it");
        }
        if (!is_anchored) {
            copies_[*found].place = Copy::Place::by_name;
            if (!below.has_value() && here.impure == Folder::Impure::no) {
                fault(here.path, "it is not marked to hold files of the image that were moved "
                                 "there, and does");
            }
        }
        return mark.contents == InodeMark::Contents::partial
                   ? check_maps(thing, *mark.origin, *found)
                   : Status{};
    }

    Status visit_folder(Folder const& here, std::string const& name, Thing const& thing,
                        InodeMark const& mark, std::optional<LowerEntry> const& below) {
        InodeNo const lower =
            crosses() ? OBLEA_TRY(lower_part(here.lower, thing, mark, below)) : InodeNo::none;
        auto folder =
            sys::openat(here.folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!folder.has_value()) {
            unless_gone(thing.path, folder.error());
            return {};
        }
        enter(thing, *std::move(folder), lower);
        return {};
    }

    // As a mount finds it: by the mark, the redirect, or the name.
    Result<InodeNo> lower_part(InodeNo parent, Thing const& thing, InodeMark const& mark,
                               std::optional<LowerEntry> const& below) {
        std::string const* const opaque = thing.find(names_.opaque);
        bool const shows_lower = opaque == nullptr || *opaque != "y";
        if (mark.origin.has_value()) {
            auto const found = OBLEA_TRY(find_origin(thing, *mark.origin));
            if (found.has_value()) {
                copies_[*found].place = Copy::Place::by_name;
            }
            return shows_lower ? found.value_or(InodeNo::none) : InodeNo::none;
        }
        if (!shows_lower) {
            return InodeNo::none;
        }
        if (std::string const* const redirect = thing.find(names_.redirect)) {
            auto const part = follow_redirect(*check_.lower, parent, *redirect);
            if (!part.has_value() || !part->has_value()) {
                fault(thing.path, "the image has no folder where its redirect leads");
                return InodeNo::none;
            }
            return **part;
        }
        if (below.has_value() && below->type == FileType::directory) {
            fault(thing.path, "it lacks the mark that says whether the image's folder of this "
                              "name shows through it");
            return below->ino;
        }
        return InodeNo::none;
    }

    // --- the work folder ---

    // Of the names in one of its folders; none where that is missing.
    std::vector<std::string> list_work(char const* name, UniqueFd& folder) {
        auto opened = sys::openat(check_.work, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!opened.has_value()) {
            if (opened.error().code != Errno::enoent) {
                fault(fmt::format("work/{}", name), opened.error().message());
            }
            return {};
        }
        folder = *std::move(opened);
        auto entries = sys::list_dir(folder.get());
        if (!entries.has_value()) {
            fault(fmt::format("work/{}", name), entries.error().message());
            return {};
        }
        std::vector<std::string> names;
        for (sys::DirEntry& entry : *entries) {
            names.push_back(std::move(entry.name));
        }
        return names;
    }

    void check_format() {
        auto maps = sys::openat(check_.work, "maps", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (maps.has_value()) {
            maps_ = *std::move(maps);
        } else if (maps.error().code != Errno::enoent) {
            fault("work/maps", maps.error().message());
        }
        auto const text = sys::read_file(check_.work, "format", kFormatBytesMax);
        // The next mount writes one that is missing or lost.
        if (!text.has_value() || is_lost(*text)) {
            if (!text.has_value() && text.error().code != Errno::enoent) {
                fault("work/format", text.error().message());
            }
            return;
        }
        auto const format = parse_format(*text);
        if (!format.has_value()) {
            fault("work/format", format.error().message());
        } else if (maps_.valid() && *format != WorkFormat::with_maps) {
            fault("work/format", "it does not say that there are block maps, and there are");
        }
    }

    void check_notes() {
        UniqueFd tmp;
        for (std::string const& name : list_work("tmp", tmp)) {
            if (!name.ends_with(kNote)) {
                continue;
            }
            auto const text = sys::readlinkat(tmp.get(), name.c_str());
            if (!text.has_value()) {
                unless_gone("work/tmp/" + name, text.error());
                continue;
            }
            auto const note = parse_note(*text);
            if (!note.has_value()) {
                fault("work/tmp/" + name, note.error().message());
            }
        }
    }

    Status check_orphans() {
        UniqueFd orphans;
        for (std::string const& name : list_work("orphans", orphans)) {
            if (auto const thing = look(orphans.get(), name, "work/orphans/" + name)) {
                check_marks(*thing);
            }
        }
        return {};
    }

    Status check_index() {
        UniqueFd index;
        std::vector<std::string> const keys = list_work("index", index);
        has_index_ = index.valid() && !is_sealed();
        for (std::string const& key : keys) {
            auto const thing = look(index.get(), key, "work/index/" + key);
            if (!thing.has_value()) {
                continue;
            }
            InodeMark const mark = check_marks(*thing);
            if (!crosses()) {
                continue;
            }
            auto const found = OBLEA_TRY(find_origin(*thing, key));
            if (!found.has_value()) {
                continue;
            }
            if (mark.origin.has_value() && *mark.origin != key) {
                fault(thing->path, "its mark says that it is another inode of the image than its "
                                   "name does");
            }
            anchors_.emplace(thing->info.st_ino, *found);
            if (mark.contents == InodeMark::Contents::partial) {
                OBLEA_TRY(check_maps(*thing, key, *found));
            }
        }
        return {};
    }

    // Of a file that has a part of its contents from the lower one.
    Status check_maps(Thing const& thing, std::string const& key, InodeNo from) {
        if (!maps_.valid()) {
            fault(thing.path, "a part of its contents is the image's, and work/maps is missing "
                              "that says which");
            return {};
        }
        if (!mapped_.insert(from).second) {
            return {};
        }
        std::uint64_t const size = OBLEA_TRY(check_.lower->attr(from)).size;
        BlockMap map{size, CopyUpBlocks{}.block_bytes};
        auto const found = load_map(maps_.get(), key, boot_id_, map);
        std::string const path = "work/maps/" + key;
        if (!found.has_value()) {
            fault(path, found.error().message());
        }
        if (found.has_value() && *found != MapFound::live) {
            return {};  // what counts was read
        }
        // It counts again once the machine is restarted. Blocks are never given back, and each is
        // in the live form before it is in this one.
        BlockMap synced{size, CopyUpBlocks{}.block_bytes};
        auto const saved = load_synced_map(maps_.get(), key, synced);
        if (!saved.has_value()) {
            fault(path + std::string{kSyncedMapSuffix}, saved.error().message());
        } else if (found.has_value() && *saved == MapFound::synced && !map.covers(synced)) {
            fault(path, "it lacks blocks that had been saved");
        }
        return {};
    }

    // --- names of hard-linked inodes, and of what was copied up ---

    // Whether a name of the lower tree shows: nothing in the upper stands in its place, nor in that
    // of a folder on the way to it.
    Result<bool> shows(LowerName name) const {
        for (;;) {
            auto const part = covered_.find(name.directory);
            if (part != covered_.end()) {
                return !part->second.contains(std::string{name.name});
            }
            if (name.directory == InodeNo::root) {
                return false;  // it is opaque
            }
            auto const above = OBLEA_TRY(check_.lower->names(name.directory));
            if (above.size() != 1) {
                return fail(Errno::euclean, "", "a folder of the image that has not one name");
            }
            name = above.front();
        }
    }

    Result<std::uint32_t> count_shown(InodeNo ino) const {
        std::uint32_t count = 0;
        for (LowerName const& name : OBLEA_TRY(check_.lower->names(ino))) {
            count += OBLEA_TRY(shows(name)) ? 1U : 0U;
        }
        return count;
    }

    Status check_links() {
        UniqueFd links;
        for (std::string const& key : list_work("links", links)) {
            std::string const path = "work/links/" + key;
            auto const text = sys::readlinkat(links.get(), key.c_str());
            if (!text.has_value()) {
                unless_gone(path, text.error());
                continue;
            }
            auto const left = parse_names_left(*text);
            if (!left.has_value()) {
                fault(path, left.error().message());
            }
            if (!crosses()) {
                continue;
            }
            auto const found = OBLEA_TRY(check_.lower->find_origin(key));
            if (!found.has_value()) {
                fault(path, "the image has no such inode");
                continue;
            }
            counted_.erase(*found);
            if (!left.has_value() || left->doubt == Doubt::yes) {
                continue;
            }
            std::uint32_t const shown = OBLEA_TRY(count_shown(*found));
            if (shown != left->count) {
                fault(path, fmt::format("it counts {} names of the image that show, and {} do",
                                        left->count, shown));
            }
        }
        return {};
    }

    // Sealing drops the counts.
    Status check_uncounted() {
        for (InodeNo const ino : counted_) {
            if (has_index_) {
                fault("work/links/" + OBLEA_TRY(check_.lower->origin_key(ino)),
                      "it is missing, and names of that inode are covered");
            }
        }
        return {};
    }

    // A copy is where the inode was, or that name of it was covered when it was moved.
    Status check_places() {
        for (auto const& [ino, copy] : copies_) {
            if (copy.place != Copy::Place::by_name || ino == InodeNo::root) {
                continue;
            }
            auto const names = OBLEA_TRY(check_.lower->names(ino));
            if (names.size() == 1 && OBLEA_TRY(shows(names.front()))) {
                fault(copy.path, "the inode of the image that it is marked to be also shows by "
                                 "its own name");
            }
        }
        return {};
    }

    static constexpr std::string_view kRoot = "upper";

    UpperCheck const& check_;
    MarkNames const names_;
    std::string const boot_id_;
    UpperDir::State state_ = UpperDir::State::unmarked;
    UniqueFd maps_;
    bool has_index_ = false;
    std::vector<UpperFault> faults_;
    std::vector<Folder> way_;

    struct Copy {
        std::uint64_t upper_ino = 0;
        std::string path{};
        enum class Place { unknown, by_name } place = Place::unknown;  // in the tree, or in work/
    };
    std::unordered_map<InodeNo, Copy> copies_;            // by what they were
    std::unordered_map<std::uint64_t, InodeNo> anchors_;  // work/index, by the file's number
    std::unordered_set<InodeNo> mapped_;                  // whose maps were looked at
    std::unordered_set<InodeNo> counted_;                 // whose names must be counted
    std::unordered_map<InodeNo, std::unordered_set<std::string>> covered_;  // by lower folders
};

}  // namespace

Result<std::vector<UpperFault>> check_upper(UpperCheck const& check) {
    return Checker{check}.run();
}

}  // namespace oblea::fs
