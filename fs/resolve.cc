// SPDX-License-Identifier: MIT
// From numbers and names to what they mean now: nodes, places, descriptors.
#include "fs/lower/follow_redirect.h"
#include "fs/union_impl.h"

#include <sys/stat.h>

#include <chrono>
#include <thread>

namespace oblea::fs {

namespace {

// A place is read, then used, without a lock; a rename between the two is noticed by the file's
// number, and the place read again. The renaming thread needs a moment to record the new place, and
// on a busy machine that moment may last: patience ends only where nobody can be at work any more.
class Patience {
public:
    [[nodiscard]] bool is_left() const { return attempts_ < kYields + kSleeps; }
    void wait() {
        if (++attempts_ <= kYields) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
    }

private:
    static constexpr int kYields = 200;
    static constexpr int kSleeps = 5000;
    int attempts_ = 0;
};

// Descriptors of the work folder live as long as the union.
SharedFd borrowed(UniqueFd const& fd) {
    return SharedFd{std::shared_ptr<void>{}, &fd};
}

std::unexpected<Error> stale() {
    return fail(Errno::estale, "resolve");
}

}  // namespace

Pin::~Pin() {
    if (fs_ == nullptr) {
        return;
    }
    bool last = false;
    static_cast<void>(fs_->nodes.update(ino_, [&](Node& node) { last = --node.pins == 0; }));
    if (last) {
        fs_->collect(ino_);
    }
}

Pin UnionFs::Impl::pin(Ino ino) {
    if (upper == nullptr || !nodes.update(ino, [](Node& node) { ++node.pins; })) {
        return {};
    }
    return Pin{*this, ino};
}

void UnionFs::Impl::grant(Ino ino) {
    if (upper == nullptr) {
        return;
    }
    if (is_lower_number(ino)) {
        counts.add_lookup(number(ino));
    } else {
        static_cast<void>(nodes.update(ino, [](Node& node) { ++node.lookups; }));
    }
}

void UnionFs::Impl::collect(Ino ino) {
    for (;;) {
        auto const taken = nodes.take_if_unused(ino);
        if (!taken.has_value()) {
            return;
        }
        // Caches first: once the file is gone its number may serve a new one.
        folders.erase(ino);
        files.erase(ino);
        partials.erase(ino);
        if (taken->place == Place::held) {
            base::LockGuard const lock{held.mutex};
            held.fds.erase(number(ino));
        }
        if (taken->place == Place::orphan) {
            // What cannot be removed now is at the next mount.
            static_cast<void>(up().remove_orphan(taken->name));
        }
        if (taken->place != Place::entry) {
            return;
        }
        static_cast<void>(nodes.update(taken->parent, [](Node& node) { --node.children; }));
        ino = taken->parent;
    }
}

Status UnionFs::Impl::need_upper() const {
    if (upper == nullptr) {
        return fail(Errno::erofs);
    }
    return {};
}

Result<FileType> UnionFs::Impl::type_of(Ino ino) const {
    if (auto const node = nodes.find(ino)) {
        return node->type;
    }
    if (!is_lower_number(ino) || number(ino) > lower->inode_count()) {
        return stale();
    }
    return OBLEA_TRY(lower->attr(lower_of(ino))).type;
}

Result<FolderView> UnionFs::Impl::view(Ino folder) const {
    if (auto const node = nodes.find(folder)) {
        if (!node->is_folder()) {
            return fail(Errno::enotdir, "resolve");
        }
        return FolderView{.ino = folder,
                          .linkage = node->linkage,
                          .has_upper = node->has_upper(),
                          .lower = node->lower,
                          .impure = node->impure};
    }
    if (!is_lower_number(folder) || number(folder) > lower->inode_count()) {
        return stale();
    }
    // That it is a folder is for the lower tree to say, at the lookup that follows.
    return FolderView{.ino = folder, .lower = lower_of(folder)};
}

Result<std::optional<Child>> UnionFs::Impl::find_child(FolderView const& folder,
                                                       std::string const& name) {
    return std::move(OBLEA_TRY(look(folder, name)).child);
}

Result<Sight> UnionFs::Impl::look(FolderView const& folder, std::string const& name) {
    if (folder.linkage == Linkage::unlinked) {
        return Sight{};
    }
    if (folder.has_upper) {
        SharedFd const fd = OBLEA_TRY(folder_fd(folder.ino));
        auto const info = OBLEA_TRY(sys::stat_if_exists(fd->get(), name.c_str()));
        if (info.has_value()) {
            if (OBLEA_TRY(up().is_whiteout(fd->get(), name, *info))) {
                return Sight{.upper = InUpper::whiteout};
            }
            Child child = OBLEA_TRY(load(folder, fd->get(), name, *info));
            return Sight{.child = std::move(child), .upper = InUpper::entry};
        }
    }
    if (folder.lower == InodeNo::none) {
        return Sight{};
    }
    auto const below = OBLEA_TRY(lower->lookup(folder.lower, name));
    if (!below.has_value()) {
        return Sight{};
    }
    Ino const ino = ino_of(below->ino);
    return Sight{.child = Child{.ino = ino, .type = below->type, .pin = pin(ino)}};
}

Result<UnionFs::Impl::Peeked> UnionFs::Impl::peek(Ino folder, std::string const& name) {
    FolderView seen = OBLEA_TRY(view(folder));
    if (!seen.has_upper) {
        Sight sight = OBLEA_TRY(look(seen, name));
        return Peeked{seen, std::move(sight.child), sight.upper};
    }
    auto const lock = folder_locks.share(folder);
    seen = OBLEA_TRY(view(folder));
    Sight sight = OBLEA_TRY(look(seen, name));
    return Peeked{seen, std::move(sight.child), sight.upper};
}

namespace {

// One of the upper's own, unless work/index or an origin mark says which of the lower tree it is.
Result<Identity> identify_file(UnionFs::Impl& fs, FolderView const& folder, int dir,
                               std::string const& name, FileType type, std::uint64_t upper_ino,
                               std::optional<LowerEntry> const& below) {
    Identity identity{.ino = new_ino(upper_ino)};
    {
        base::LockGuard const lock{fs.anchors.mutex};
        auto const anchored = fs.anchors.by_upper_ino.find(upper_ino);
        if (anchored != fs.anchors.by_upper_ino.end()) {
            identity.ino = anchored->second;
        }
    }
    bool const hides_mode =
        type == FileType::regular && fs.up().rights == UpperDir::Impl::Rights::bound;
    if (!hides_mode && !fs.records(type) && !below.has_value() &&
        folder.impure == Node::Impure::no) {
        return identity;
    }
    identity.mark = OBLEA_TRY(fs.mark_of(dir, name, type));
    if (identity.mark.origin.has_value()) {
        auto const origin = OBLEA_TRY(fs.lower->find_origin(*identity.mark.origin));
        if (origin.has_value() && OBLEA_TRY(fs.lower->attr(*origin)).type == type) {
            identity.ino = ino_of(*origin);
            if (identity.mark.contents == InodeMark::Contents::partial) {
                identity.lower = *origin;
            }
        }
    }
    return identity;
}

// Its lower part is told by the origin mark, by a redirect, or by the name, in this order.
Result<Identity> identify_folder(UnionFs::Impl& fs, FolderView const& folder, int dir,
                                 std::string const& name, std::uint64_t upper_ino,
                                 std::optional<LowerEntry> const& below) {
    UpperDir::Impl const& up = fs.up();
    Identity identity{.ino = new_ino(upper_ino)};
    identity.mark = OBLEA_TRY(fs.mark_of(dir, name, FileType::directory));
    identity.impure = OBLEA_TRY(up.get_xattr(dir, name, up.names.impure)).has_value()
                          ? Node::Impure::yes
                          : Node::Impure::no;
    std::optional<InodeNo> part;
    if (identity.mark.origin.has_value()) {
        part = OBLEA_TRY(fs.lower->find_origin(*identity.mark.origin));
    }
    bool const opaque = OBLEA_TRY(up.get_xattr(dir, name, up.names.opaque)) == "y";
    if (!part.has_value() && !opaque) {
        auto const redirect = OBLEA_TRY(up.get_xattr(dir, name, up.names.redirect));
        if (redirect.has_value()) {
            part = OBLEA_TRY(follow_redirect(*fs.lower, folder.lower, *redirect));
        } else if (below.has_value()) {
            part = below->ino;
        }
    }
    if (part.has_value() && OBLEA_TRY(fs.lower->attr(*part)).type == FileType::directory) {
        identity.ino = ino_of(*part);
        identity.lower = opaque ? InodeNo::none : *part;
    }
    return identity;
}

}  // namespace

Result<Identity> UnionFs::Impl::identify(FolderView const& folder, int dir, std::string const& name,
                                         FileType type, std::uint64_t upper_ino) {
    std::optional<LowerEntry> below;
    if (folder.lower != InodeNo::none) {
        below = OBLEA_TRY(lower->lookup(folder.lower, name));
    }
    return type == FileType::directory
               ? identify_folder(*this, folder, dir, name, upper_ino, below)
               : identify_file(*this, folder, dir, name, type, upper_ino, below);
}

Result<Child> UnionFs::Impl::load(FolderView const& folder, int dir, std::string const& name,
                                  struct stat const& info) {
    FileType const type = type_of_mode(info.st_mode);
    Identity identity = OBLEA_TRY(identify(folder, dir, name, type, info.st_ino));
    for (;;) {
        Node node{.ino = identity.ino,
                  .type = type,
                  .state = marked_state(identity.mark),
                  .place = Place::entry,
                  .parent = folder.ino,
                  .name = name,
                  .upper_ino = info.st_ino,
                  .lower = identity.lower,
                  .impure = identity.impure,
                  .permissions = identity.mark.permissions,
                  .owner = identity.mark.owner};
        bool conflict = false;
        bool joined = false;  // the folder has one more child
        std::string orphan;
        static_cast<void>(nodes.update(folder.ino, [](Node& parent) { ++parent.children; }));
        nodes.insert(std::move(node), [&](Node& stored, NodeTable::Inserted inserted) {
            if (inserted == NodeTable::Inserted::yes) {
                joined = true;
            } else if (stored.state == FileState::copying) {
                // Its copy has just got its name; the copying thread records that.
            } else if (!is_in_upper(stored.state) || stored.upper_ino != info.st_ino) {
                conflict = true;
                return;
            } else if (stored.place == Place::orphan && stored.linkage == Linkage::linked) {
                orphan = std::exchange(stored.name, name);
                stored.place = Place::entry;
                stored.parent = folder.ino;
                joined = true;
            }
            ++stored.pins;
        });
        if (!joined) {
            static_cast<void>(nodes.update(folder.ino, [](Node& parent) { --parent.children; }));
        }
        if (!orphan.empty()) {
            static_cast<void>(sys::unlink_if_exists(up().orphans.get(), orphan.c_str()));
        }
        if (!conflict) {
            return Child{.ino = identity.ino,
                         .type = type,
                         .where = InUpper::entry,
                         .upper_names = info.st_nlink,
                         .pin = Pin{*this, identity.ino}};
        }
        if (!is_lower_number(identity.ino)) {
            return fail(Errno::eio, "resolve", "two files of the upper layer have one number");
        }
        // Another file claims the same origin: a copy made behind our back. Only one of them is the
        // image's inode.
        identity =
            Identity{.ino = new_ino(info.st_ino), .lower = identity.lower, .mark = identity.mark};
    }
}

Result<NameState> UnionFs::Impl::state_of(FolderView const& folder, std::string const& name,
                                          std::optional<Child> const& child,
                                          InUpper seen_upper) const {
    NameState state{.upper = seen_upper};
    if (child.has_value()) {
        state.shown = child->type;
        state.upper = child->where;
        if (child->type == FileType::directory) {
            state.part = OBLEA_TRY(view(child->ino)).lower == InodeNo::none
                             ? NameState::Part::own
                             : NameState::Part::merged;
        }
    }
    if (folder.lower != InodeNo::none) {
        auto const below = OBLEA_TRY(lower->lookup(folder.lower, name));
        if (below.has_value()) {
            state.below = below->type == FileType::directory ? Below::folder : Below::file;
        }
    }
    return state;
}

Result<SharedFd> UnionFs::Impl::folder_fd(Ino folder) {
    for (Patience patience; patience.is_left(); patience.wait()) {
        // Up to something that is open, then down again.
        std::vector<Node> way;
        SharedFd at;
        bool moved = false;
        for (Ino ino = folder; at == nullptr && !moved;) {
            if (ino == Ino::root) {
                at = root_fd;
                break;
            }
            at = folders.find(ino);
            if (at != nullptr) {
                break;
            }
            auto const node = nodes.find(ino);
            if (!node.has_value() || !node->has_upper()) {
                if (ino == folder) {
                    return stale();
                }
                moved = true;  // away from a folder that has been removed since
                break;
            }
            switch (node->place) {
            case Place::entry:
                break;
            case Place::held: {
                base::LockGuard const lock{held.mutex};
                auto const found = held.fds.find(number(ino));
                at = found == held.fds.end() ? nullptr : found->second;
                break;
            }
            case Place::orphan:
                at = borrowed(up().orphans);
                break;
            default:
                return stale();
            }
            if (node->place != Place::held) {
                way.push_back(*node);
            }
            ino = node->parent;
        }
        for (auto node = way.rbegin(); node != way.rend() && !moved; ++node) {
            auto opened =
                sys::openat(at->get(), node->name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            if (!opened.has_value() && opened.error().code != Errno::enoent &&
                opened.error().code != Errno::enotdir && opened.error().code != Errno::eloop) {
                return std::unexpected<Error>(std::move(opened).error());
            }
            moved = !opened.has_value() ||
                    OBLEA_TRY(sys::fstat(opened->get())).st_ino != node->upper_ino;
            if (!moved) {
                at = std::make_shared<UniqueFd const>(std::move(*opened));
                folders.put(node->ino, at);
            }
        }
        if (!moved) {
            return at;
        }
    }
    return stale();
}

Result<Located> UnionFs::Impl::locate(Node const& node) {
    if (node.is_folder()) {
        return Located{OBLEA_TRY(folder_fd(node.ino)), "."};
    }
    switch (node.place) {
    case Place::entry:
        return Located{OBLEA_TRY(folder_fd(node.parent)), node.name};
    case Place::index:
        return Located{borrowed(up().index), node.name};
    case Place::orphan:
        return Located{borrowed(up().orphans), node.name};
    default:
        return stale();
    }
}

Result<struct stat> UnionFs::Impl::stat_node(Ino ino, Node& node) {
    for (Patience patience; patience.is_left(); patience.wait()) {
        auto current = nodes.find(ino);
        if (!current.has_value() || !current->has_upper()) {
            return stale();
        }
        node = *std::move(current);
        if (node.is_folder()) {
            return sys::fstat(OBLEA_TRY(folder_fd(ino))->get());
        }
        if (SharedFd const open = files.find(ino)) {
            return sys::fstat(open->get());
        }
        auto const at = locate(node);
        if (at.has_value()) {
            auto const info = OBLEA_TRY(sys::stat_if_exists(at->folder->get(), at->name.c_str()));
            if (info.has_value() && info->st_ino == node.upper_ino) {
                return *info;
            }
        }
    }
    return stale();
}

Result<SharedFd> UnionFs::Impl::file_fd(Ino file) {
    if (SharedFd open = files.find(file)) {
        return open;
    }
    for (Patience patience; patience.is_left(); patience.wait()) {
        auto const node = nodes.find(file);
        if (!node.has_value() || !is_in_upper(node->state)) {
            return stale();
        }
        if (node->type != FileType::regular) {
            return fail(node->is_folder() ? Errno::eisdir : Errno::einval, "open");
        }
        auto const at = locate(*node);
        if (at.has_value()) {
            auto opened =
                sys::openat(at->folder->get(), at->name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK);
            bool cache = true;
            if (!opened.has_value() && opened.error().code == Errno::etxtbsy) {
                // A program runs from it; what cannot be written now can be read.
                opened = sys::openat(at->folder->get(), at->name.c_str(), O_RDONLY | O_NOFOLLOW);
                cache = false;
            }
            if (opened.has_value()) {
                if (OBLEA_TRY(sys::fstat(opened->get())).st_ino == node->upper_ino) {
                    auto shared = std::make_shared<UniqueFd const>(std::move(*opened));
                    if (cache) {
                        files.put(file, shared);
                    }
                    return SharedFd{shared};
                }
            } else {
                // Whatever the failure: it is the file's own only if the file is still there, and
                // not the whiteout of one that was moved or removed.
                auto const there =
                    OBLEA_TRY(sys::stat_if_exists(at->folder->get(), at->name.c_str()));
                if (there.has_value() && there->st_ino == node->upper_ino) {
                    return std::unexpected<Error>(std::move(opened).error());
                }
            }
        }
    }
    return stale();
}

}  // namespace oblea::fs
