// SPDX-License-Identifier: MIT
// The inside of UnionFs: what its sources share. README.md "Module map" says which part is where,
// and "Lock order".
#pragma once
#include "fs/fd_cache.h"
#include "fs/lock_stripes.h"
#include "fs/lower/lower_tree.h"
#include "fs/lower_counts.h"
#include "fs/node_table.h"
#include "fs/partial_files.h"
#include "fs/plan/merge_listings.h"
#include "fs/plan/name_plans.h"
#include "fs/union_fs.h"
#include "fs/upper/upper_impl.h"
#include "fs/upper/work_texts.h"
#include "store/base/mutex.h"
#include "store/index/file_mode.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>

namespace oblea::fs {

namespace sys = base::sys;
using store::InodeNo;
using store::type_of_mode;

// Keeps a node in the table while an operation works with it.
class Pin {
public:
    Pin() = default;
    Pin(UnionFs::Impl& fs, Ino ino) : fs_(&fs), ino_(ino) {}  // one pin was counted already
    Pin(Pin&& other) noexcept : fs_(std::exchange(other.fs_, nullptr)), ino_(other.ino_) {}
    Pin& operator=(Pin&& other) noexcept {
        std::swap(fs_, other.fs_);
        std::swap(ino_, other.ino_);
        return *this;
    }
    Pin(Pin const&) = delete;
    Pin& operator=(Pin const&) = delete;
    ~Pin();

private:
    UnionFs::Impl* fs_ = nullptr;
    Ino ino_ = Ino::root;
};

// What a name leads to.
struct Child {
    Ino ino = Ino::root;
    FileType type = FileType::regular;
    InUpper where = InUpper::nothing;  // entry, or nothing: the name is the lower tree's
    std::uint64_t upper_names = 0;     // links of the upper's file, where it is an entry
    Pin pin{};
};

// What there is under a name; without a child, whether a whiteout stands there.
struct Sight {
    std::optional<Child> child{};
    InUpper upper = InUpper::nothing;
};

// A folder as an operation finds it.
struct FolderView {
    Ino ino = Ino::root;
    Linkage linkage = Linkage::linked;
    bool has_upper = false;
    InodeNo lower = InodeNo::none;
    Node::Impure impure = Node::Impure::no;
};

// A file of the upper by the folder that it is in and its name there; the root is "." in itself.
struct Located {
    SharedFd folder{};
    std::string name{};
};

struct Listing {
    std::vector<MergedListed> entries;
};

// What an upper entry is, before it has a node.
struct Identity {
    Ino ino = Ino::root;
    InodeNo lower = InodeNo::none;  // folders and partial files: as Node has it
    InodeMark mark{};
    Node::Impure impure = Node::Impure::no;
};

// What a copy-up is for.
struct ChangeAhead {
    CopyUpNeed::Change what = CopyUpNeed::Change::attributes;
    std::uint64_t keep_bytes = ~std::uint64_t{0};  // what it leaves of the contents
};
inline constexpr ChangeAhead kContents{.what = CopyUpNeed::Change::contents};

// Of a file of the upper that has this mark.
[[nodiscard]] constexpr FileState marked_state(InodeMark const& mark) {
    return mark.contents == InodeMark::Contents::partial ? FileState::partial : FileState::upper;
}

struct UnionFs::Impl {
    Impl(std::shared_ptr<LowerTree const> lower_tree, std::unique_ptr<UpperDir> upper_dir,
         UnionOptions union_options);
    Status start(std::optional<MemoryDescriptors> memory);
    Status load_upper();  // what the upper says of the root, of anchors and of link counts

    // --- resume.cc: taking over from a process that served and died ---
    using Known = std::unordered_map<std::uint64_t, Ledger::Known>;
    Status resume();
    Status resume_orphans(Known const& known);
    Status resume_tree(std::vector<Ino>& covered);
    Status resume_folder(Ino folder, std::vector<Ino>& covered, std::vector<Child>& subfolders);
    void resume_unlinked(Ino ino);

    // --- resolve.cc: from numbers and names to places ---
    [[nodiscard]] UpperDir::Impl& up() const { return upper->impl(); }
    [[nodiscard]] Status need_upper() const;  // EROFS for a read-only union
    // ENOTDIR when it is no folder, ESTALE for a number that nobody was given.
    Result<FolderView> view(Ino folder) const;
    // With the folder's lock held, shared at least, where it has an upper part: what is found there
    // gets its node, and the thread that makes or moves it must have come to its end before.
    Result<Sight> look(FolderView const& folder, std::string const& name);
    Result<std::optional<Child>> find_child(FolderView const& folder, std::string const& name);
    // The same, taking the lock itself and letting it go again: what is seen may change at once.
    struct Peeked {
        FolderView folder{};
        std::optional<Child> child{};
        InUpper upper = InUpper::nothing;  // as Sight has it
    };
    Result<Peeked> peek(Ino folder, std::string const& name);
    Result<Identity> identify(FolderView const& folder, int dir, std::string const& name,
                              FileType type, std::uint64_t upper_ino);
    Result<Child> load(FolderView const& folder, int dir, std::string const& name,
                       struct stat const& info);
    // Of a name as it was seen: the child, or what stands there without one.
    Result<NameState> state_of(FolderView const& folder, std::string const& name,
                               std::optional<Child> const& child, InUpper upper) const;
    Result<SharedFd> folder_fd(Ino folder);
    Result<SharedFd> file_fd(Ino file);  // open for reading and writing
    Result<Located> locate(Node const& node);
    // The upper's own attributes of a node; follows it if it is renamed meanwhile.
    Result<struct stat> stat_node(Ino ino, Node& node);
    Pin pin(Ino ino);
    void grant(Ino ino);
    void collect(Ino ino);  // drops the node, and what follows from that, if nobody needs it
    Result<FileType> type_of(Ino ino) const;

    // --- attributes.cc ---
    [[nodiscard]] std::uint64_t shown_number(Ino ino) const;  // st_ino
    Result<Attr> attr_of(Ino ino);
    Result<Attr> lower_attr(InodeNo ino) const;
    Attr upper_attr(Node const& node, struct stat const& info) const;
    Result<std::uint32_t> folder_nlink(Ino folder);
    void show_owner(Attr& attr) const;
    Status check_owner_change(AttrChange const& change) const;
    struct StoredOwner {  // nullopt: as it comes
        std::optional<std::uint32_t> uid{}, gid{};
    };
    // EINVAL for an id that has no place in the map of owners.
    Result<StoredOwner> stored_owner(std::optional<std::uint32_t> uid,
                                     std::optional<std::uint32_t> gid) const;
    // Whether owner and mode of such files are recorded, not set.
    [[nodiscard]] bool records(FileType type) const;
    Status write_record(int dir, std::string const& name, RecordedOwner const& owner,
                        std::uint32_t permissions) const;
    // What the upper says of a file beyond stat.
    Result<InodeMark> mark_of(int dir, std::string const& name, FileType type) const;
    Status give_owner(int dir, std::string const& name, StoredOwner const& owner) const;
    Status apply_attrs(Node const& node, AttrChange const& change);
    Status set_permissions(Node const& node, Located const& at, std::uint32_t shown);
    Status change_attrs(Ino ino, AttrChange const& change);
    Status drop_privileges(Ino ino);
    Result<Entry> grant_entry(Ino ino);

    // --- copy_up.cc ---
    Status ensure_upper(Ino ino, ChangeAhead const& change);
    Status ensure_upper_folder(Ino folder);
    // Whether names in it can change without a copy-up before, which a failure must not leave.
    [[nodiscard]] bool takes_changes(Ino folder) const;
    Status copy_up_folder(Ino parent, std::string const& name, InodeNo ino);
    Status copy_up_file(Ino ino, ChangeAhead const& change);
    Status fill_copy(InodeNo ino, store::InodeAttr const& attr, CopyUpPlan const& plan,
                     std::string const& temp, InodeMark const& mark);
    // Bytes [from, to) of the lower file, but its holes.
    // `mapping` takes longer and leaves set-user-id and capabilities (write_mapped.h).
    enum class CopyBy { writing, mapping };
    Status copy_data(InodeNo ino, int target, std::uint64_t from, std::uint64_t to, CopyBy how);
    Status copy_attributes(InodeNo ino, store::InodeAttr const& attr, int dir,
                           std::string const& name, InodeMark const& mark);
    struct Copy {  // a finished copy that has no name in the tree yet
        Ino ino = Ino::root;
        std::string temp{};
        std::string key{};
        std::uint64_t upper_ino = 0;
        std::optional<std::uint32_t> permissions{};
        std::optional<RecordedOwner> owner{};
        CopyUpPlan::Contents contents = CopyUpPlan::Contents::whole;
    };
    Status publish_copy(Copy const& copy, CopyUpPlan const& plan);
    Status publish_entry(Copy const& copy);
    Status publish_orphan(Copy const& copy);
    void settle_copy(Copy const& copy, Place place, Ino parent, std::string name);
    void link_lower_names(Ino ino);
    Status link_lower_name(Ino ino, LowerName const& name);
    Status touch_root();
    // Stays what it is as long as the answer is kept.
    Result<std::optional<Child>> reach_folder(InodeNo folder);
    [[nodiscard]] InodeMark mark_for(store::InodeAttr const& attr, std::string key) const;

    // --- link_counts.cc: names of hard-linked inodes of the image ---
    Result<std::uint32_t> lower_names_left(InodeNo ino);
    [[nodiscard]] Result<bool> counts_names(Ino ino) const;
    // Around the step by which one of its names no longer shows from below: before it, and after
    // it, or after its failure. No effect on inodes whose names are not counted.
    Status before_covering(Ino ino);
    Status cover_lower_name(Ino ino);
    void covered_nothing(Ino ino);
    Status write_names_left(InodeNo ino, std::uint32_t left, Doubt doubt);
    struct Parts {  // the folders of the image that have an upper part, wherever that lies now
        std::unordered_map<std::uint32_t, Ino> by_lower{};
        std::vector<Pin> pins{};
    };
    Status find_parts(FolderView const& folder, Parts& parts);
    Result<bool> shows_from_below(Parts const& parts, LowerName const& name);
    Status count_names_anew(std::vector<InodeNo> const& inodes);
    Status load_anchors();
    Status load_links();

    // --- names.cc ---
    // A new inode, of which the caller holds one lookup.
    Result<Ino> make_node(Ino parent, Name const& name, NewNode const& node, Caller const& caller);
    Result<Ino> add_node(FolderView const& folder, std::string const& name, InUpper upper,
                         NewNode const& node, Caller const& caller);
    struct NewAttrs {  // of a new inode, as they are stored
        std::uint32_t permissions = 0;
        StoredOwner owner{};
        InodeMark mark{};
        std::optional<std::string> access_acl{}, default_acl{};
    };
    struct Parent {  // what a new inode gets from its folder
        std::uint32_t permissions = 0;
        std::uint32_t gid = 0;
        std::optional<std::string> default_acl{};
    };
    Result<NewAttrs> new_attrs(NewNode const& node, Parent const& parent,
                               Caller const& caller) const;
    // Of a folder of the upper; nullopt where it has none.
    Result<std::optional<std::string>> default_acl(int folder) const;
    // Regular files stay open.
    Result<UniqueFd> create_at(int dir, std::string const& name, NewNode const& node,
                               std::uint32_t permissions) const;
    Status build_node(std::string const& temp, NewNode const& node, NewAttrs const& attrs,
                      AddPlan::Opaque opaque);
    Status install(std::string const& temp, int dir, std::string const& name, AddPlan const& plan);
    Status drop_name(int dir, std::string const& name, LeaveWhiteout whiteout);
    Status remove(Ino parent, Name const& name, Removal removal);
    Status remove_locked(FolderView const& folder, std::string const& name, Child const& child,
                         RemovePlan const& plan);
    Status take_file_away(FolderView const& folder, std::string const& name, Child const& child,
                          LeaveWhiteout whiteout);
    Status take_folder_away(FolderView const& folder, std::string const& name, Child const& child,
                            LeaveWhiteout whiteout);
    // A name of an inode that has nothing in the upper under it is covered.
    Status lose_lower_name(Ino ino, FileType type);
    void finish_anchored(Ino ino);
    Result<bool> is_empty(Ino folder);
    void count_subfolder(Ino folder, int change);
    Status mark_impure(Ino folder, Ino child);
    Status add_link(Node const& node, FolderView const& folder, std::string const& name,
                    InUpper upper);

    // --- rename.cc ---
    struct RenameEnds {
        FolderView from{}, to{};
        std::string name{}, new_name{};
        std::optional<Child> source{}, target{};
        InUpper at_target = InUpper::nothing;  // without a target: as Sight has it
    };
    Status peek_ends(RenameEnds& ends, Ino parent, Ino new_parent);
    Status find_ends(RenameEnds& ends, Ino parent, Ino new_parent);  // with the folders' locks held
    Result<RenamePlan> plan_for(RenameEnds const& ends, RenameMode mode);
    // Carries it out if all that it needs is in the upper already; false: it is not.
    Result<bool> rename_at_once(Ino parent, Name const& name, Ino new_parent, Name const& new_name,
                                RenameMode mode);
    Status rename_locked(RenameEnds& ends, RenameMode mode);
    Status carry_out(RenameEnds const& ends, RenamePlan const& plan);
    void record(RenameEnds const& ends, RenamePlan const& plan);
    Status mark_moving(Ino folder, RenamePlan::Mark mark);
    Result<std::string> lower_path(InodeNo folder) const;
    Status save_replaced(RenameEnds const& ends);
    Status forget_replaced(RenameEnds const& ends);
    void undo_saved(RenameEnds const& ends);
    Status clear_folder(Ino folder);
    void move_place(Ino ino, Ino from, std::string const& name, Ino to,
                    std::string const& new_name);
    Status materialize(FolderView const& folder, std::string const& name, Child& child);

    // --- folders.cc ---
    Result<Listing> list_folder(Ino folder);
    Result<Ino> listed_ino(FolderView const& folder, SharedFd const& fd, MergedListed const& entry);
    Result<std::shared_ptr<Listing const>> listing_for(Ino folder, Handle handle,
                                                       std::uint64_t position);
    Result<Ino> parent_of(Ino folder) const;
    using Visitor = std::function<Result<bool>(MergedListed const&, DirSlot&)>;
    Status visit(Ino folder, Handle handle, std::uint64_t position, Visitor const& visitor);

    // --- xattrs.cc ---
    Result<std::vector<std::string>> list_xattrs(Ino ino);
    Result<std::optional<std::string>> xattr_of(Ino ino, std::string_view name);  // as stored
    Status change_xattr(Ino ino, std::function<Status(Node const&, Located const&)> const& change);
    Status set_access_list(Node const& node, Located const& at, std::string_view list, int flags);

    // --- contents.cc ---
    void add_open(Ino ino);
    void end_open(Ino ino);
    // What a write at `offset` wants of a file that is not in the upper yet.
    Result<ChangeAhead> write_ahead(Ino ino, std::uint64_t offset) const;
    // What is in the upper; both want a copy-up before.
    Result<std::size_t> write_contents(Ino ino, base::ByteView data, std::uint64_t offset);
    Status truncate(PartialFile& part, int file, std::uint64_t size) OBLEA_REQUIRES(part.mutex);

    // --- partial.cc: files of which the upper has the attributes and some blocks ---
    // Null: the file is whole, or in the lower tree alone. EIO when the image is not the one that
    // has the rest of the file.
    Result<SharedPartial> partial_of(Ino ino);
    Result<SharedPartial> load_partial(Node const& node);
    Status copy_missing(PartialFile& part, int file, std::uint64_t from, std::uint64_t to,
                        CopyBy how = CopyBy::writing) OBLEA_REQUIRES(part.mutex);
    Status save_blocks(PartialFile& part, BlockMap::Blocks added) OBLEA_REQUIRES(part.mutex);
    Status save_cut(PartialFile& part) OBLEA_REQUIRES(part.mutex);
    Status make_whole(Ino ino, PartialFile& part, int file, CopyBy how = CopyBy::writing)
        OBLEA_REQUIRES(part.mutex);
    // Carries `change` out, which gives new contents to bytes [from, to), with all that it needs
    // around them.
    Status change_contents(Ino ino, PartialFile& part, int file, std::uint64_t from,
                           std::uint64_t to, std::function<Status()> const& change);
    Result<ReadResult> read_partial(PartialFile const& part, int file, base::MutableBytes buffer,
                                    std::uint64_t offset);
    Result<std::uint64_t> seek_partial(PartialFile const& part, int file, std::uint64_t offset,
                                       LowerTree::Seek what);
    Status sync_partial(Ino ino, PartialFile& part, int file);
    void finish_if_empty(Ino ino);

    // --- complete.cc: making them whole ---
    enum class Pace { at_once, in_background };
    Status complete(Ino ino, Pace pace);
    Status copy_by_steps(Ino ino, PartialFile& part, int file, Pace pace);
    Status complete_folder(Ino folder);
    Status complete_everything();
    [[nodiscard]] Result<bool> is_wanted_whole(PartialFile const& part, int file) const;
    // Keeps a changed file in mind, and its node, until it is on the disk and, where wanted, whole.
    void note_change(Ino ino);
    void drop_if_gone(Ino ino);
    Status sync_changed();
    Status settle(Ino ino);
    Result<Pin> find_file(InodeNo from);
    Status find_unfinished();
    void work_in_background();
    void start_background();
    void stop_background();

    std::shared_ptr<LowerTree const> lower;
    std::unique_ptr<UpperDir> upper;
    UnionOptions options;
    SharedFd root_fd;  // the upper folder
    LowerCounts counts;
    Ledger ledger;
    NodeTable nodes{counts, ledger};
    FdCache folders;
    FdCache files;
    PartialFiles partials;
    FolderLocks folder_locks;
    InodeLocks inode_locks;

    // Descriptors of what has no name any more (Place::held).
    struct Held {
        base::Mutex mutex;
        std::unordered_map<std::uint64_t, SharedFd> fds OBLEA_GUARDED_BY(mutex);
    } held;

    // Inodes of the image that are in work/index, by the upper file's own number.
    struct Anchors {
        base::Mutex mutex;
        std::unordered_map<std::uint64_t, Ino> by_upper_ino OBLEA_GUARDED_BY(mutex);
    } anchors;

    // Hard-linked inodes of the image that lost names: how many still show. The file in work/links
    // says the same.
    struct LinkCounts {
        base::Mutex mutex;
        std::unordered_map<std::uint64_t, std::uint32_t> left OBLEA_GUARDED_BY(mutex);
    } link_counts;

    // Partial files that were changed and are still to be settled.
    struct Unsettled {
        struct One {
            Pin pin{};
            std::chrono::steady_clock::time_point first{}, last{};
        };
        base::Mutex mutex;
        std::condition_variable more;   // files, or the end
        std::condition_variable ended;  // stop
        std::unordered_map<std::uint64_t, One> files OBLEA_GUARDED_BY(mutex);
        bool stop OBLEA_GUARDED_BY(mutex) = false;
    } unsettled;
    std::thread background;
    std::jthread warming;

    std::atomic<std::uint64_t> copied{0};
    std::function<void(std::uint64_t)> copy_listener;

    struct FolderHandles {
        base::Mutex mutex;
        std::unordered_map<std::uint64_t, std::shared_ptr<Listing const>>
            open OBLEA_GUARDED_BY(mutex);
        std::uint64_t next OBLEA_GUARDED_BY(mutex) = 1;
    } handles;
};

// Runs `change`, which gives the folder an entry that the union showed before, and puts the
// folder's times back: to its readers nothing has changed. Under the folder's lock.
template <typename F>
Status keeping_times(int folder, F&& change) {
    struct stat const before = OBLEA_TRY(sys::fstat(folder));
    OBLEA_TRY(std::forward<F>(change)());
    struct timespec const times[2] = {before.st_atim, before.st_mtim};
    // The entry is there: a newer time of its folder is no reason to say that it is not.
    static_cast<void>(sys::utimensat(folder, ".", times));
    return {};
}

// Runs `copy`, which gives the file bytes that it was shown with before, and puts its times back. A
// kill between the two leaves the newer time.
template <typename F>
Status keeping_file_times(int file, F&& copy) {
    struct stat const before = OBLEA_TRY(sys::fstat(file));
    OBLEA_TRY(std::forward<F>(copy)());
    struct timespec const times[2] = {before.st_atim, before.st_mtim};
    return sys::utimensat(AT_FDCWD, sys::proc_path(file).c_str(), times, 0);
}

}  // namespace oblea::fs
