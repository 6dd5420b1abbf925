// SPDX-License-Identifier: MIT
#include "fs/plan/merge_listings.h"
#include "fs/plan/name_plans.h"
#include "fs/upper/marks.h"
#include "tests/support/catch.h"
#include "tests/support/tree_builder.h"

using namespace oblea;
using namespace oblea::fs;
using test::value_of;
using Mode = UnionFs::RenameMode;

namespace {

NameState const kNothing{};
NameState const kWhiteout{.upper = InUpper::whiteout, .below = Below::file};
NameState const kWhiteoutFolder{.upper = InUpper::whiteout, .below = Below::folder};
NameState const kLowerFile{.shown = FileType::regular, .below = Below::file};
NameState const kUpperFile{.shown = FileType::regular, .upper = InUpper::entry};
NameState const kCopiedFile{
    .shown = FileType::regular, .upper = InUpper::entry, .below = Below::file};
NameState const kLowerFolder{
    .shown = FileType::directory, .below = Below::folder, .part = NameState::Part::merged};
NameState const kOwnFolder{.shown = FileType::directory, .upper = InUpper::entry};
NameState const kMergedFolder{.shown = FileType::directory,
                              .upper = InUpper::entry,
                              .below = Below::folder,
                              .part = NameState::Part::merged};

template <typename T>
int code(Result<T> const& result) {
    return result.has_value() ? 0 : static_cast<int>(result.error().code);
}

}  // namespace

TEST_CASE("removing a name leaves a whiteout exactly where something is below", "[fs][plan]") {
    using Step = RemovePlan::Step;
    CHECK(value_of(plan_remove(kLowerFile, Removal::file)).step == Step::add_whiteout);
    CHECK(value_of(plan_remove(kUpperFile, Removal::file)).step == Step::take_away);
    CHECK(value_of(plan_remove(kCopiedFile, Removal::file)).step == Step::leave_whiteout);
    CHECK(value_of(plan_remove(kLowerFolder, Removal::folder)).step == Step::add_whiteout);
    CHECK(value_of(plan_remove(kOwnFolder, Removal::folder)).step == Step::take_away);
    CHECK(value_of(plan_remove(kMergedFolder, Removal::folder)).step == Step::leave_whiteout);
    NameState full = kMergedFolder;
    full.contents = NameState::Contents::some;
    CHECK(code(plan_remove(full, Removal::folder)) == ENOTEMPTY);
    CHECK(code(plan_remove(kNothing, Removal::file)) == ENOENT);
    CHECK(code(plan_remove(kWhiteout, Removal::file)) == ENOENT);
    CHECK(code(plan_remove(kOwnFolder, Removal::file)) == EISDIR);
    CHECK(code(plan_remove(kUpperFile, Removal::folder)) == ENOTDIR);
}

TEST_CASE("a new folder hides what its name had below", "[fs][plan]") {
    using Step = AddPlan::Step;
    auto const folder = FileType::directory;
    CHECK(value_of(plan_add(kNothing, folder)).opaque == AddPlan::Opaque::no);
    CHECK(value_of(plan_add(kWhiteoutFolder, folder)).opaque == AddPlan::Opaque::yes);
    CHECK(value_of(plan_add(kWhiteout, folder)).opaque == AddPlan::Opaque::no);
    CHECK(value_of(plan_add(kWhiteout, folder)).step == Step::exchange_whiteout);
    CHECK(value_of(plan_add(kWhiteoutFolder, FileType::regular)).step == Step::replace_whiteout);
    CHECK(value_of(plan_add(kWhiteoutFolder, FileType::regular)).opaque == AddPlan::Opaque::no);
    CHECK(value_of(plan_add(kNothing, FileType::regular)).step == Step::make);
    CHECK(code(plan_add(kLowerFile, FileType::regular)) == EEXIST);
}

TEST_CASE("a rename is one step, marked beforehand", "[fs][plan]") {
    using Step = RenamePlan::Step;
    using Mark = RenamePlan::Mark;
    auto const plan = [](NameState const& source, NameState const& target,
                         Mode mode = Mode::replace) {
        return plan_rename(source, target, mode, SameInode::no);
    };
    CHECK(value_of(plan(kUpperFile, kNothing)).whiteout == LeaveWhiteout::no);
    CHECK(value_of(plan(kCopiedFile, kNothing)).whiteout == LeaveWhiteout::yes);
    CHECK(value_of(plan(kCopiedFile, kLowerFile)).target == RenamePlan::Target::replaced);
    CHECK(value_of(plan(kUpperFile, kWhiteout)).step == Step::move);
    CHECK(value_of(plan(kMergedFolder, kNothing)).source_mark == Mark::redirect);
    CHECK(value_of(plan(kOwnFolder, kNothing)).source_mark == Mark::none);
    CHECK(value_of(plan(kOwnFolder, kWhiteoutFolder)).source_mark == Mark::opaque);
    CHECK(value_of(plan(kOwnFolder, kWhiteoutFolder)).step == Step::exchange_whiteout);
    CHECK(value_of(plan(kOwnFolder, kWhiteoutFolder)).stray == RenamePlan::StrayWhiteout::remove);
    CHECK(value_of(plan(kMergedFolder, kWhiteout)).stray == RenamePlan::StrayWhiteout::keep);
    CHECK(value_of(plan(kOwnFolder, kLowerFolder)).source_mark == Mark::opaque);
    auto const exchange = value_of(plan(kOwnFolder, kMergedFolder, Mode::exchange));
    CHECK(exchange.step == Step::exchange);
    CHECK(exchange.source_mark == Mark::opaque);
    CHECK(exchange.target_mark == Mark::redirect);
    CHECK(value_of(plan_rename(kUpperFile, kUpperFile, Mode::replace, SameInode::yes)).step ==
          Step::nothing);

    NameState full = kMergedFolder;
    full.contents = NameState::Contents::some;
    CHECK(code(plan(kOwnFolder, full)) == ENOTEMPTY);
    CHECK(code(plan(kUpperFile, kOwnFolder)) == EISDIR);
    CHECK(code(plan(kOwnFolder, kUpperFile)) == ENOTDIR);
    CHECK(code(plan(kNothing, kUpperFile)) == ENOENT);
    CHECK(code(plan(kUpperFile, kLowerFile, Mode::no_replace)) == EEXIST);
    CHECK(code(plan(kUpperFile, kNothing, Mode::exchange)) == ENOENT);
}

TEST_CASE("copy-up copies what the change leaves", "[fs][plan]") {
    CHECK(plan_copy_up({.size = 100}).copy_bytes == 100);
    CHECK(plan_copy_up({.size = 100, .keep_bytes = 0}).copy_bytes == 0);
    CHECK(plan_copy_up({.size = 100, .keep_bytes = 200}).copy_bytes == 100);
    CHECK(plan_copy_up({.type = FileType::symlink, .size = 9}).copy_bytes == 0);
    using Contents = CopyUpPlan::Contents;
    constexpr auto kAttributes = CopyUpNeed::Change::attributes;
    CHECK(plan_copy_up({.size = 100}).contents == Contents::whole);
    CHECK(plan_copy_up({.size = 100, .whole_up_to = 99}).contents == Contents::partial);
    CHECK(plan_copy_up({.size = 100, .whole_up_to = 99}).copy_bytes == 0);
    CHECK(plan_copy_up({.size = 100, .keep_bytes = 9, .whole_up_to = 99}).copy_bytes == 9);
    CHECK(plan_copy_up({.size = 100, .change = kAttributes}).contents == Contents::partial);
    CHECK(plan_copy_up({.change = kAttributes}).contents == Contents::whole);
    CHECK(plan_copy_up({.type = FileType::symlink, .size = 9, .change = kAttributes}).contents ==
          Contents::whole);
    CHECK(plan_copy_up({.names = 2}).anchor == CopyUpPlan::Anchor::index);
    CHECK(plan_copy_up({.type = FileType::symlink}).anchor == CopyUpPlan::Anchor::mark);
    CHECK(plan_copy_up({.type = FileType::symlink, .marks = CopyUpNeed::Marks::files_and_folders})
              .anchor == CopyUpPlan::Anchor::index);
}

TEST_CASE("dropping privileges spares setgid without group execution", "[fs][plan]") {
    CHECK(without_privileges(06755) == 0755);
    CHECK(without_privileges(02644) == 02644);
    CHECK(without_privileges(04644) == 0644);
    CHECK(without_privileges(01777) == 01777);
}

TEST_CASE("listings merge at stable keys", "[fs][merge_listings]") {
    std::vector<LowerListed> const lower{{"a", store::InodeNo{2}, FileType::regular},
                                         {"b", store::InodeNo{3}, FileType::regular},
                                         {"c", store::InodeNo{4}, FileType::directory}};
    auto const merged =
        merge_listings(lower, {{.name = "new", .upper_ino = 7},
                               {.name = "b", .upper_ino = 8},
                               {.name = "a", .kind = UpperListed::Kind::whiteout},
                               {.name = "gone", .kind = UpperListed::Kind::whiteout}});
    REQUIRE(merged.size() == 3);
    CHECK(merged[0].name == "b");
    CHECK(merged[0].key == kLowerKeyFirst + 1);
    CHECK(merged[0].source == MergedListed::Source::upper);
    CHECK(merged[0].below == MergedListed::Below::yes);
    CHECK(merged[1].name == "c");
    CHECK(merged[1].key == kLowerKeyFirst + 2);
    CHECK(merged[2].name == "new");
    CHECK(merged[2].key >= kUpperKeyFirst);
    CHECK(merged[2].key < std::uint64_t{1} << 63U);
    // One that comes moves no other.
    auto const more =
        merge_listings(lower, {{.name = "new", .upper_ino = 7}, {.name = "newer", .upper_ino = 9}});
    auto const found = std::ranges::find(more, "new", &MergedListed::name);
    REQUIRE(found != more.end());
    CHECK(found->key == merged[2].key);
}

TEST_CASE("marks survive their text, and nothing else is a mark", "[fs][marks]") {
    for (InodeMark const& mark :
         {InodeMark{}, InodeMark{.origin = "abc.7"}, InodeMark{.permissions = 0444},
          InodeMark{.origin = "abc.7", .permissions = 0}}) {
        CHECK(value_of(parse_inode_mark(encode_inode_mark(mark))) == mark);
    }
    CHECK(code(parse_inode_mark("2 a b")) == EOPNOTSUPP);
    CHECK(code(parse_inode_mark("")) == EOPNOTSUPP);
    CHECK(code(parse_inode_mark("1 a")) == EUCLEAN);
    CHECK(code(parse_inode_mark("1 a 9")) == EUCLEAN);
    CHECK(code(parse_inode_mark("1 a 17777")) == EUCLEAN);
}

TEST_CASE("users' attributes of the overlay's names are kept apart", "[fs][marks]") {
    MarkNames const names{MarkSpace::user};
    CHECK(stored_xattr_name(names, "user.overlay.opaque") == "user.overlay.overlay.opaque");
    CHECK(stored_xattr_name(names, names.inode) == "user.overlay.overlay.oblea.inode");
    CHECK(stored_xattr_name(names, "user.other") == "user.other");
    CHECK(stored_xattr_name(names, "trusted.overlay.opaque") == "trusted.overlay.opaque");
    CHECK(shown_xattr_name(names, "user.overlay.overlay.opaque") == "user.overlay.opaque");
    CHECK(shown_xattr_name(names, "user.overlay.opaque") == std::nullopt);
    CHECK(shown_xattr_name(names, names.inode) == std::nullopt);
    CHECK(shown_xattr_name(names, "user.other") == "user.other");
}
