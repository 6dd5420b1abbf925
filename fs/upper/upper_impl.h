// SPDX-License-Identifier: MIT
// The inside of UpperDir, for the union's own sources: descriptors, rights, and the few changes of
// names that must be atomic.
//
// Everything is addressed by an open folder and a name in it. Thread-safe; which names may change
// at the same time is the union's matter (README.md "Lock order").
//
// The work folder:
// - lock: held with flock while mounted (upper_lock.h)
// - format: "oblea-upper 1 private": the upper may hold what only oblea reads (README.md)
// - tmp/: files on their way into the upper; emptied at mount
// - orphans/: unlinked files that are still open, by inode number; emptied at mount
// - index/: by origin key, copied-up files whose names, or whose kind, cannot tell what they were
// - links/: by origin key, symbolic links whose target is the number of lower names of that inode
//   still visible
// - maps/: by origin key, which blocks of partial files are in the upper (block_map.h); made with
// the
//   first such file, and format says "oblea-upper 2 private" from then on
#pragma once
#include "fs/upper/map_files.h"
#include "fs/upper/marks.h"
#include "fs/upper/upper_dir.h"
#include "store/base/mutex.h"
#include "store/base/scope_exit.h"
#include "store/base/sys.h"

#include <atomic>
#include <optional>
#include <string>
#include <vector>

namespace oblea::fs {

using base::ScopeExit;
using base::UniqueFd;

enum class LeaveWhiteout { no, yes };

struct UpperDir::Impl {
    UniqueFd root, work, lock, tmp, orphans, index, links;
    MarkSpace space = MarkSpace::user;
    MarkNames names{MarkSpace::user};
    enum class WhiteoutStyle { device, xattr } whiteout_style = WhiteoutStyle::device;
    enum class RenameWhiteout { no, yes } rename_whiteout = RenameWhiteout::no;
    // Whether permissions of files bind us too: then owners get more stored than is shown.
    enum class Rights { bound, free } rights = Rights::bound;
    std::uint32_t umask = 0;
    std::uint32_t uid = 0;  // who we are to the file system
    std::uint32_t gid = 0;
    enum class ChangeOwner { no, yes } change_owner = ChangeOwner::no;
    std::atomic<std::uint64_t> temp_counter{0};
    std::atomic<bool> may_have_partial{false};  // work/maps is there
    base::Mutex maps_mutex;
    UniqueFd maps_folder OBLEA_GUARDED_BY(maps_mutex);

    [[nodiscard]] std::string temp_name();

    // Extended attributes of what is at (dir, name), not following links; "." is the folder itself.
    Result<std::optional<std::string>> get_xattr(int dir, std::string const& name,
                                                 std::string const& xattr) const;
    Status set_xattr(int dir, std::string const& name, std::string const& xattr,
                     std::string_view value, int flags = 0) const;
    Status remove_xattr(int dir, std::string const& name, std::string const& xattr) const;
    Result<std::vector<std::string>> list_xattrs(int dir, std::string const& name) const;

    // Takes a folder's access lists away.
    Status drop_acls(int folder) const;

    Result<InodeMark> read_mark(int dir, std::string const& name) const;
    // EPERM where this kind of file cannot have one.
    Status write_mark(int dir, std::string const& name, InodeMark const& mark) const;

    Result<bool> is_whiteout(int dir, std::string const& name, struct stat const& info) const;
    Status make_whiteout(int dir, std::string const& name);

    // Moves (dir, name) to (target_dir, target), replacing what is there, and leaves a whiteout
    // where wanted, in one step. Without RENAME_WHITEOUT it needs two; a mount after a crash
    // between them shows the tree before the first.
    Status move(int dir, std::string const& name, int target_dir, std::string const& target,
                LeaveWhiteout whiteout);

    // work/maps, made when it is missing. The descriptor lives as long as this object.
    Result<int> maps();
    [[nodiscard]] Result<std::vector<std::string>> map_keys();  // origin keys
    Status remove_maps(std::string const& key);
    Status look_for_maps();  // that another process may have made
    // What is left of an unlinked file, its map too unless it has other names.
    Status remove_orphan(std::string const& name);

    Status probe();
    Status open_work(int work_folder);
    Status put_back(std::string const& note);
    Status clean_tmp();  // first puts back what a move had taken away
    Status clean_orphans();
    static Status clean(int folder);  // removes what is in it
};

}  // namespace oblea::fs
