// SPDX-License-Identifier: MIT
// Random sequences of operations, done to the union and to a plain folder: the same answers, the
// same tree, and inode numbers that never change.
//
// OBLEA_SEED replays one sequence; OBLEA_MODEL_SEQUENCES sets how many are run.
#include "tests/support/catch.h"
#include "tests/unit/fs/ordinary_user.h"
#include "tests/unit/fs/seen.h"

#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cstdlib>
#include <random>

using namespace oblea;
using namespace oblea::test;
namespace sys = oblea::base::sys;
using fs::FileType;
using Mode = UnionFs::RenameMode;

namespace {

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

// Every other sequence copies up by blocks, of which the files have several.
fs::UnionOptions options_for(std::uint64_t seed) {
    fs::UnionOptions options = test_options();
    if (seed % 2 == 0) {
        options.blocks = {.whole_up_to = 3 * (seed / 2 % 3),
                          .block_bytes = static_cast<std::uint32_t>(1 + seed / 6 % 8)};
    }
    return options;
}

class Sequence {
public:
    Sequence(std::uint64_t seed, std::shared_ptr<MemoryLower> lower)
        : random_(seed), reference_(temp_ / "reference"),
          u_(lower, temp_ / "union", options_for(seed)) {
        u_.caller = test_caller();
        copy_to_reference("");
    }

    void run(int steps) {
        compare();
        for (int i = 0; i < steps; ++i) {
            step();
            if (below(12) == 0) {
                compare();
            }
            if (below(25) == 0) {
                // Another process takes over, with what is open.
                log_.push_back("resume");
                value_of(u_->resume());
                compare();
            }
            if (below(40) == 0) {
                close_all();
                log_.push_back("remount");
                u_.remount();
                compare();
            }
        }
        close_all();
        compare();
        u_.remount();
        compare();
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
        std::string path = kNames[below(4)];
        for (unsigned depth = below(3); depth > 0; --depth) {
            path += std::string{"/"} + kNames[below(4)];
        }
        return path;
    }
    std::string any_text() {
        return std::string(1 + below(30), static_cast<char>('a' + below(26)));
    }

    void copy_to_reference(std::string const& path) {
        Attr const attr = value_of(u_.stat(path));
        if (!path.empty()) {
            auto const known = first_names_.find(attr.ino);
            if (known != first_names_.end() && attr.type != FileType::directory) {
                value_of(sys::linkat(AT_FDCWD, reference_.at(known->second).c_str(), AT_FDCWD,
                                     reference_.at(path).c_str()));
                return;
            }
            first_names_[attr.ino] = path;
            if (attr.type == FileType::directory) {
                CHECK(reference_.mkdir(path, attr.permissions) == 0);
            } else if (attr.type == FileType::symlink) {
                value_of(sys::symlinkat(value_of(u_.readlink(path)), AT_FDCWD,
                                        reference_.at(path).c_str()));
            } else {
                CHECK(reference_.create(path, 0644) == 0);
                CHECK(reference_.write(path, value_of(u_.read(path)), 0) == 0);
                ::chmod(reference_.at(path).c_str(), attr.permissions);
            }
        }
        if (attr.type == FileType::directory) {
            for (std::string const& name : value_of(u_.names(path))) {
                copy_to_reference(path.empty() ? name : path + "/" + name);
            }
        }
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
            std::uint64_t const offset = below(40);
            same(fmt::format("write {} {}@{}", path, text.size(), offset),
                 reference_.write(path, text, offset), code_of(u_.write(path, text, offset)));
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
            same("unlink " + path, Reference::code(::unlink(reference_.at(path).c_str())),
                 code_of(u_.unlink(path)));
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
        case 12: {
            int const expected =
                Reference::code(::link(reference_.at(path).c_str(), reference_.at(other).c_str()));
            // That the new name is taken is seen before what the old one is.
            bool const taken = u_.walk(path).has_value() && u_.walk(other).has_value();
            same("link " + path + " " + other, expected,
                 taken ? EEXIST : code_of(u_.link(path, other)));
            break;
        }
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

    void close_all() {
        for (Open& one : open_) {
            u_->release(one.handle);
        }
        std::vector<Open>{}.swap(open_);
    }

    void compare() {
        Seen expected;
        Seen got;
        reference_.look("", expected);
        look(u_, "", got);
        expected.lines.erase("");
        got.lines.erase("");
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

    TempDir temp_;
    std::mt19937_64 random_;
    Reference reference_;
    UnionDriver u_;
    std::vector<Open> open_;
    std::map<Ino, std::string> first_names_;
    std::map<std::string, std::string> numbers_;
    std::vector<std::string> log_;
};

std::shared_ptr<MemoryLower> model_lower() {
    LowerBuilder b;
    b.add({dir("a"), b.text_file("a/a", "lower a/a"), b.text_file("a/b", "lower a/b"), dir("a/c"),
           b.text_file("a/c/a", "deep one"), b.text_file("a/c/b", "deep two"), dir("b"),
           b.text_file("b/a", "hidden later"), b.text_file("b/c", "linked three times"),
           hard_link("b/d", "b/c"), hard_link("a/d", "b/c"), b.text_file("d", "top")});
    b.add({whiteout("b/a"), dir("a/c"), b.text_file("a/c/c", "second layer"),
           soft_link("b/b", "nowhere"), dir("c"), dir("c/a"), dir("c/a/b"),
           b.text_file("c/b", "a pair"), hard_link("c/c", "c/b")});
    return b.build();
}

std::uint64_t number_from(char const* variable, std::uint64_t otherwise) {
    char const* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void run_sequences() {
    auto const lower = model_lower();
    std::uint64_t const seed = number_from("OBLEA_SEED", 0);
    std::uint64_t const count = seed != 0 ? 1 : number_from("OBLEA_MODEL_SEQUENCES", 40);
    std::uint64_t const first = seed != 0 ? seed : std::random_device{}() | 1U;
    for (std::uint64_t i = 0; i < count; ++i) {
        Sequence sequence{first + i, lower};
        try {
            sequence.run(200);
        } catch (std::runtime_error const& error) {
            FAIL("OBLEA_SEED=" << first + i << (::geteuid() == 0 ? "" : " (not as root)") << "\n"
                               << sequence.log() << error.what());
        }
    }
}

}  // namespace

TEST_CASE("the union answers as a plain folder does", "[fs][model]") {
    ::umask(0);
    run_sequences();
}

TEST_CASE("the union answers as a plain folder does, without rights", "[fs][nobody]") {
    CHECK(run_as_nobody("[model]") == 0);
}
