// SPDX-License-Identifier: MIT
// One sequence of random operations, done to the union and to a plain folder: the same answers, the
// same tree, and inode numbers that never change.
//
// Several sequences can go on in one union at the same time, each in its own part of the tree. What
// they share are a folder, in which each has names of its own, and a file that has names in all
// parts and of which each writes bytes of its own: whatever the order, the outcome is the same.
#pragma once
#include "tests/unit/fs/seen.h"

#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <random>

namespace oblea::test {

namespace sys = oblea::base::sys;
using fs::FileType;
using Mode = UnionFs::RenameMode;

// The plain folder.
class Reference {
public:
    explicit Reference(std::string folder) : folder_(std::move(folder)) {
        value_of(sys::mkdir_all(folder_, 0755));
    }
    [[nodiscard]] std::string at(std::string const& path) const { return folder_ + "/" + path; }

    static int code(int result) { return result < 0 ? errno : 0; }

    int create(std::string const& path, std::uint32_t mode) const {
        int const fd = ::open(at(path).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        int const result = code(fd);
        if (fd >= 0) {
            ::fchmod(fd, mode);
            ::close(fd);
        }
        return result;
    }
    int mkdir(std::string const& path, std::uint32_t mode) const {
        int const result = code(::mkdir(at(path).c_str(), 0700));
        if (result == 0) {
            ::chmod(at(path).c_str(), mode);
        }
        return result;
    }
    int write(std::string const& path, std::string const& text, std::uint64_t offset) const {
        int const fd = ::open(at(path).c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            return errno;
        }
        int const result = code(
            static_cast<int>(::pwrite(fd, text.data(), text.size(), static_cast<off_t>(offset))));
        ::close(fd);
        return result;
    }
    int rename(std::string const& from, std::string const& to, Mode mode) const {
        unsigned const flags = mode == Mode::exchange     ? RENAME_EXCHANGE
                               : mode == Mode::no_replace ? RENAME_NOREPLACE
                                                          : 0U;
        return code(::renameat2(AT_FDCWD, at(from).c_str(), AT_FDCWD, at(to).c_str(), flags));
    }
    [[nodiscard]] std::optional<struct stat> stat(std::string const& path) const {
        struct stat info = {};
        if (::lstat(at(path).c_str(), &info) != 0) {
            return std::nullopt;
        }
        return info;
    }
    [[nodiscard]] bool passes_link(std::string const& path) const {
        for (auto slash = path.find('/'); slash != std::string::npos;
             slash = path.find('/', slash + 1)) {
            auto const info = stat(path.substr(0, slash));
            if (info.has_value() && S_ISLNK(info->st_mode)) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] bool is_link(std::string const& path) const {
        auto const info = stat(path);
        return info.has_value() && S_ISLNK(info->st_mode);
    }

    void look(std::string const& path, Seen& seen) const {
        struct stat const info = stat(path).value();
        std::string contents;
        std::string xattrs;
        FileType type = FileType::regular;
        if (S_ISDIR(info.st_mode)) {
            type = FileType::directory;
            base::UniqueFd const dir = value_of(sys::open(at(path), O_RDONLY | O_DIRECTORY));
            for (auto const& entry : value_of(sys::list_dir(dir.get()))) {
                look(path.empty() ? entry.name : path + "/" + entry.name, seen);
            }
        } else if (S_ISLNK(info.st_mode)) {
            type = FileType::symlink;
            contents = value_of(sys::readlinkat(AT_FDCWD, at(path).c_str()));
        } else {
            // By a descriptor that is allowed whatever the permissions say.
            ::chmod(at(path).c_str(), 0600);
            contents = value_of(sys::read_file(AT_FDCWD, at(path).c_str(), 1U << 20U));
            ::chmod(at(path).c_str(), info.st_mode & 07777U);
        }
        auto names = value_of(sys::llistxattr(at(path)));
        std::ranges::sort(names);
        for (std::string const& name : names) {
            if (name.starts_with("user.")) {
                xattrs +=
                    name + "=" + value_of(sys::lgetxattr(at(path), name.c_str())).value() + " ";
            }
        }
        seen.lines[path] = describe(type, info.st_mode & 07777U,
                                    static_cast<std::uint32_t>(info.st_nlink), contents, xattrs);
        struct statx more = {};
        ::statx(AT_FDCWD, at(path).c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &more);
        seen.identities[path] =
            fmt::format("{} {}.{}", info.st_ino, more.stx_btime.tv_sec, more.stx_btime.tv_nsec);
    }

private:
    std::string folder_;
};

// What sequences work on: a union, and the plain folder that begins as its copy.
class Model {
public:
    Model(std::shared_ptr<fs::LowerTree const> lower, fs::UnionOptions const& options)
        : reference(temp_ / "reference"), u(std::move(lower), temp_ / "union", options) {
        u.caller = test_caller();
        copy_to_reference("");
    }

private:
    TempDir temp_;

public:
    Reference reference;
    UnionDriver u;

private:
    static void expect_done(int code) {
        if (code != 0) {
            throw std::runtime_error(fmt::format("the folder cannot be filled: {}", code));
        }
    }
    void copy_to_reference(std::string const& path) {
        Attr const attr = value_of(u.stat(path));
        if (!path.empty()) {
            auto const known = first_names_.find(attr.ino);
            if (known != first_names_.end() && attr.type != FileType::directory) {
                value_of(sys::linkat(AT_FDCWD, reference.at(known->second).c_str(), AT_FDCWD,
                                     reference.at(path).c_str()));
                return;
            }
            first_names_[attr.ino] = path;
            if (attr.type == FileType::directory) {
                expect_done(reference.mkdir(path, attr.permissions));
            } else if (attr.type == FileType::symlink) {
                value_of(sys::symlinkat(value_of(u.readlink(path)), AT_FDCWD,
                                        reference.at(path).c_str()));
            } else {
                expect_done(reference.create(path, 0644));
                expect_done(reference.write(path, value_of(u.read(path)), 0));
                ::chmod(reference.at(path).c_str(), attr.permissions);
            }
        }
        if (attr.type == FileType::directory) {
            for (std::string const& name : value_of(u.names(path))) {
                copy_to_reference(path.empty() ? name : path + "/" + name);
            }
        }
    }
    std::map<Ino, std::string> first_names_;
};

// The part of the tree in which a sequence works: all of it, or a folder of its own and names with
// a prefix in the folder that all parts share.
struct Part {
    std::string own;     // "" or "t1/"
    std::string shared;  // "common/t1-"
    unsigned number = 0;

    [[nodiscard]] bool whole() const { return own.empty(); }
};

inline constexpr char const* kSharedFolder = "common";
inline constexpr char const* kSharedFile = "common/s";
inline constexpr unsigned kSharedBytes = 8;  // that each part writes of the shared file

class Sequence {
public:
    Sequence(Model& model, std::uint64_t seed, Part part)
        : random_(seed), reference_(model.reference), u_(model.u), part_(std::move(part)) {}

    // Alone, with takeovers and remounts on the way.
    void run(int steps) {
        compare();
        for (int i = 0; i < steps; ++i) {
            work(1);
            if (below(25) == 0) {
                // Another process takes over, with what is open.
                log_.push_back("resume");
                value_of(u_->resume());
                compare();
            }
            if (below(40) == 0) {
                close_all();
                log_.push_back("remount");
                u_.remount_checked();
                compare();
            }
        }
        close_all();
        compare();
        u_.remount_checked();
        compare();
    }

    // Beside the sequences of other parts.
    void work(int steps) {
        for (int i = 0; i < steps; ++i) {
            if (!part_.whole() && below(4) == 0) {
                step_on_shared_file();
            } else {
                step();
            }
            if (below(12) == 0) {
                compare();
            }
        }
    }

    void close_all() {
        for (Open& one : open_) {
            u_->release(one.handle);
        }
        std::vector<Open>{}.swap(open_);
    }

    void compare() {
        Seen expected;
        Seen got;
        if (part_.whole()) {
            reference_.look("", expected);
            look(u_, "", got);
            expected.lines.erase("");
            got.lines.erase("");
        } else {
            look_at_own(part_.own.substr(0, part_.own.size() - 1), "", expected, got);
            look_at_own(kSharedFolder, part_.shared.substr(part_.shared.find('/') + 1), expected,
                        got);
        }
        if (std::string const text = differences(expected, got); !text.empty()) {
            throw std::runtime_error("the trees differ:\n" + text);
        }
        std::map<std::string, std::string> back;
        for (auto const& [path, identity] : expected.identities) {
            std::string const& number = got.identities.at(path);
            auto const known = numbers_.try_emplace(identity, number).first;
            auto const sole = back.try_emplace(number, identity).first;
            if (known->second != number || sole->second != identity) {
                throw std::runtime_error(
                    fmt::format("the number of {} was {} and is {}", path, known->second, number));
            }
        }
    }
    [[nodiscard]] std::string log() const {
        std::string text;
        for (std::string const& line : log_) {
            text += line + "\n";
        }
        return text;
    }

private:
    struct Open {
        UnionDriver::Walk walk;
        fs::Handle handle;
        base::UniqueFd fd;
    };

    unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
    std::string any_path() {
        static constexpr char const* kNames[] = {"a", "b", "c", "d"};
        std::string path = part_.whole() || below(5) != 0 ? part_.own : part_.shared;
        path += kNames[below(4)];
        for (unsigned depth = below(3); depth > 0; --depth) {
            path += std::string{"/"} + kNames[below(4)];
        }
        return path;
    }
    std::string any_text() {
        return std::string(1 + below(30), static_cast<char>('a' + below(26)));
    }

    void same(std::string const& what, int expected, int got) {
        log_.push_back(fmt::format("{} -> {}", what, expected));
        if (expected != got) {
            throw std::runtime_error(
                fmt::format("{}: the folder answers {}, the union {}", what, expected, got));
        }
    }

    void step() {
        std::string const path = any_path();
        std::string const other = any_path();
        if (reference_.passes_link(path) || reference_.passes_link(other)) {
            return;
        }
        switch (below(20)) {
        case 0: {
            std::uint32_t const mode = below(2) == 0 ? 0644 : 0755;
            same("create " + path, reference_.create(path, mode), code_of(u_.create(path, mode)));
            break;
        }
        case 1:
        case 2: {
            if (reference_.is_link(path)) {
                break;
            }
            std::string const text = any_text();
            write(path, text, below(40));
            break;
        }
        case 3: {
            if (reference_.is_link(path)) {
                break;
            }
            std::uint64_t const size = below(3) == 0 ? 0 : below(60);
            same(fmt::format("truncate {} {}", path, size),
                 Reference::code(::truncate(reference_.at(path).c_str(), static_cast<off_t>(size))),
                 code_of(u_.truncate(path, size)));
            break;
        }
        case 4:
            same("mkdir " + path, reference_.mkdir(path, 0755), code_of(u_.mkdir(path)));
            break;
        case 5:
        case 6:
            unlink(path);
            break;
        case 7:
            same("rmdir " + path, Reference::code(::rmdir(reference_.at(path).c_str())),
                 code_of(u_.rmdir(path)));
            break;
        case 8:
        case 9:
        case 10: {
            static constexpr Mode kModes[] = {Mode::replace, Mode::replace, Mode::no_replace,
                                              Mode::exchange};
            Mode const mode = kModes[below(4)];
            same(fmt::format("rename {} {} mode {}", path, other, static_cast<int>(mode)),
                 reference_.rename(path, other, mode), code_of(u_.rename(path, other, mode)));
            break;
        }
        case 11:
        case 12:
            link(path, other);
            break;
        case 13:
            same("symlink " + path,
                 Reference::code(::symlink("nowhere", reference_.at(path).c_str())),
                 code_of(u_.symlink("nowhere", path)));
            break;
        case 14: {
            if (reference_.is_link(path)) {
                break;
            }
            // Only such as leave the owner what the kernel would ask of the plain folder.
            static constexpr std::uint32_t kFolder[] = {0755, 0700, 0750, 0777};
            static constexpr std::uint32_t kFile[] = {0644, 0755, 0700, 0666};
            static constexpr std::uint32_t kForRoot[] = {0444, 0000, 0400, 04755};
            auto const info = reference_.stat(path);
            bool const folder = info.has_value() && S_ISDIR(info->st_mode);
            std::uint32_t const mode = folder             ? kFolder[below(4)]
                                       : ::geteuid() == 0 ? kForRoot[below(4)]
                                                          : kFile[below(4)];
            same(fmt::format("chmod {} {:o}", path, mode),
                 Reference::code(::chmod(reference_.at(path).c_str(), mode)),
                 code_of(u_.chmod(path, mode)));
            break;
        }
        case 15: {
            if (reference_.is_link(path)) {
                break;
            }
            std::string const name = below(2) == 0 ? "user.one" : "user.overlay.opaque";
            std::string const value = any_text();
            if (below(3) == 0) {
                same("removexattr " + path,
                     Reference::code(::lremovexattr(reference_.at(path).c_str(), name.c_str())),
                     code_of(u_.removexattr(path, name)));
            } else {
                same("setxattr " + path + " " + name,
                     Reference::code(::lsetxattr(reference_.at(path).c_str(), name.c_str(),
                                                 value.data(), value.size(), 0)),
                     code_of(u_.setxattr(path, name, value)));
            }
            break;
        }
        case 16:
            open_one(path);
            break;
        case 17: {
            // Nothing that anybody sees.
            auto const way = u_.walk(path);
            if (way.has_value()) {
                same("complete " + path, 0, code_of(u_->complete(way->ino)));
            }
            break;
        }
        case 18:
            copy_a_range(path, other);
            break;
        default:
            use_open();
            break;
        }
    }

    void unlink(std::string const& path) {
        same("unlink " + path, Reference::code(::unlink(reference_.at(path).c_str())),
             code_of(u_.unlink(path)));
    }

    void link(std::string const& path, std::string const& other) {
        int const expected =
            Reference::code(::link(reference_.at(path).c_str(), reference_.at(other).c_str()));
        // That the new name is taken is seen before what the old one is.
        bool const taken = u_.walk(path).has_value() && u_.walk(other).has_value();
        same("link " + path + " " + other, expected,
             taken ? EEXIST : code_of(u_.link(path, other)));
    }

    void write(std::string const& path, std::string const& text, std::uint64_t offset) {
        same(fmt::format("write {} {}@{}", path, text.size(), offset),
             reference_.write(path, text, offset), code_of(u_.write(path, text, offset)));
    }

    // Its names that are ours come and go; its size stays, and so does what others wrote of it.
    void step_on_shared_file() {
        auto const any_name = [&] {
            return (below(2) == 0 ? part_.own : part_.shared) + (below(2) == 0 ? "s0" : "s1");
        };
        std::string const path = any_name();
        std::string const other = any_name();
        std::uint64_t const offset = 3 + kSharedBytes * part_.number;
        switch (below(8)) {
        case 0:
        case 1:
            write(path, std::string(kSharedBytes, static_cast<char>('a' + below(26))), offset);
            break;
        case 2: {
            if (!reference_.stat(path).has_value()) {
                break;
            }
            auto const expected =
                value_of(sys::read_file(AT_FDCWD, reference_.at(path).c_str(), 1U << 20U));
            if (value_of(u_.read(path)).substr(offset, kSharedBytes) !=
                expected.substr(offset, kSharedBytes)) {
                throw std::runtime_error("our bytes of the shared file are others");
            }
            break;
        }
        case 3:
            unlink(path);
            break;
        case 4:
            same(fmt::format("rename {} {}", path, other),
                 reference_.rename(path, other, Mode::replace), code_of(u_.rename(path, other)));
            break;
        case 5: {
            std::string const name = fmt::format("user.part{}", part_.number);
            std::string const value = any_text();
            same("setxattr " + path + " " + name,
                 Reference::code(::lsetxattr(reference_.at(path).c_str(), name.c_str(),
                                             value.data(), value.size(), 0)),
                 code_of(u_.setxattr(path, name, value)));
            break;
        }
        case 6:
            same("complete the shared file", 0,
                 code_of(u_->complete(value_of(u_.walk(kSharedFile)).ino)));
            break;
        default:
            link(below(2) == 0 ? kSharedFile : path, other);
            break;
        }
    }

    // What is ours in a folder: the names that begin with `prefix`, and all below them.
    void look_at_own(std::string const& folder, std::string const& prefix, Seen& expected,
                     Seen& got) {
        // Others change the shared file meanwhile, so only its names are compared.
        auto const is_shared_file = [](std::string const& name) {
            return name.ends_with("s0") || name.ends_with("s1");
        };
        base::UniqueFd const dir =
            value_of(sys::open(reference_.at(folder), O_RDONLY | O_DIRECTORY));
        for (auto const& entry : value_of(sys::list_dir(dir.get()))) {
            std::string const path = folder + "/" + entry.name;
            if (is_shared_file(entry.name) && entry.name.starts_with(prefix)) {
                expected.lines[path] = "shared";
            } else if (entry.name.starts_with(prefix)) {
                reference_.look(path, expected);
            }
        }
        for (auto const& [name, listed] : value_of(u_.list(folder))) {
            std::string const path = folder + "/" + name;
            if (is_shared_file(name) && name.starts_with(prefix)) {
                got.lines[path] = "shared";
            } else if (name.starts_with(prefix)) {
                check_listed(u_, path, listed);
                look(u_, path, got);
            }
        }
    }

    void copy_a_range(std::string const& path, std::string const& other) {
        auto const info = reference_.stat(path);
        auto const target = reference_.stat(other);
        if (!info.has_value() || !target.has_value() || !S_ISREG(info->st_mode) ||
            !S_ISREG(target->st_mode) || info->st_ino == target->st_ino ||
            (target->st_mode & 0200U) == 0 || info->st_size == 0) {
            return;
        }
        std::uint64_t const from = below(static_cast<unsigned>(info->st_size));
        std::uint64_t const to = below(30);
        std::uint64_t const count =
            1 + below(static_cast<unsigned>(info->st_size - static_cast<off_t>(from)));
        auto const text = value_of(u_.read(path)).substr(from, count);
        auto const source = value_of(u_.walk(path));
        auto const sink = value_of(u_.walk(other));
        same(fmt::format("copy {} {}@{} to {}@{}", path, count, from, other, to),
             reference_.write(other, text, to),
             code_of(u_->copy_range(source.ino, from, sink.ino, to, count)));
    }

    void open_one(std::string const& path) {
        auto const info = reference_.stat(path);
        if (!info.has_value() || !S_ISREG(info->st_mode) || (info->st_mode & 0600U) != 0600U ||
            open_.size() > 3) {
            return;
        }
        auto walk = value_of(u_.walk(path));
        auto const handle = value_of(u_->open(walk.ino, fs::OpenFor::writing));
        open_.push_back(
            {std::move(walk), handle, value_of(sys::open(reference_.at(path), O_RDWR))});
        log_.push_back("open " + path);
    }

    void use_open() {
        if (open_.empty()) {
            return;
        }
        std::size_t const which = below(static_cast<unsigned>(open_.size()));
        Open& one = open_[which];
        if (below(3) == 0) {
            std::string const text = any_text();
            std::uint64_t const offset = below(40);
            value_of(sys::pwrite_all(one.fd.get(), base::bytes_of(text), offset));
            same("write to an open file", 0,
                 code_of(u_->write(one.walk.ino, base::bytes_of(text), offset)));
        }
        struct stat const info = value_of(sys::fstat(one.fd.get()));
        std::string text(static_cast<std::size_t>(info.st_size), '\0');
        value_of(sys::pread_full(
            one.fd.get(),
            base::MutableBytes{reinterpret_cast<std::byte*>(text.data()), text.size()}, 0));
        Attr const attr = value_of(u_->getattr(one.walk.ino));
        if (attr.size != text.size() || attr.nlink != info.st_nlink ||
            value_of(u_.read(one.walk.ino, attr.size)) != text) {
            throw std::runtime_error(
                fmt::format("an open file reads otherwise: size {} {}, nlink {} {}", attr.size,
                            text.size(), attr.nlink, info.st_nlink));
        }
        if (below(4) == 0) {
            u_->release(one.handle);
            std::vector<Open> rest;
            for (std::size_t i = 0; i < open_.size(); ++i) {
                if (i != which) {
                    rest.push_back(std::move(open_[i]));
                }
            }
            std::swap(open_, rest);
            // `rest` forgets what was closed, after its release.
            log_.push_back("close");
        }
    }

    std::mt19937_64 random_;
    Reference& reference_;
    UnionDriver& u_;
    Part part_;
    std::vector<Open> open_;
    std::map<std::string, std::string> numbers_;
    std::vector<std::string> log_;
};

}  // namespace oblea::test
