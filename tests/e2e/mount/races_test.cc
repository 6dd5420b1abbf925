// SPDX-License-Identifier: MIT
// Threads that change one file at the same time: which of them comes first nobody can say, but
// afterwards everybody who looks sees the same, and it is what some order of theirs gives.
//
// Each test holds on any local file system: OBLEA_RACE_PLAIN=FOLDER runs it there.
// OBLEA_RACE_ROUNDS sets how often, OBLEA_SEED replays the choice of operations.
#include "mounted_image.h"
#include "open_file.h"
#include "tests/support/random.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <thread>

using namespace oblea;
using namespace oblea::test;

namespace {

constexpr std::size_t kPage = 4096;

std::size_t rounds(std::size_t usual) {
    char const* const chosen = std::getenv("OBLEA_RACE_ROUNDS");
    return chosen != nullptr ? std::stoul(chosen) : usual;
}

// A mount with a small and a large file of the image, or a plain folder with the same.
class Place {
public:
    // `fresh`: how many more files there are, each of which can be opened for the first time once.
    explicit Place(std::size_t fresh = 0) {
        if (char const* const plain = std::getenv("OBLEA_RACE_PLAIN")) {
            folder_ = plain;
            for (auto const& [name, text] : files(fresh)) {
                REQUIRE(write_text(folder_ + '/' + name, text));
            }
            return;
        }
        std::map<std::string, std::string> objects;
        for (auto const& [name, text] : files(fresh)) {
            objects["race/" + name] = text;
        }
        image_ = std::make_unique<MountedImage>(objects);
        image_->mount();
        folder_ = *image_ / "race";
    }
    std::string operator/(std::string const& name) const { return folder_ + '/' + name; }
    void done() {
        if (image_ != nullptr) {
            image_->unmount();
        }
    }
    static std::string small() { return large_text().substr(0, 5 * kPage / 2); }
    static std::string fresh_name(std::size_t number) { return "fresh-" + std::to_string(number); }
    static std::string fresh_text(std::size_t number) {
        return fresh_name(number) + large_text().substr(0, 32 * kPage);
    }

private:
    static std::map<std::string, std::string> files(std::size_t fresh) {
        std::map<std::string, std::string> all{{"small", small()}, {"large", large_text()}};
        for (std::size_t i = 0; i < fresh; ++i) {
            all[fresh_name(i)] = fresh_text(i);
        }
        return all;
    }
    std::unique_ptr<MountedImage> image_;
    std::string folder_;
};

void run_together(std::vector<std::function<void()>> const& jobs) {
    std::vector<std::thread> threads;
    threads.reserve(jobs.size());
    for (auto const& job : jobs) {
        threads.emplace_back(job);
    }
    for (std::thread& one : threads) {
        one.join();
    }
}

// Checks are for the main thread alone; others open without one.
base::UniqueFd quietly_open(std::string const& path, int flags) {
    return base::UniqueFd{::open(path.c_str(), flags | O_CLOEXEC)};
}

void read_through(int fd) {
    std::string piece(std::size_t{1} << 20U, '\0');
    off_t at = 0;
    for (ssize_t count = 1; count > 0; at += count) {
        count = ::pread(fd, piece.data(), piece.size(), at);
    }
}

std::string all_of(int fd) {
    std::string text;
    std::string piece(std::size_t{1} << 20U, '\0');
    for (;;) {
        ssize_t const count =
            ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(text.size()));
        REQUIRE(count >= 0);
        if (count == 0) {
            return text;
        }
        text.append(piece, 0, static_cast<std::size_t>(count));
    }
}

// Past every cache: what the file is where it is stored.
std::string stored(std::string const& path) {
    OpenFile const file{path, O_RDONLY | O_DIRECT};
    constexpr std::size_t kBytes = std::size_t{2} << 20U;
    std::unique_ptr<char, decltype(&std::free)> const buffer{
        static_cast<char*>(std::aligned_alloc(kPage, kBytes)), &std::free};
    ssize_t const count = ::pread(file.get(), buffer.get(), kBytes, 0);
    REQUIRE(count >= 0);
    REQUIRE(static_cast<std::size_t>(count) < kBytes);
    return std::string{buffer.get(), static_cast<std::size_t>(count)};
}

// Where two texts part, for messages.
std::string difference(std::string const& one, std::string const& other) {
    if (one == other) {
        return {};
    }
    auto const at = std::ranges::mismatch(one, other).in1 - one.begin();
    auto const byte = [&](std::string const& text) {
        return static_cast<std::size_t>(at) < text.size()
                   ? std::to_string(static_cast<unsigned char>(text[static_cast<std::size_t>(at)]))
                   : std::string{"the end"};
    };
    return "at " + std::to_string(at) + " of " + std::to_string(one.size()) + " and " +
           std::to_string(other.size()) + ": " + byte(one) + " and " + byte(other);
}

void everybody_agrees(std::string const& path, OpenFile const& before) {
    struct stat const st = stat_of_path(path);
    std::string const fresh = all_of(OpenFile{path, O_RDONLY}.get());
    CHECK(difference(all_of(before.get()), fresh) == "");
    CHECK(static_cast<std::size_t>(st.st_size) == fresh.size());
    if (!fresh.empty() && static_cast<std::size_t>(st.st_size) == fresh.size()) {
        Mapping const mapped{before, fresh.size(), PROT_READ, MAP_SHARED};
        CHECK(difference(std::string{mapped.text(0, fresh.size())}, fresh) == "");
    }
    REQUIRE(::fdatasync(before.get()) == 0);  // what mappings have made dirty
    CHECK(difference(stored(path), fresh) == "");
}

// One operation of a thread, by descriptors of its own and from before.
class Changer {
public:
    Changer(std::string path, OpenFile const& before, std::size_t size_max)
        : path_(std::move(path)), before_(before), size_max_(size_max),
          mapping_(before, size_max, PROT_READ | PROT_WRITE, MAP_SHARED) {}

    enum class Kind {
        write,
        write_page,
        append,
        truncate,
        truncate_open,
        open,
        punch,
        zero,
        copy,
        read,
        forget_pages,
        map_read,
        map_write,
        sync,
        count
    };

    void operator()(Random& random) {
        auto const offset = static_cast<off_t>(random.below(size_max_));
        auto const length = static_cast<off_t>(1 + random.below(random.one_in(4) ? 20'000 : 5'000));
        std::string const text(static_cast<std::size_t>(length),
                               static_cast<char>('a' + random.below(26)));
        auto const page = static_cast<off_t>(static_cast<std::size_t>(offset) / kPage * kPage);
        switch (static_cast<Kind>(random.below(static_cast<std::uint64_t>(Kind::count)))) {
        case Kind::write:
            may(::pwrite(before_.get(), text.data(), text.size(), offset));
            break;
        case Kind::write_page:
            may(::pwrite(before_.get(), std::string(kPage, text[0]).data(), kPage, page));
            break;
        case Kind::append:
            may(::write(quietly_open(path_, O_WRONLY | O_APPEND).get(), text.data(),
                        std::min<std::size_t>(text.size(), 500)));
            break;
        case Kind::truncate:
            may(random.one_in(2) ? ::truncate(path_.c_str(), offset)
                                 : ::ftruncate(before_.get(), offset));
            break;
        case Kind::truncate_open:
            may(quietly_open(path_, O_WRONLY | O_TRUNC).get());
            break;
        case Kind::open:
            may(quietly_open(path_, O_RDONLY).get());
            break;
        case Kind::punch:
            may(::fallocate(before_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                            length));
            break;
        case Kind::zero:
            may(::fallocate(before_.get(),
                            FALLOC_FL_ZERO_RANGE | (random.one_in(2) ? FALLOC_FL_KEEP_SIZE : 0),
                            offset, length));
            break;
        case Kind::copy: {
            off_t from = static_cast<off_t>(random.below(kPage));
            off_t to = offset;
            may(::copy_file_range(quietly_open(path_ + "-source", O_RDONLY).get(), &from,
                                  before_.get(), &to, static_cast<std::size_t>(length), 0));
            break;
        }
        case Kind::read:
            read_through(quietly_open(path_, O_RDONLY).get());
            break;
        case Kind::forget_pages:
            may(::posix_fadvise(before_.get(), 0, 0, POSIX_FADV_DONTNEED));
            break;
        // Both fail where the file has no such page at the moment.
        case Kind::map_read:
            static_cast<void>(::madvise(mapping_.data() + page, kPage, MADV_POPULATE_READ));
            break;
        case Kind::map_write:
            static_cast<void>(::madvise(mapping_.data() + page, kPage, MADV_POPULATE_WRITE));
            break;
        case Kind::sync:
        case Kind::count:
            may(::fdatasync(before_.get()));
            break;
        }
    }

    int failures() const { return failures_; }

private:
    void may(ssize_t result) { failures_ += result < 0 ? 1 : 0; }

    std::string path_;
    OpenFile const& before_;
    std::size_t size_max_;
    Mapping mapping_;
    int failures_ = 0;
};

}  // namespace

TEST_CASE("after changes that race everybody sees the same", "[e2e][coherence][races]") {
    Place place;
    std::string const name = GENERATE(as<std::string>{}, "small", "large", "new");
    std::string const path = place / name;
    auto const seed = random_seed();
    CAPTURE(name, seed);
    if (name == "new") {
        REQUIRE(write_text(path, "new"));
    }
    REQUIRE(write_text(path + "-source", large_text()));
    {
        OpenFile const before{path, O_RDWR};
        static_cast<void>(all_of(before.get()));
        std::size_t const size_max = name == "large" ? large_text().size() + 50'000 : 6 * kPage;
        std::size_t const count = rounds(100);
        std::array<Random, 3> randoms{Random{seed}, Random{seed + 1}, Random{seed + 2}};
        int failures = 0;
        for (std::size_t round = 0; round < count; ++round) {
            CAPTURE(round);
            std::array<Changer, 3> changers{Changer{path, before, size_max},
                                            Changer{path, before, size_max},
                                            Changer{path, before, size_max}};
            std::vector<std::function<void()>> jobs;
            for (std::size_t i = 0; i < changers.size(); ++i) {
                jobs.emplace_back([&, i] {
                    for (int step = 0; step < 5; ++step) {
                        changers[i](randoms[i]);
                    }
                });
            }
            run_together(jobs);
            for (Changer const& one : changers) {
                failures += one.failures();
            }
            everybody_agrees(path, before);
        }
        CHECK(failures == 0);
    }
    place.done();
}

TEST_CASE("who appends to a file that others empty loses nothing and leaves no hole",
          "[e2e][coherence][races]") {
    Place place;
    std::string const path = place / "small";
    auto const record = [](std::size_t number) {
        std::string text = std::to_string(number);
        text.resize(99, '.');
        return text + '\n';
    };
    {
        OpenFile const log{path, O_WRONLY | O_APPEND};
        OpenFile const reader{path, O_RDONLY};
        static_cast<void>(all_of(reader.get()));
        REQUIRE(::truncate(path.c_str(), 0) == 0);
        bool const by_open = GENERATE(true, false);
        CAPTURE(by_open);
        std::size_t next = 0;
        std::size_t const count = rounds(200);
        for (std::size_t round = 0; round < count; ++round) {
            std::atomic<int> failed{0};
            run_together({[&] {
                              for (std::size_t const end = next + 20; next < end; ++next) {
                                  failed += ::write(log.get(), record(next).data(), 100) != 100;
                              }
                          },
                          [&] {
                              for (int i = 0; i < 3; ++i) {
                                  if (by_open) {
                                      failed += !quietly_open(path, O_WRONLY | O_TRUNC).valid();
                                  } else {
                                      failed += ::truncate(path.c_str(), 0) != 0;
                                  }
                              }
                          },
                          [&] {
                              struct stat st{};
                              failed += ::stat(path.c_str(), &st) != 0;
                          }});
            CAPTURE(round);
            REQUIRE(failed == 0);
            // What was written since the last time that it was emptied.
            std::string const text = all_of(reader.get());
            REQUIRE(text.size() % 100 == 0);
            std::string expected;
            for (std::size_t number = next - text.size() / 100; number < next; ++number) {
                expected += record(number);
            }
            REQUIRE(difference(text, expected) == "");
            REQUIRE(stat_of_path(path).st_size == static_cast<off_t>(text.size()));
        }
    }
    place.done();
}

TEST_CASE("who appends to a file that an open has emptied loses nothing",
          "[e2e][coherence][races]") {
    std::size_t const count = rounds(60);
    Place place{count};
    for (std::size_t round = 0; round < count; ++round) {
        CAPTURE(round);
        std::string const path = place / Place::fresh_name(round);
        std::string expected;
        std::atomic<int> failed{0};
        std::atomic<bool> is_open{false};
        run_together({[&] {
                          auto const file = quietly_open(path, O_WRONLY | O_TRUNC);
                          failed += !file.valid();
                          is_open = true;
                      },
                      [&] {
                          // Emptied by that open, which may not have ended yet.
                          for (bool is_last = false; !is_last && expected.empty();) {
                              is_last = is_open;
                              auto const file = quietly_open(path, O_RDWR | O_APPEND);
                              char byte = 0;
                              if (::pread(file.get(), &byte, 1, 0) == 0) {
                                  expected = "appended";
                                  failed += ::write(file.get(), expected.data(), expected.size()) !=
                                            static_cast<ssize_t>(expected.size());
                              }
                          }
                      }});
        REQUIRE(failed == 0);
        CHECK(difference(all_of(OpenFile{path, O_RDONLY}.get()), expected) == "");
        CHECK(stat_of_path(path).st_size == static_cast<off_t>(expected.size()));
        CHECK(expected == "appended");
    }
    place.done();
}

TEST_CASE("who is killed while it empties a file leaves it full or empty",
          "[e2e][coherence][races]") {
    std::size_t const count = rounds(60);
    Place place{count};
    Random random{random_seed()};
    for (std::size_t round = 0; round < count; ++round) {
        CAPTURE(round);
        std::string const path = place / Place::fresh_name(round);
        static_cast<void>(all_of(OpenFile{path, O_RDONLY}.get()));
        pid_t const child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            static_cast<void>(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
            ::_exit(0);
        }
        ::usleep(static_cast<useconds_t>(random.below(400)));
        REQUIRE(::kill(child, SIGKILL) == 0);
        REQUIRE(::waitpid(child, nullptr, 0) == child);
        OpenFile const file{path, O_RDONLY};
        std::string const text = all_of(file.get());
        CHECK((text.empty() || difference(text, Place::fresh_text(round)) == ""));
        CHECK(stat_of_path(path).st_size == static_cast<off_t>(text.size()));
        CHECK(difference(stored(path), text) == "");
    }
    place.done();
}

TEST_CASE("what was cut does not come back, whoever reads meanwhile", "[e2e][coherence][races]") {
    Place place;
    std::string const path = place / "small";
    constexpr std::size_t kSize = 4 * kPage;
    {
        OpenFile const file{path, O_RDWR};
        std::atomic<bool> done{false};
        std::vector<std::thread> readers;
        for (std::size_t i = 0; i < 3; ++i) {
            readers.emplace_back([&, i] {
                std::string text(kPage, '\0');
                while (!done) {
                    static_cast<void>(::pread(file.get(), text.data(), text.size(),
                                              static_cast<off_t>(i * kPage)));
                }
            });
        }
        std::size_t const count = rounds(500);
        std::size_t wrong = 0;
        for (std::size_t round = 0; round < count; ++round) {
            file.write(std::string(kSize, 'x'), 0);
            REQUIRE(::ftruncate(file.get(), 0) == 0);
            file.write("y", kSize);  // lengthens it: nothing but zeros before
            wrong += file.read(kSize) != std::string(kSize, '\0');
            REQUIRE(::ftruncate(file.get(), 0) == 0);
        }
        done = true;
        for (std::thread& reader : readers) {
            reader.join();
        }
        CHECK(wrong == 0);
    }
    place.done();
}

TEST_CASE("what is written by a mapping makes the file newer", "[e2e][coherence]") {
    Place place;
    std::string const path = place / GENERATE(as<std::string>{}, "small", "new");
    {
        OpenFile const file{path, O_RDWR | O_CREAT};
        file.write("x", 0);
        struct timespec const old[2] = {{.tv_sec = 1000, .tv_nsec = 0},
                                        {.tv_sec = 1000, .tv_nsec = 0}};
        REQUIRE(::futimens(file.get(), old) == 0);
        REQUIRE(stat_of_path(path).st_mtime == 1000);
        Mapping const mapping{file, kPage, PROT_READ | PROT_WRITE, MAP_SHARED};
        mapping.data()[0] = 'y';
        REQUIRE(::msync(mapping.data(), kPage, MS_SYNC) == 0);
        CHECK(stat_of_path(path).st_mtime > 1000);
    }
    CHECK(stat_of_path(path).st_mtime > 1000);
    place.done();
}

TEST_CASE("data that a mapping has brought to the disk is found in a hole", "[e2e][coherence]") {
    Place place;
    std::string const path = place / "sparse";
    {
        OpenFile const file{path, O_RDWR | O_CREAT};
        REQUIRE(::ftruncate(file.get(), 64 * kPage) == 0);
        Mapping const mapping{file, 64 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED};
        mapping.data()[20 * kPage] = 'y';
        REQUIRE(::msync(mapping.data(), 64 * kPage, MS_SYNC) == 0);
        CHECK(::lseek(file.get(), 0, SEEK_DATA) == static_cast<off_t>(20 * kPage));
    }
    place.done();
}

TEST_CASE("reading past the cache ends where the file was cut", "[e2e][coherence]") {
    Place place;
    std::string const path = place / "small";
    {
        OpenFile const file{path, O_RDWR};
        static_cast<void>(all_of(file.get()));
        REQUIRE(::ftruncate(file.get(), 100) == 0);
    }
    CHECK(difference(stored(path), Place::small().substr(0, 100)) == "");
    place.done();
}
