// SPDX-License-Identifier: MIT
// What the operations on names do to the upper layer, decided without touching it.
//
// A name is seen in three ways: what the union shows, what the upper has (an entry, a whiteout,
// nothing), and whether the lower part of its folder has it too ("below"). The executors (names.cc,
// rename.cc) carry plans out under the locks of the folders. Pure. Spec: Linux overlayfs.rst
// "whiteouts and opaque directories", "redirect_dir"; POSIX rename(2), unlink(2), rmdir(2).
#pragma once
#include "fs/types.h"
#include "fs/union_fs.h"
#include "fs/upper/upper_impl.h"

#include <optional>

namespace oblea::fs {

enum class InUpper : std::uint8_t { nothing, whiteout, entry };
enum class Below : std::uint8_t { nothing, file, folder };

struct NameState {
    std::optional<FileType> shown{};  // what the union shows; nullopt: no such name
    InUpper upper = InUpper::nothing;
    Below below = Below::nothing;
    enum class Part : std::uint8_t {
        own,
        merged
    } part = Part::own;  // folders: merged with a lower one
    enum class Contents : std::uint8_t { none, some } contents = Contents::none;  // folders
    [[nodiscard]] bool is_folder() const { return shown == FileType::directory; }
};

// --- unlink and rmdir ---

struct RemovePlan {
    // What becomes of the name in the upper folder.
    enum class Step : std::uint8_t {
        add_whiteout,    // the file is in the lower tree alone
        take_away,       // the upper's entry leaves, nothing is below
        leave_whiteout,  // the upper's entry leaves, a whiteout takes its place in the same step
    } step = Step::take_away;
};
enum class Removal : std::uint8_t { file, folder };
// Errors: ENOENT, EISDIR, ENOTDIR, ENOTEMPTY.
Result<RemovePlan> plan_remove(NameState const& name, Removal removal);

// --- new names: create, mkdir, link ---

struct AddPlan {
    enum class Step : std::uint8_t {
        make,               // nothing of that name is in the upper
        replace_whiteout,   // made in work/tmp, then moved over the whiteout
        exchange_whiteout,  // a folder cannot be moved over a whiteout: they change places
    } step = Step::make;
    enum class Opaque : std::uint8_t {
        no,
        yes
    } opaque = Opaque::no;  // else a lower folder would show through
};
// Errors: EEXIST.
Result<AddPlan> plan_add(NameState const& name, FileType type);

// --- rename ---

struct RenamePlan {
    enum class Step : std::uint8_t {
        nothing,            // both names are the same inode
        move,               // over nothing, a whiteout or what the union removes
        exchange,           // RENAME_EXCHANGE
        exchange_whiteout,  // a folder onto a whiteout: they change places
    } step = Step::move;
    LeaveWhiteout whiteout = LeaveWhiteout::no;  // at the old name
    // exchange_whiteout leaves the target's whiteout at the old name: taken away where nothing is
    // below.
    enum class StrayWhiteout : std::uint8_t { keep, remove } stray = StrayWhiteout::keep;
    // Before the step. A folder that moves keeps its lower part by a redirect; one without must not
    // get that of its new name.
    enum class Mark : std::uint8_t { none, opaque, redirect };
    Mark source_mark = Mark::none;
    Mark target_mark = Mark::none;  // exchange
    enum class Target : std::uint8_t { none, replaced } target = Target::none;
};
enum class SameInode : std::uint8_t { no, yes };
// Errors: ENOENT, EEXIST (no_replace), EISDIR, ENOTDIR, ENOTEMPTY.
Result<RenamePlan> plan_rename(NameState const& source, NameState const& target,
                               UnionFs::RenameMode mode, SameInode same);

// --- copy-up ---

struct CopyUpNeed {
    FileType type = FileType::regular;
    std::uint64_t size = 0;
    std::uint32_t names = 1;  // of the inode in the lower tree
    std::uint64_t keep_bytes =
        ~std::uint64_t{0};  // what the change that follows leaves of the contents
    enum class Marks : std::uint8_t {
        all,
        files_and_folders
    } marks = Marks::all;  // which kinds can have marks
    // What the change is about; writes, truncation and the like are about contents.
    enum class Change : std::uint8_t { attributes, contents } change = Change::contents;
    std::uint64_t whole_up_to = ~std::uint64_t{0};  // larger files are copied by blocks
};
struct CopyUpPlan {
    // Partial: the copy begins without contents (file_state.h).
    enum class Contents : std::uint8_t { whole, partial } contents = Contents::whole;
    std::uint64_t copy_bytes = 0;  // of whole ones
    // Where its origin is told: by a mark on the file, or by its name in work/index, which also
    // joins further names.
    enum class Anchor : std::uint8_t { mark, index } anchor = Anchor::mark;
};
[[nodiscard]] CopyUpPlan plan_copy_up(CopyUpNeed const& need);

// The permissions that are stored for those shown, where permissions bind the server too: its owner
// must be able to reach what lies inside. Others are stored as they are.
[[nodiscard]] std::uint32_t stored_permissions(FileType type, std::uint32_t shown);

// The permissions that are stored where the shown ones are recorded beside the file: the server
// must reach it, and nobody may gain by it.
[[nodiscard]] std::uint32_t recorded_permissions(FileType type, std::uint32_t shown);

// What is left of permissions when privileges are dropped. SPEC: POSIX chown(2), write(2); chmod of
// setgid without group execution means mandatory locking and stays.
[[nodiscard]] std::uint32_t without_privileges(std::uint32_t permissions);

}  // namespace oblea::fs
