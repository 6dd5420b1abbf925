// SPDX-License-Identifier: MIT
#include "fs/union_fs.h"

#include "fs/union_impl.h"
#include "fs/upper/upper_lock.h"

#include <sys/resource.h>

#include <algorithm>

namespace oblea::fs {

namespace {

// Descriptors that each of the two caches may hold: a quarter of what the process may have.
std::size_t cache_capacity() {
    struct rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 64;
    }
    return static_cast<std::size_t>(std::clamp<rlim_t>(limit.rlim_cur / 4, 16, 4096));
}

}  // namespace

UnionFs::Impl::Impl(std::shared_ptr<LowerTree const> lower_tree,
                    std::unique_ptr<UpperDir> upper_dir, UnionOptions union_options)
    : lower(std::move(lower_tree)), upper(std::move(upper_dir)), options(std::move(union_options)),
      folders(cache_capacity()), files(cache_capacity()) {}

Status UnionFs::Impl::start(std::optional<MemoryDescriptors> memory) {
    OBLEA_TRY(lower->attr(InodeNo::root));
    if (upper == nullptr) {
        return {};
    }
    bool const adopts = memory.has_value();
    if (adopts) {
        auto given_counts = OBLEA_TRY(SharedMemory::adopt(UniqueFd{memory->lower_counts}));
        counts = OBLEA_TRY(LowerCounts::adopt(std::move(given_counts), lower->inode_count()));
        ledger = Ledger::adopt(OBLEA_TRY(SharedMemory::adopt(UniqueFd{memory->ledger})));
    } else {
        counts = OBLEA_TRY(LowerCounts::make(lower->inode_count()));
        ledger = OBLEA_TRY(Ledger::make());
    }
    root_fd = std::make_shared<UniqueFd const>(
        OBLEA_TRY(sys::openat(up().root.get(), ".", O_RDONLY | O_DIRECTORY)));
    return adopts ? Status{} : load_upper();  // else resume() does
}

Status UnionFs::Impl::load_upper() {
    InodeMark const mark = OBLEA_TRY(mark_of(root_fd->get(), ".", FileType::directory));
    bool const opaque = OBLEA_TRY(up().get_xattr(root_fd->get(), ".", up().names.opaque)) == "y";
    bool const impure =
        OBLEA_TRY(up().get_xattr(root_fd->get(), ".", up().names.impure)).has_value();
    // An empty folder without a mark was never changed: the root is still the image's. One with
    // entries and no mark was written by another program, and its attributes are meant.
    bool const bare = options.fresh_root == FreshRoot::of_lower && mark.empty() &&
                      OBLEA_TRY(sys::list_dir(root_fd->get())).empty();
    nodes.insert(Node{.ino = Ino::root,
                      .type = FileType::directory,
                      .state = bare ? FileState::lower : FileState::upper,
                      .place = Place::entry,
                      .parent = Ino::root,
                      .name = ".",
                      .upper_ino = OBLEA_TRY(sys::fstat(root_fd->get())).st_ino,
                      .lower = opaque ? InodeNo::none : InodeNo::root,
                      .impure = impure ? Node::Impure::yes : Node::Impure::no,
                      .bare = bare ? Node::Bare::yes : Node::Bare::no,
                      .permissions = mark.permissions,
                      .owner = mark.owner,
                      .pins = 1},
                 [](Node&, NodeTable::Inserted) {});
    OBLEA_TRY(load_links());
    return load_anchors();
}

UnionFs::UnionFs(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UnionFs::~UnionFs() {
    stop_background();
}

Result<std::unique_ptr<UnionFs>> UnionFs::mount(std::shared_ptr<LowerTree const> lower,
                                                UnionOptions options) {
    return mount(std::move(lower), nullptr, std::move(options));
}

Result<std::unique_ptr<UnionFs>> UnionFs::mount(std::shared_ptr<LowerTree const> lower,
                                                std::unique_ptr<UpperDir> upper,
                                                UnionOptions options) {
    auto impl = std::make_unique<Impl>(std::move(lower), std::move(upper), std::move(options));
    OBLEA_TRY(impl->start(std::nullopt));
    return std::unique_ptr<UnionFs>{new UnionFs(std::move(impl))};
}

std::uint64_t UnionFs::copied_bytes() const {
    return impl_->copied.load(std::memory_order_relaxed);
}

void UnionFs::on_copy(std::function<void(std::uint64_t bytes)> listener) {
    impl_->copy_listener = std::move(listener);
}

Result<std::unique_ptr<UnionFs>> UnionFs::adopt(std::shared_ptr<LowerTree const> lower,
                                                std::unique_ptr<UpperDir> upper,
                                                UnionOptions options,
                                                MemoryDescriptors const& memory) {
    auto impl = std::make_unique<Impl>(std::move(lower), std::move(upper), std::move(options));
    OBLEA_TRY(impl->start(memory));
    return std::unique_ptr<UnionFs>{new UnionFs(std::move(impl))};
}

std::optional<UnionFs::MemoryDescriptors> UnionFs::memory() const {
    if (impl_->upper == nullptr) {
        return std::nullopt;
    }
    return MemoryDescriptors{.lower_counts = impl_->counts.memory().descriptor(),
                             .ledger = impl_->ledger.memory().descriptor(),
                             .upper_lock = impl_->upper->lock()};
}

std::size_t UnionFs::remembered() const {
    return impl_->nodes.size();
}

Status UnionFs::resume() {
    return impl_->resume();
}

Status UnionFs::note_end() {
    return impl_->upper != nullptr ? fs::note_end(impl_->upper->lock()) : Status{};
}

bool UnionFs::writable() const {
    return impl_->upper != nullptr;
}

Status UnionFs::note_mount(MountPlace const& mount) {
    return impl_->upper != nullptr ? fs::note_mount(impl_->upper->lock(), mount) : Status{};
}

}  // namespace oblea::fs
