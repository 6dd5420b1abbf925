// SPDX-License-Identifier: MIT
#include "fs/upper/upper_changes.h"

#include "fs/lower/follow_redirect.h"
#include "store/base/absence.h"
#include "store/base/sys.h"

#include <algorithm>

namespace oblea::fs {

namespace {

namespace sys = base::sys;
using base::UniqueFd;
using store::FileType;
using store::InodeNo;
using store::RelPath;

class UpperWalk {
public:
    UpperWalk(MarkNames names, LowerTree const& lower) : names_(std::move(names)), lower_(lower) {}

    Result<std::vector<UpperChange>> run(int upper) {
        UniqueFd root = OBLEA_TRY(sys::openat(upper, ".", O_RDONLY | O_DIRECTORY));
        add(RelPath{}, UpperChange::Kind::on_the_way,
            LowerEntry{.ino = InodeNo::root, .type = FileType::directory});
        // Not by recursion: how deep the layer goes is for its writers to say.
        enter(std::move(root), {}, InodeNo::root);
        while (!levels_.empty()) {
            OBLEA_TRY(step());
        }
        return std::move(changes_);
    }

private:
    struct Level {
        UniqueFd folder;
        RelPath path;
        InodeNo lower = InodeNo::none;
        bool listed = false;
        std::vector<std::string> names;  // sorted backwards: the next one is at the end
    };

    void enter(UniqueFd folder, RelPath path, InodeNo lower) {
        levels_.push_back(
            {.folder = std::move(folder), .path = std::move(path), .lower = lower, .names = {}});
    }

    Status step() {
        Level& level = levels_.back();
        if (!level.listed) {
            for (sys::DirEntry& entry : OBLEA_TRY(sys::list_dir(level.folder.get()))) {
                level.names.push_back(std::move(entry.name));
            }
            std::ranges::sort(level.names, std::greater<>{});
            level.listed = true;
        }
        if (level.names.empty()) {
            levels_.pop_back();
            return {};
        }
        std::string const name = std::move(level.names.back());
        level.names.pop_back();
        return visit(level, name);
    }

    // May make `level` invalid.
    Status visit(Level const& level, std::string const& text) {
        auto const name = OBLEA_TRY(store::Name::parse(text));
        RelPath path = level.path / name;
        auto const info = OBLEA_TRY(sys::stat_if_exists(level.folder.get(), text.c_str()));
        if (!info.has_value()) {
            return {};
        }
        auto const below = OBLEA_TRY(lower_.lookup(level.lower, text));
        if (S_ISDIR(info->st_mode)) {
            return visit_folder(level, text, std::move(path), below);
        }
        if (OBLEA_TRY(is_whiteout(level.folder.get(), text, *info))) {
            if (below.has_value()) {
                add(std::move(path), UpperChange::Kind::gone, below);
            }
            return {};
        }
        add(std::move(path), UpperChange::Kind::file, below);
        return {};
    }

    Status visit_folder(Level const& level, std::string const& name, RelPath path,
                        std::optional<LowerEntry> const& below) {
        auto folder =
            sys::openat(level.folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!folder.has_value() && base::is_absent(folder.error().code)) {
            return {};
        }
        UniqueFd opened = OBLEA_TRY(std::move(folder));
        InodeNo const part = OBLEA_TRY(lower_part(opened.get(), level.lower, below));
        if (below.has_value() && part == below->ino) {
            add(path, UpperChange::Kind::on_the_way, below);
            enter(std::move(opened), std::move(path), part);
        } else {
            add(std::move(path), UpperChange::Kind::tree, below);
        }
        return {};
    }

    // The folder of the lower tree that shows through this one, as a mount finds it.
    Result<InodeNo> lower_part(int folder, InodeNo parent,
                               std::optional<LowerEntry> const& below) const {
        if (OBLEA_TRY(sys::fgetxattr(folder, names_.opaque.c_str())) == "y") {
            return InodeNo::none;
        }
        std::optional<InodeNo> part;
        if (auto const text = OBLEA_TRY(sys::fgetxattr(folder, names_.inode.c_str()))) {
            InodeMark const mark = OBLEA_TRY(parse_inode_mark(*text));
            if (mark.origin.has_value()) {
                part = OBLEA_TRY(lower_.find_origin(*mark.origin));
            }
        }
        if (!part.has_value()) {
            auto const redirect = OBLEA_TRY(sys::fgetxattr(folder, names_.redirect.c_str()));
            if (redirect.has_value()) {
                part = OBLEA_TRY(follow_redirect(lower_, parent, *redirect));
            } else if (below.has_value()) {
                part = below->ino;
            }
        }
        bool const is_folder =
            part.has_value() && OBLEA_TRY(lower_.attr(*part)).type == FileType::directory;
        return is_folder ? *part : InodeNo::none;
    }

    [[nodiscard]] Result<bool> is_whiteout(int folder, std::string const& name,
                                           struct stat const& info) const {
        if (S_ISCHR(info.st_mode)) {
            return info.st_rdev == 0;
        }
        if (!S_ISREG(info.st_mode) || info.st_size != 0) {
            return false;
        }
        auto const mark =
            sys::lgetxattr(sys::proc_path(folder) + '/' + name, names_.whiteout.c_str());
        if (!mark.has_value() && base::is_absent(mark.error().code)) {
            return false;
        }
        return OBLEA_TRY(mark).has_value();
    }

    void add(RelPath path, UpperChange::Kind kind, std::optional<LowerEntry> const& below) {
        UpperChange change{.path = std::move(path), .kind = kind};
        if (below.has_value()) {
            change.below = below->ino;
            change.below_type = below->type;
        }
        changes_.push_back(std::move(change));
    }

    MarkNames names_;
    LowerTree const& lower_;
    std::vector<Level> levels_;
    std::vector<UpperChange> changes_;
};

}  // namespace

Result<MarkSpace> mark_space_of(int work) {
    UniqueFd const file = OBLEA_TRY(sys::openat(work, ".", O_TMPFILE | O_RDWR, 0600));
    bool const trusted = sys::fsetxattr(file.get(), "trusted.oblea.probe", "1").has_value();
    return trusted ? MarkSpace::trusted : MarkSpace::user;
}

Result<std::optional<MarkSpace>> mark_space_seen(int upper) {
    for (MarkSpace const space : {MarkSpace::trusted, MarkSpace::user}) {
        if (OBLEA_TRY(sys::fgetxattr(upper, MarkNames{space}.inode.c_str())).has_value()) {
            return std::optional{space};
        }
    }
    return std::optional<MarkSpace>{};
}

Result<std::vector<UpperChange>> walk_upper(int upper, MarkSpace space, LowerTree const& lower) {
    return UpperWalk{MarkNames{space}, lower}.run(upper);
}

}  // namespace oblea::fs
