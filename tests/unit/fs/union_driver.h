// SPDX-License-Identifier: MIT
// Drives a union as the kernel would, by paths: every lookup is counted, and forgotten at the end
// of the operation.
//
// Answers are errno values (0 for success) where a test compares, and values where it looks. Checks
// that the kernel makes before it asks a file system (a rename into itself) are made here.
#pragma once
#include "fs/union_fs.h"
#include "fs/upper/check_upper.h"
#include "fs/upper/upper_changes.h"
#include "fs/upper/upper_dir.h"
#include "store/base/sys.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/fs/memory_lower.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

namespace oblea::test {

using fs::Attr;
using fs::Caller;
using fs::Ino;
using fs::UnionFs;

template <typename T>
int code_of(Result<T> const& result) {
    return result.has_value() ? 0 : static_cast<int>(result.error().code);
}

inline store::Name name_of(std::string_view text) {
    return value_of(store::Name::parse(text));
}

class UnionDriver {
public:
    UnionDriver(std::shared_ptr<fs::LowerTree const> lower, std::string folder,
                fs::UnionOptions options)
        : lower_(std::move(lower)), folder_(std::move(folder)), options_(options) {
        mount();
    }

    void mount() {
        auto upper = value_of(fs::UpperDir::open(folder_ + "/upper", folder_ + "/work"));
        union_ = value_of(UnionFs::mount(lower_, std::move(upper), options_));
    }
    void remount() {
        union_.reset();
        mount();
    }
    // What it leaves must be sound.
    void remount_checked() {
        union_.reset();
        if (std::string const found = damage(); !found.empty()) {
            throw std::runtime_error("damage in the upper: " + found);
        }
        mount();
    }
    void unmount() { union_.reset(); }

    // What is damaged in the upper as it lies there, one line each. Not while it is mounted.
    [[nodiscard]] std::string damage() const {
        auto const upper = value_of(base::sys::open(folder_ + "/upper", O_RDONLY | O_DIRECTORY));
        auto const work = value_of(base::sys::open(folder_ + "/work", O_RDONLY | O_DIRECTORY));
        fs::UpperCheck const check{.upper = upper.get(),
                                   .work = work.get(),
                                   .space = value_of(fs::mark_space_of(work.get())),
                                   .lower = lower_.get()};
        std::string text;
        for (fs::UpperFault const& fault : value_of(fs::check_upper(check))) {
            text += fault.path + ": " + fault.what + '\n';
        }
        return text;
    }

    UnionFs& operator*() { return *union_; }
    UnionFs* operator->() { return union_.get(); }
    [[nodiscard]] std::string upper_path(std::string const& path) const {
        return folder_ + "/upper/" + path;
    }
    [[nodiscard]] std::string work_path(std::string const& path) const {
        return folder_ + "/work/" + path;
    }

    // The inode at a path, with the lookups that led there; they end with this object.
    class Walk {
    public:
        explicit Walk(UnionFs& fs) : fs_(&fs) {}
        Walk(Walk&& other) noexcept = default;
        Walk& operator=(Walk&&) = delete;
        Walk(Walk const&) = delete;
        Walk& operator=(Walk const&) = delete;
        ~Walk() {
            for (auto seen = looked_up_.rbegin(); seen != looked_up_.rend(); ++seen) {
                fs_->forget(*seen, 1);
            }
        }
        Status step(std::string_view name) {
            auto const entry = OBLEA_TRY(fs_->lookup(ino, name_of(name)));
            if (!entry.has_value()) {
                return fail(Errno::enoent, "walk");
            }
            looked_up_.push_back(entry->attr.ino);
            ino = entry->attr.ino;
            attr = entry->attr;
            return {};
        }
        void owe(Ino more) { looked_up_.push_back(more); }
        Ino ino = Ino::root;
        Attr attr;

    private:
        UnionFs* fs_;
        std::vector<Ino> looked_up_;
    };

    Result<Walk> walk(std::string const& at) {
        Walk way{*union_};
        store::RelPath const parsed = path(at);
        for (std::string_view const component : parsed.components()) {
            OBLEA_TRY(way.step(component));
        }
        if (parsed.is_root()) {
            way.attr = OBLEA_TRY(union_->getattr(Ino::root));
        }
        return way;
    }
    struct Slot {
        Walk parent;
        store::Name name;
    };
    Result<Slot> slot(std::string const& at) {
        store::RelPath const parsed = path(at);
        Walk parent = OBLEA_TRY(walk(parsed.parent().string()));
        if (parent.ino != Ino::root && parent.attr.type != fs::FileType::directory) {
            return fail(Errno::enotdir, "walk");
        }
        return Slot{std::move(parent), OBLEA_TRY(store::Name::parse(parsed.filename()))};
    }

    Result<Attr> stat(std::string const& at) {
        Walk const way = OBLEA_TRY(walk(at));
        return union_->getattr(way.ino);
    }

    Status make(std::string const& at, fs::NewNode const& node) {
        Slot place = OBLEA_TRY(slot(at));
        auto const entry = OBLEA_TRY(union_->make(place.parent.ino, place.name, node, caller));
        place.parent.owe(entry.attr.ino);
        return {};
    }
    Status mkdir(std::string const& at, std::uint32_t permissions = 0755) {
        return make(at, {.type = fs::FileType::directory, .permissions = permissions});
    }
    Status symlink(std::string const& target, std::string const& at) {
        return make(at,
                    {.type = fs::FileType::symlink, .permissions = 0777, .symlink_target = target});
    }
    Status create(std::string const& at, std::uint32_t permissions = 0644) {
        return make(at, {.type = fs::FileType::regular, .permissions = permissions});
    }
    Status write(std::string const& at, std::string_view text, std::uint64_t offset = 0) {
        Walk const way = OBLEA_TRY(walk(at));
        auto const handle = OBLEA_TRY(union_->open(way.ino, fs::OpenFor::writing));
        auto written = write_all(way.ino, text, offset);
        union_->release(handle);
        return written;
    }
    Status write_all(fs::Ino ino, std::string_view text, std::uint64_t offset) {
        std::size_t const count = OBLEA_TRY(union_->write(ino, base::bytes_of(text), offset));
        return count == text.size() ? Status{} : base::fail(base::Errno::enospc, "write");
    }
    Status change(std::string const& at, fs::AttrChange const& attrs) {
        Walk const way = OBLEA_TRY(walk(at));
        OBLEA_TRY(union_->setattr(way.ino, attrs, caller));
        return {};
    }
    Status chmod(std::string const& at, std::uint32_t permissions) {
        return change(at, {.permissions = permissions});
    }
    Status truncate(std::string const& at, std::uint64_t size) {
        return change(at, {.size = size});
    }
    Status unlink(std::string const& at) {
        Slot const place = OBLEA_TRY(slot(at));
        return union_->unlink(place.parent.ino, place.name);
    }
    Status rmdir(std::string const& at) {
        Slot const place = OBLEA_TRY(slot(at));
        return union_->rmdir(place.parent.ino, place.name);
    }
    Status link(std::string const& from, std::string const& to) {
        Walk const way = OBLEA_TRY(walk(from));
        Slot place = OBLEA_TRY(slot(to));
        auto const entry = OBLEA_TRY(union_->link(way.ino, place.parent.ino, place.name));
        place.parent.owe(entry.attr.ino);
        return {};
    }
    Status rename(std::string const& from, std::string const& to,
                  UnionFs::RenameMode mode = UnionFs::RenameMode::replace) {
        using Mode = UnionFs::RenameMode;
        Slot const source = OBLEA_TRY(slot(from));
        Slot const target = OBLEA_TRY(slot(to));
        OBLEA_TRY(walk(from));
        bool const there = walk(to).has_value();
        if (mode == Mode::no_replace && there) {
            return fail(Errno::eexist, "rename");
        }
        if (mode == Mode::exchange && !there) {
            return fail(Errno::enoent, "rename");
        }
        if (to.starts_with(from + "/")) {
            return fail(Errno::einval, "rename");
        }
        if (from.starts_with(to + "/")) {
            return fail(mode == Mode::exchange ? Errno::einval : Errno::enotempty, "rename");
        }
        return union_->rename(source.parent.ino, source.name, target.parent.ino, target.name, mode);
    }
    Result<std::string> read(std::string const& at) {
        Walk const way = OBLEA_TRY(walk(at));
        return read(way.ino, OBLEA_TRY(union_->getattr(way.ino)).size);
    }
    Result<std::string> read(Ino ino, std::uint64_t size) {
        std::string text(static_cast<std::size_t>(size) + 1, '\0');
        base::MutableBytes const buffer{reinterpret_cast<std::byte*>(text.data()), text.size()};
        auto const result = OBLEA_TRY(union_->read(ino, buffer, 0));
        return std::string{base::text_of(result.bytes(buffer))};
    }
    Result<std::string> readlink(std::string const& at) {
        Walk const way = OBLEA_TRY(walk(at));
        return union_->readlink(way.ino);
    }
    Status setxattr(std::string const& at, std::string const& name, std::string_view value,
                    int flags = 0) {
        Walk const way = OBLEA_TRY(walk(at));
        return union_->setxattr(way.ino, name, value, flags);
    }
    Result<std::optional<std::string>> getxattr(std::string const& at, std::string const& name) {
        Walk const way = OBLEA_TRY(walk(at));
        return union_->getxattr(way.ino, name);
    }
    Status removexattr(std::string const& at, std::string const& name) {
        Walk const way = OBLEA_TRY(walk(at));
        return union_->removexattr(way.ino, name);
    }
    Result<std::vector<std::string>> listxattr(std::string const& at) {
        Walk const way = OBLEA_TRY(walk(at));
        auto names = OBLEA_TRY(union_->listxattr(way.ino));
        std::ranges::sort(names);
        return names;
    }

    struct Listed {
        std::uint64_t ino;
        fs::FileType type;
    };
    // Names but "." and "..", read in small steps. Throws when a name comes twice.
    Result<std::map<std::string, Listed>> list(std::string const& at, std::size_t step = 3) {
        Walk const way = OBLEA_TRY(walk(at));
        auto const handle = OBLEA_TRY(union_->opendir(way.ino));
        std::map<std::string, Listed> found;
        std::uint64_t position = 0;
        Status read_status;
        for (bool more = true; more && read_status.has_value();) {
            more = false;
            std::size_t room = step;
            read_status = union_->readdir(way.ino, handle, position, [&](fs::DirSlot const& slot) {
                if (room-- == 0) {
                    more = true;
                    return false;
                }
                position = slot.next;
                if (slot.name != "." && slot.name != "..") {
                    auto const put = found.emplace(
                        slot.name, Listed{static_cast<std::uint64_t>(slot.ino), slot.type});
                    if (!put.second) {
                        throw std::runtime_error("listed twice: " + std::string{slot.name});
                    }
                }
                return true;
            });
        }
        union_->releasedir(way.ino, handle);
        OBLEA_TRY(read_status);
        return found;
    }
    Result<std::vector<std::string>> names(std::string const& at) {
        std::vector<std::string> result;
        for (auto const& [name, listed] : OBLEA_TRY(list(at))) {
            result.push_back(name);
        }
        return result;
    }

    Caller caller{};

private:
    std::shared_ptr<fs::LowerTree const> lower_;
    std::string folder_;
    fs::UnionOptions options_;
    std::unique_ptr<UnionFs> union_;
};

// Options that suit whoever runs the test: an ordinary user sees itself as the owner of everything.
inline fs::UnionOptions test_options() {
    fs::UnionOptions options{.durable = fs::Durable::no};
    if (::geteuid() != 0) {
        options.owners = {fs::Owners::Kind::squashed, ::geteuid(), ::getegid()};
    }
    return options;
}

inline Caller test_caller() {
    return {.uid = ::geteuid(), .gid = ::getegid()};
}

}  // namespace oblea::test
