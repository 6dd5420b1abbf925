// SPDX-License-Identifier: MIT
#include "fs/plan/name_plans.h"

#include <algorithm>

namespace oblea::fs {

Result<RemovePlan> plan_remove(NameState const& name, Removal removal) {
    if (!name.shown.has_value()) {
        return fail(Errno::enoent, "remove");
    }
    if (removal == Removal::file && name.is_folder()) {
        return fail(Errno::eisdir, "unlink");
    }
    if (removal == Removal::folder && !name.is_folder()) {
        return fail(Errno::enotdir, "rmdir");
    }
    if (removal == Removal::folder && name.contents == NameState::Contents::some) {
        return fail(Errno::enotempty, "rmdir");
    }
    if (name.upper != InUpper::entry) {
        return RemovePlan{RemovePlan::Step::add_whiteout};
    }
    return RemovePlan{name.below == Below::nothing ? RemovePlan::Step::take_away
                                                   : RemovePlan::Step::leave_whiteout};
}

Result<AddPlan> plan_add(NameState const& name, FileType type) {
    if (name.shown.has_value()) {
        return fail(Errno::eexist, "create");
    }
    AddPlan plan;
    bool const folder = type == FileType::directory;
    if (name.upper == InUpper::whiteout) {
        plan.step = folder ? AddPlan::Step::exchange_whiteout : AddPlan::Step::replace_whiteout;
    }
    if (folder && name.below == Below::folder) {
        plan.opaque = AddPlan::Opaque::yes;
    }
    return plan;
}

namespace {

RenamePlan::Mark mark_for(NameState const& moving, NameState const& onto) {
    if (!moving.is_folder()) {
        return RenamePlan::Mark::none;
    }
    if (moving.part == NameState::Part::merged) {
        return RenamePlan::Mark::redirect;
    }
    return onto.below == Below::folder ? RenamePlan::Mark::opaque : RenamePlan::Mark::none;
}

Status check_replacement(NameState const& source, NameState const& target) {
    if (source.is_folder() && !target.is_folder()) {
        return fail(Errno::enotdir, "rename");
    }
    if (!source.is_folder() && target.is_folder()) {
        return fail(Errno::eisdir, "rename");
    }
    if (target.contents == NameState::Contents::some) {
        return fail(Errno::enotempty, "rename");
    }
    return {};
}

}  // namespace

Result<RenamePlan> plan_rename(NameState const& source, NameState const& target,
                               UnionFs::RenameMode mode, SameInode same) {
    using Mode = UnionFs::RenameMode;
    if (!source.shown.has_value() || (mode == Mode::exchange && !target.shown.has_value())) {
        return fail(Errno::enoent, "rename");
    }
    if (mode == Mode::no_replace && target.shown.has_value()) {
        return fail(Errno::eexist, "rename");
    }
    RenamePlan plan;
    if (same == SameInode::yes) {
        plan.step = RenamePlan::Step::nothing;
        return plan;
    }
    plan.source_mark = mark_for(source, target);
    if (mode == Mode::exchange) {
        plan.step = RenamePlan::Step::exchange;
        plan.target_mark = mark_for(target, source);
        return plan;
    }
    if (target.shown.has_value()) {
        OBLEA_TRY(check_replacement(source, target));
        plan.target = RenamePlan::Target::replaced;
    }
    bool const below = source.below != Below::nothing;
    if (source.is_folder() && target.upper == InUpper::whiteout) {
        plan.step = RenamePlan::Step::exchange_whiteout;
        plan.stray = below ? RenamePlan::StrayWhiteout::keep : RenamePlan::StrayWhiteout::remove;
        return plan;
    }
    plan.whiteout = below ? LeaveWhiteout::yes : LeaveWhiteout::no;
    return plan;
}

CopyUpPlan plan_copy_up(CopyUpNeed const& need) {
    CopyUpPlan plan;
    if (need.type == FileType::regular) {
        std::uint64_t const kept = std::min(need.size, need.keep_bytes);
        bool const partial =
            kept > 0 && (need.change == CopyUpNeed::Change::attributes || kept > need.whole_up_to);
        plan.contents = partial ? CopyUpPlan::Contents::partial : CopyUpPlan::Contents::whole;
        plan.copy_bytes = partial ? 0 : kept;
    }
    bool const can_be_marked =
        need.marks == CopyUpNeed::Marks::all || need.type == FileType::regular;
    if (need.names > 1 || !can_be_marked) {
        plan.anchor = CopyUpPlan::Anchor::index;
    }
    return plan;
}

std::uint32_t stored_permissions(FileType type, std::uint32_t shown) {
    switch (type) {
    case FileType::directory:
        return shown | 0700U;
    case FileType::regular:
        return shown | 0600U;
    default:
        return shown;
    }
}

std::uint32_t recorded_permissions(FileType type, std::uint32_t shown) {
    return (shown & 0777U) | (type == FileType::directory ? 0700U : 0600U);
}

std::uint32_t without_privileges(std::uint32_t permissions) {
    permissions &= ~04000U;
    if ((permissions & 0010U) != 0) {
        permissions &= ~02000U;
    }
    return permissions;
}

}  // namespace oblea::fs
