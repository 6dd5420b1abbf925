// SPDX-License-Identifier: MIT
// Servers are killed while programs use the mount: another one takes over, and nothing that was
// answered is lost.
//
// OBLEA_KILLS sets how many servers the storm kills, OBLEA_SEED what it does.
#include "tests/e2e/mount/mounted_image.h"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <utility>

using namespace oblea;
using namespace oblea::test;

namespace {

std::uint64_t number_from(char const* variable, std::uint64_t otherwise) {
    char const* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void kill_server(tools::MountInfo const& info) {
    auto const server = server_of(info.pid);
    REQUIRE(server.has_value());
    REQUIRE(::kill(*server, SIGKILL) == 0);
}

std::string read_fd(int fd) {
    std::array<char, 4096> text{};
    ssize_t const count = ::pread(fd, text.data(), text.size(), 0);
    REQUIRE(count >= 0);
    return {text.data(), static_cast<std::size_t>(count)};
}

base::UniqueFd open_fd(std::string const& path, int flags) {
    base::UniqueFd fd{::open(path.c_str(), flags | O_CLOEXEC, 0644)};
    CAPTURE(path, errno);
    REQUIRE(fd.valid());
    return fd;
}

// One program's work in a folder of its own: what it did and was told to have succeeded is in
// `model`.
class Worker {
public:
    Worker(std::string folder, std::uint64_t seed) : folder_(std::move(folder)), random_(seed) {}

    // False when the mount does not answer any more.
    bool step() {
        std::string const name = any();
        std::string const other = any();
        switch (random_() % 9) {
        case 0:
        case 1:
            return write(name);
        case 2:
            return change(name, other, ::rename(at(name).c_str(), at(other).c_str()),
                          [&] { renamed(name, other); });
        case 3:
            return change(name, other,
                          ::renameat2(AT_FDCWD, at(name).c_str(), AT_FDCWD, at(other).c_str(),
                                      RENAME_EXCHANGE),
                          [&] { std::swap(model_[name], model_[other]); });
        case 4:
            return change(name, name, ::unlink(at(name).c_str()), [&] { model_.erase(name); });
        case 5:
            return change(name, name, ::mkdir(at(name).c_str(), 0755), [&] { resync(name); });
        case 6:
            return change(name, name, ::rmdir(at(name).c_str()), [&] { model_.erase(name); });
        case 7:
            return change(name, name, ::symlink(other.c_str(), at(name).c_str()),
                          [&] { resync(name); });
        default:
            return change(name, other, ::link(at(name).c_str(), at(other).c_str()),
                          [&] { model_[other] = model_[name]; });
        }
    }

    // What differs between the folder and what was answered; empty: nothing.
    [[nodiscard]] std::string difference() const {
        std::string text;
        std::set<std::string> names;
        DIR* const dir = ::opendir(folder_.c_str());
        if (dir == nullptr) {
            return fmt::format("{} cannot be read: {}", folder_, errno);
        }
        while (dirent const* entry = ::readdir(dir)) {
            names.insert(entry->d_name);
        }
        ::closedir(dir);
        for (std::string const& name : names) {
            if (name != "." && name != ".." && !model_.contains(name)) {
                text += name + " is there; ";
            }
        }
        for (auto const& [name, expected] : model_) {
            if (std::string const now = look(name); now != expected || !names.contains(name)) {
                text += fmt::format("{} is '{}' and should be '{}'; ", name, now, expected);
            }
        }
        return text;
    }
    // Requests that were under way at a kill and were answered with EIO.
    [[nodiscard]] int lost() const { return lost_; }
    // Looks again at what the last step was about, of which nobody knows whether it happened, and
    // at what could not be looked at any more.
    void forgive_last() {
        std::string const inode = inode_of(look(last_.first));
        resync(last_.first);
        resync(last_.second);
        for (auto const& [name, value] : std::map{model_}) {
            if (value.starts_with("error") || inode_of(value) == inode) {
                resync(name);
            }
        }
    }

private:
    std::string any() { return fmt::format("n{}", random_() % 8); }
    [[nodiscard]] std::string at(std::string const& name) const { return folder_ + "/" + name; }

    [[nodiscard]] std::string look(std::string const& name) const {
        struct stat info{};
        if (::lstat(at(name).c_str(), &info) != 0) {
            return errno == ENOENT ? "nothing" : fmt::format("error {}", errno);
        }
        if (S_ISDIR(info.st_mode)) {
            return fmt::format("{} folder", info.st_ino);
        }
        if (S_ISLNK(info.st_mode)) {
            std::array<char, 256> target{};
            ssize_t const size = ::readlink(at(name).c_str(), target.data(), target.size());
            return size < 0 ? fmt::format("error {}", errno)
                            : fmt::format(
                                  "{} link to {}", info.st_ino,
                                  std::string_view{target.data(), static_cast<std::size_t>(size)});
        }
        return fmt::format("{} {}", info.st_ino, read_text(at(name)));
    }
    static std::string inode_of(std::string const& seen) { return seen.substr(0, seen.find(' ')); }
    void resync(std::string const& name) {
        std::string const now = look(name);
        model_.erase(name);
        if (now != "nothing") {
            model_[name] = now;
        }
    }

    void renamed(std::string const& name, std::string const& other) {
        if (name == other || model_[name] == model_[other]) {
            return;  // two names of one file: nothing happens
        }
        model_[other] = model_[name];
        model_.erase(name);
    }

    template <typename F>
    bool change(std::string const& name, std::string const& other, int result, F&& record) {
        int const code = errno;
        last_ = {name, other};
        if (result == 0) {
            record();
            return true;
        }
        return outlives(name, other, code);
    }
    bool outlives(std::string const& name, std::string const& other, int code) {
        if (code == EIO) {
            ++lost_;
            resync(name);
            resync(other);
        }
        return code != ENOTCONN && code != ECONNABORTED;
    }

    bool write(std::string const& name) {
        last_ = {name, name};
        std::string const text = fmt::format("text {}", random_());
        base::UniqueFd const fd{
            ::open(at(name).c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644)};
        if (!fd.valid()) {
            return outlives(name, name, errno);
        }
        if (::ftruncate(fd.get(), 0) != 0 ||
            ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            return outlives(name, name, errno);
        }
        struct stat info{};
        if (::fstat(fd.get(), &info) != 0) {
            return outlives(name, name, errno);
        }
        // All its names have the new text.
        std::string const identity = fmt::format("{} ", info.st_ino);
        for (auto& [known, value] : model_) {
            if (value.starts_with(identity)) {
                value = identity + text;
            }
        }
        model_[name] = identity + text;
        return true;
    }

    std::string folder_;
    std::mt19937_64 random_;
    std::map<std::string, std::string> model_;
    std::pair<std::string, std::string> last_;
    int lost_ = 0;
};

std::vector<Worker> workers_in(MountedImage const& image, std::uint64_t seed) {
    std::vector<Worker> workers;
    // In folders of the image and in new ones.
    for (std::string const& folder :
         {std::string{"etc/one"}, std::string{"srv/two"}, std::string{"three"}}) {
        REQUIRE(::mkdir((image / folder).c_str(), 0755) == 0);
        workers.emplace_back(image / folder, seed + workers.size());
    }
    return workers;
}

// Does the same over and over on one processor, for which the server has a queue of its own, until
// told to stop or until something fails.
class Program {
public:
    using Step = std::function<std::string(std::uint64_t round)>;  // what failed; empty: nothing

    Program(unsigned processor, Step step)
        : thread_([this, processor, step = std::move(step)] { run(processor, step); }) {}
    Program(Program const&) = delete;
    Program& operator=(Program const&) = delete;
    ~Program() { end(); }

    [[nodiscard]] std::uint64_t rounds() const { return rounds_.load(); }
    // Bounded: false when the program hangs.
    [[nodiscard]] bool goes_on(std::uint64_t rounds) const {
        std::uint64_t const goal = rounds_.load() + rounds;
        for (int i = 0; i < kMinuteInPauses && rounds_.load() < goal && !failed_.load(); ++i) {
            ::usleep(10'000);
        }
        return rounds_.load() >= goal || failed_.load();
    }
    // What failed; empty: nothing.
    std::string end() {
        stop_.store(true);
        if (thread_.joinable()) {
            thread_.join();
        }
        return failure_;
    }

private:
    void run(unsigned processor, Step const& step) {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(processor, &only);
        if (::sched_setaffinity(0, sizeof(only), &only) != 0) {
            failure_ = fmt::format("sched_setaffinity {}: {}", processor, errno);
        }
        while (failure_.empty() && !stop_.load()) {
            failure_ = step(rounds_.load());
            rounds_.fetch_add(1);
        }
        failed_.store(!failure_.empty());
    }

    std::atomic<std::uint64_t> rounds_{0};
    std::atomic<bool> stop_{false};
    std::atomic<bool> failed_{false};
    std::string failure_;
    std::thread thread_;
};

std::string failed(std::string_view what, std::string const& path) {
    int const code = errno;
    return fmt::format("{} {}: {}", what, path, std::strerror(code));
}

// A name that nobody has asked for before, so that the kernel does not know that it is missing.
std::string look_for_missing(std::string const& folder, std::uint64_t round) {
    std::string const path = fmt::format("{}/missing-{}", folder, round);
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0) {
        return path + " is there";
    }
    return errno == ENOENT ? "" : failed("lstat", path);
}

std::string make_move_and_remove(std::string const& folder, std::uint64_t round) {
    std::string const path = fmt::format("{}/made-{}", folder, round);
    std::string const moved = fmt::format("{}/moved-{}", folder, round % 3);
    base::UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
    if (!fd.valid()) {
        return failed("create", path);
    }
    fd = base::UniqueFd{};
    if (::rename(path.c_str(), moved.c_str()) != 0) {
        return failed("rename", path);
    }
    return ::unlink(moved.c_str()) == 0 ? "" : failed("unlink", moved);
}

constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;
constexpr std::uint64_t kPieces = 4;

std::string piece_of(std::uint64_t round) {
    return std::string(kPieceBytes, static_cast<char>('a' + round % 26));
}

// By a kill in the middle of a large request io_uring may end it with EINTR (fs/README.md).
bool is_interrupted() {
    return errno == EINTR && transport_under_test() == fs::MountOptions::Transport::io_uring;
}

std::string write_piece(int file, std::uint64_t round) {
    std::string const piece = piece_of(round);
    auto const at = static_cast<off_t>(round % kPieces * kPieceBytes);
    while (::pwrite(file, piece.data(), piece.size(), at) != static_cast<ssize_t>(piece.size())) {
        if (!is_interrupted()) {
            return failed("pwrite", std::to_string(round));
        }
    }
    return "";
}

std::string write_mapped(char* mapping, std::uint64_t round) {
    std::string const piece = piece_of(round);
    char* const at = mapping + round % kPieces * kPieceBytes;
    std::ranges::copy(piece, at);
    return ::msync(at, piece.size(), MS_SYNC) == 0 || is_interrupted()
               ? ""
               : failed("msync", std::to_string(round));
}

// What is left after so many rounds.
std::string pieces_after(std::uint64_t rounds) {
    std::string text;
    for (std::uint64_t piece = 0; piece < kPieces; ++piece) {
        text += piece_of((rounds - 1 - piece) / kPieces * kPieces + piece);
    }
    return text;
}

std::vector<unsigned> some_processors() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    REQUIRE(::sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
    std::vector<unsigned> processors;
    for (unsigned i = 0; i < CPU_SETSIZE && processors.size() < 4; ++i) {
        if (CPU_ISSET(i, &allowed)) {
            processors.push_back(i);
        }
    }
    return processors;
}

}  // namespace

TEST_CASE("programs go on when the server is killed", "[e2e][mount][takeover]") {
    MountedImage image;
    auto const info = image.mount();

    {
        auto const lower = open_fd(image / "etc/issue", O_RDWR);
        auto const reader = open_fd(image / "srv/large", O_RDONLY);
        auto const fresh = open_fd(image / "new", O_RDWR | O_CREAT);
        REQUIRE(::write(fresh.get(), "new\n", 4) == 4);
        auto const unlinked = open_fd(image / "unlinked", O_RDWR | O_CREAT);
        REQUIRE(::write(unlinked.get(), "still here\n", 11) == 11);
        REQUIRE(::unlink((image / "unlinked").c_str()) == 0);
        auto const lower_unlinked = open_fd(image / "bin/suid", O_RDWR);
        REQUIRE(::unlink((image / "bin/suid").c_str()) == 0);
        auto const nameless = open_fd(image / "etc", O_TMPFILE | O_RDWR);
        REQUIRE(::write(nameless.get(), "nameless\n", 9) == 9);
        auto const folder = open_fd(image / "etc", O_RDONLY | O_DIRECTORY);
        REQUIRE(::mkdir((image / "made").c_str(), 0755) == 0);
        void* const mapping =
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fresh.get(), 0);
        REQUIRE(mapping != MAP_FAILED);
        struct stat const issue_before = stat_of_path(image / "etc/issue");
        struct stat const new_before = stat_of_path(image / "new");

        for (int round = 0; round < 3; ++round) {
            CAPTURE(round);
            kill_server(info);
            // Through what was open before.
            std::string const text = fmt::format("round {}\n", round);
            REQUIRE(::pwrite(lower.get(), text.data(), text.size(), 0) ==
                    static_cast<ssize_t>(text.size()));
            CHECK(read_text(image / "etc/issue") == text);
            CHECK(read_text(image / "etc/second-name") == text);
            REQUIRE(::pwrite(fresh.get(), text.data(), text.size(), 0) ==
                    static_cast<ssize_t>(text.size()));
            CHECK(std::string_view{static_cast<char const*>(mapping), text.size()} == text);
            CHECK(read_text(image / "new") == text);  // opened beside the descriptor from before
            CHECK(read_fd(unlinked.get()) == "still here\n");
            CHECK(read_fd(nameless.get()) == "nameless\n");
            REQUIRE(::pwrite(lower_unlinked.get(), "changed", 7, 0) == 7);
            CHECK(read_fd(lower_unlinked.get()) == "changed");
            CHECK_FALSE(exists(image / "bin/suid"));
            CHECK(read_fd(reader.get()) == large_text().substr(0, 4096));
            CHECK(stat_of_path(image / "etc/issue").st_ino == issue_before.st_ino);
            CHECK(stat_of_path(image / "etc/issue").st_nlink == 2);
            CHECK(stat_of_path(image / "new").st_ino == new_before.st_ino);
            REQUIRE(::mkdirat(folder.get(), fmt::format("made-{}", round).c_str(), 0755) == 0);
            CHECK(exists(image / fmt::format("etc/made-{}", round)));
        }
        REQUIRE(::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", nameless.get()).c_str(),
                         AT_FDCWD, (image / "named").c_str(), AT_SYMLINK_FOLLOW) == 0);
        ::munmap(mapping, 4096);
    }
    image.unmount();
    auto again = image.request();
    again.source.container = info.container;
    image.mount(again);
    CHECK(read_text(image / "etc/issue") == "round 2\n");
    CHECK(read_text(image / "named") == "nameless\n");
    CHECK_FALSE(exists(image / "unlinked"));
    CHECK_FALSE(exists(image / "bin/suid"));
}

TEST_CASE("a mount whose holder was killed goes on with its server", "[e2e][mount][takeover]") {
    MountedImage image;
    auto const info = image.mount();
    pid_t const server = server_of(info.pid).value();
    REQUIRE(write_text(image / "new", "before\n"));
    REQUIRE(::kill(static_cast<pid_t>(info.pid), SIGKILL) == 0);
    REQUIRE(ends_soon(info.pid));
    CHECK(read_text(image / "new") == "before\n");
    REQUIRE(::unlink((image / "new").c_str()) == 0);
    std::vector<tools::MountInfo> mounts;
    for (int i = 0; i < kMinuteInPauses && mounts.empty(); ++i) {
        ::usleep(10'000);
        mounts = value_of(tools::list_mounts(image.store()));
    }
    REQUIRE(mounts.size() == 1);
    CHECK(mounts.front().pid == server);
    // It tidies up too.
    CHECK(image.unmount().kept == info.container);
    CHECK(ends_soon(server));
}

TEST_CASE("a storm of kills loses nothing that was answered", "[e2e][mount][takeover]") {
    std::uint64_t const kills = number_from("OBLEA_KILLS", 15);
    std::uint64_t const seed = number_from("OBLEA_SEED", std::random_device{}());
    CAPTURE(seed);
    MountedImage image;
    auto const info = image.mount();
    auto workers = workers_in(image, seed);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (Worker& worker : workers) {
        threads.emplace_back([&] {
            while (!stop.load() && worker.step()) {
            }
        });
    }
    std::mt19937_64 random{seed};
    std::uint64_t killed = 0;
    while (killed < kills) {
        std::this_thread::sleep_for(std::chrono::microseconds{static_cast<int>(random() % 40'000)});
        if (auto const server = server_of(info.pid)) {
            killed += ::kill(*server, SIGKILL) == 0 ? 1U : 0U;
        }
    }
    stop.store(true);
    for (std::thread& thread : threads) {
        thread.join();
    }
    int lost = 0;
    for (Worker const& worker : workers) {
        CHECK(worker.difference() == "");
        lost += worker.lost();
    }
    std::printf("%d requests under way were answered with EIO\n", lost);
    image.unmount();
    auto again = image.request();
    again.source.container = info.container;
    image.mount(again);
    for (Worker const& worker : workers) {
        CHECK(worker.difference() == "");
    }
}

TEST_CASE("files are emptied and written while servers are killed", "[e2e][mount][takeover]") {
    std::uint64_t const kills = number_from("OBLEA_KILLS", 10);
    constexpr int kFiles = 200;
    std::map<std::string, std::string> files;
    for (int i = 0; i < kFiles; ++i) {
        files[fmt::format("srv/file{}", i)] =
            fmt::format("{}{}", i, large_text().substr(0, 70'000));
    }
    MountedImage image{files};
    auto const info = image.mount();
    std::atomic<bool> stop{false};
    std::set<std::string> written;
    std::thread writer{[&] {
        for (int i = 0; !stop.load(); i = (i + 1) % kFiles) {
            std::string const name = fmt::format("srv/file{}", i);
            written.erase(name);
            base::UniqueFd const file{
                ::open((image / name).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC)};
            if (file.valid() && ::write(file.get(), "new", 3) == 3) {
                written.insert(name);
            }
        }
    }};
    std::mt19937_64 random{number_from("OBLEA_SEED", std::random_device{}())};
    for (std::uint64_t killed = 0; killed < kills; ++killed) {
        std::this_thread::sleep_for(std::chrono::microseconds{static_cast<int>(random() % 40'000)});
        kill_server(info);
    }
    stop = true;
    writer.join();
    CHECK_FALSE(written.empty());
    for (std::string const& name : written) {
        CAPTURE(name);
        CHECK(read_text(image / name) == "new");
        CHECK(stat_of_path(image / name).st_size == 3);
    }
    image.unmount();
}

TEST_CASE("after server and holder were killed a remount shows what was answered",
          "[e2e][mount][takeover]") {
    std::uint64_t const seed = number_from("OBLEA_SEED", std::random_device{}());
    CAPTURE(seed);
    MountedImage image;
    auto info = image.mount();
    auto workers = workers_in(image, seed);
    std::mt19937_64 random{seed};
    for (int round = 0; round < 3; ++round) {
        std::vector<std::thread> threads;
        for (Worker& worker : workers) {
            threads.emplace_back([&] {
                while (worker.step()) {
                }
            });
        }
        std::this_thread::sleep_for(
            std::chrono::microseconds{static_cast<int>(20'000 + random() % 80'000)});
        auto const server = server_of(info.pid);
        ::kill(static_cast<pid_t>(info.pid), SIGKILL);
        REQUIRE(server.has_value());
        ::kill(*server, SIGKILL);
        for (std::thread& thread : threads) {
            thread.join();
        }
        REQUIRE(ends_soon(info.pid));
        REQUIRE(ends_soon(*server));
        REQUIRE(tools::unmount_by(image.store(), image.mount_point(), fs::Lazy::no).has_value());
        auto again = image.request();
        again.source.container = info.container;
        info = image.mount(again);
        for (Worker& worker : workers) {
            worker.forgive_last();
            CHECK(worker.difference() == "");
        }
    }
}

TEST_CASE("programs on every queue notice nothing of servers that are killed",
          "[e2e][mount][takeover]") {
    if (transport_under_test() != fs::MountOptions::Transport::io_uring) {
        return;  // by the device a kill may end what is under way with EIO
    }
    std::uint64_t const seed = number_from("OBLEA_SEED", std::random_device{}());
    CAPTURE(seed);
    MountedImage image;
    auto const info = image.mount();
    std::vector<std::unique_ptr<Program>> programs;
    for (unsigned const processor : some_processors()) {
        for (int each = 0; each < 2; ++each) {
            std::string const folder = image / fmt::format("etc/of-{}-{}", processor, each);
            REQUIRE(::mkdir(folder.c_str(), 0755) == 0);
            programs.push_back(std::make_unique<Program>(processor, [folder](std::uint64_t round) {
                return look_for_missing(folder, round);
            }));
            programs.push_back(std::make_unique<Program>(processor, [folder](std::uint64_t round) {
                return make_move_and_remove(folder, round);
            }));
        }
    }
    std::mt19937_64 random{seed};
    bool all_go_on = true;
    for (int kills = 0; kills < 20 && all_go_on; ++kills) {
        std::this_thread::sleep_for(std::chrono::microseconds{static_cast<int>(random() % 20'000)});
        auto const server = server_of(info.pid);
        all_go_on = server.has_value() && ::kill(*server, SIGKILL) == 0;
        for (auto const& program : programs) {
            all_go_on = all_go_on && program->goes_on(3);
        }
    }
    if (!all_go_on) {
        // Else who hangs is waited for without end.
        auto const server = server_of(info.pid);
        ::kill(static_cast<pid_t>(info.pid), SIGKILL);
        if (server.has_value()) {
            ::kill(*server, SIGKILL);
        }
    }
    CHECK(all_go_on);
    for (auto const& program : programs) {
        CHECK(program->end() == "");
    }
}

TEST_CASE("large writes notice nothing of servers that are killed", "[e2e][mount][takeover]") {
    std::uint64_t const kills = number_from("OBLEA_KILLS", 25);
    std::uint64_t const seed = number_from("OBLEA_SEED", std::random_device{}());
    CAPTURE(seed);
    MountedImage image;
    auto request = image.request();
    if (request.options.data == fs::MountOptions::Data::automatic) {
        request.options.data = fs::MountOptions::Data::cached;  // else the kernel writes by itself
    }
    auto const info = image.mount(request);
    auto written = open_fd(image / "written", O_RDWR | O_CREAT);
    auto mapped = open_fd(image / "mapped", O_RDWR | O_CREAT);
    REQUIRE(::ftruncate(mapped.get(), kPieces * kPieceBytes) == 0);
    void* const mapping =
        ::mmap(nullptr, kPieces * kPieceBytes, PROT_READ | PROT_WRITE, MAP_SHARED, mapped.get(), 0);
    REQUIRE(mapping != MAP_FAILED);
    std::uint64_t rounds = 0;
    {
        auto const processors = some_processors();
        Program writer{processors.front(),
                       [&](std::uint64_t round) { return write_piece(written.get(), round); }};
        Program mapper{processors.back(), [&](std::uint64_t round) {
                           return write_mapped(static_cast<char*>(mapping), round);
                       }};
        std::mt19937_64 random{seed};
        // Only from its second round on is a server prepared for large requests.
        bool both_go_on = writer.goes_on(2 * kPieces) && mapper.goes_on(2 * kPieces);
        for (std::uint64_t killed = 0; killed < kills && both_go_on;) {
            auto const server = server_of(info.pid);
            // Also one that has just begun.
            std::this_thread::sleep_for(
                std::chrono::microseconds{static_cast<int>(random() % 20'000)});
            killed += server.has_value() && ::kill(*server, SIGKILL) == 0 ? 1U : 0U;
            both_go_on = killed % 3 != 0 || (writer.goes_on(1) && mapper.goes_on(1));
        }
        both_go_on = both_go_on && writer.goes_on(kPieces) && mapper.goes_on(kPieces);
        CHECK(both_go_on);
        CHECK(writer.end() == "");
        CHECK(mapper.end() == "");
        rounds = writer.rounds();
    }
    ::munmap(mapping, kPieces * kPieceBytes);
    written = {};
    mapped = {};
    REQUIRE(rounds >= kPieces);
    CHECK((read_text(image / "written") == pieces_after(rounds)));
    image.unmount();
}
