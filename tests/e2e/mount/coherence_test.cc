// SPDX-License-Identifier: MIT
// The coherence law through the kernel: whoever reads, by whatever descriptor or mapping, opened
// before or after a copy-up, sees the last completed write. Files are those of the image.
#include "mounted_image.h"
#include "open_file.h"
#include "tests/support/random.h"

#include <sys/wait.h>

#include <atomic>
#include <cstring>
#include <map>
#include <set>
#include <stop_token>
#include <thread>

using namespace oblea;
using namespace oblea::test;

namespace {

constexpr std::size_t kPage = 4096;

// Every file below the store's layers and objects, with its contents.
std::map<std::string, std::string> sealed(MountedImage const& image) {
    std::map<std::string, std::string> files;
    for (char const* const part : {"store/layers", "store/objects"}) {
        for (auto const& entry :
             std::filesystem::recursive_directory_iterator{image.temp() / part}) {
            if (entry.is_regular_file()) {
                files[entry.path()] = read_text(entry.path());
            }
        }
    }
    return files;
}

std::uint64_t number_from(char const* variable, std::uint64_t otherwise) {
    char const* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::stoull(text);
}

// Kills the server of a mount again and again while it lives, with a random time between.
class ServerKills {
public:
    // `pause_ms`: on average; 0: nothing is killed.
    ServerKills(std::int64_t holder, std::uint64_t pause_ms, std::uint64_t seed) {
        if (pause_ms > 0) {
            thread_ = std::jthread{[=](std::stop_token const& stop) {
                Random random{seed};
                std::uint64_t killed = 0;
                while (!stop.stop_requested()) {
                    ::usleep(static_cast<useconds_t>(random.below(2000 * pause_ms)));
                    auto const server = server_of(holder);
                    killed += server.has_value() && ::kill(*server, SIGKILL) == 0 ? 1U : 0U;
                }
                std::printf("%llu servers were killed\n", static_cast<unsigned long long>(killed));
            }};
        }
    }

private:
    std::jthread thread_;
};

}  // namespace

TEST_CASE("mappings made before a copy-up show what is written after it", "[e2e][coherence]") {
    MountedImage image;
    image.mount();
    {
        OpenFile const before{image / "srv/large", O_RDONLY};
        Mapping const shared{before, 4 * kPage, PROT_READ, MAP_SHARED};
        Mapping const clean{before, 4 * kPage, PROT_READ, MAP_PRIVATE};
        Mapping const own{before, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE};
        std::string const old = large_text();
        CHECK(shared.text(0, 4 * kPage) == old.substr(0, 4 * kPage));
        CHECK(clean.text(0, 4 * kPage) == old.substr(0, 4 * kPage));
        own.data()[0] = '@';

        OpenFile const writer{image / "srv/large", O_RDWR};
        Mapping const written{writer, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED};
        writer.write("WRITE", 10);
        written.data()[kPage] = '#';
        CHECK(shared.text(10, 5) == "WRITE");
        CHECK(clean.text(10, 5) == "WRITE");
        CHECK(shared.text(kPage, 1) == "#");
        CHECK(before.read(1, kPage) == "#");
        // A private page that was changed is its owner's.
        CHECK(own.text(0, 1) == "@");
        CHECK(own.text(10, 5) == old.substr(10, 5));
        CHECK(shared.text(0, 1) == old.substr(0, 1));
        REQUIRE(::msync(written.data(), 4 * kPage, MS_SYNC) == 0);
    }
    std::string expected = large_text();
    expected.replace(10, 5, "WRITE");
    expected[kPage] = '#';
    CHECK(read_text(image / "srv/large") == expected);
    image.unmount();
}

TEST_CASE("a file that is read is truncated, lengthened and replaced", "[e2e][coherence]") {
    MountedImage image;
    image.mount();
    {
        OpenFile const reader{image / "srv/large", O_RDONLY};
        std::string const old = large_text();
        CHECK(reader.read(100) == old.substr(0, 100));
        SECTION("truncated by name") {
            REQUIRE(::truncate((image / "srv/large").c_str(), 50) == 0);
            CHECK(reader.read(100) == old.substr(0, 50));
            REQUIRE(::truncate((image / "srv/large").c_str(), 80) == 0);
            CHECK(reader.read(100) == old.substr(0, 50) + std::string(30, '\0'));
        }
        SECTION("emptied by open, and written shorter") {
            OpenFile const writer{image / "srv/large", O_WRONLY | O_TRUNC};
            CHECK(reader.read(100).empty());
            writer.write("new", 0);
            CHECK(reader.read(100) == "new");
        }
        SECTION("replaced by a rename: the reader keeps what it opened") {
            REQUIRE(write_text(image / "srv/other", "other"));
            REQUIRE(::rename((image / "srv/other").c_str(), (image / "srv/large").c_str()) == 0);
            CHECK(reader.read(100) == old.substr(0, 100));
            CHECK(read_text(image / "srv/large") == "other");
            struct stat st{};
            REQUIRE(::fstat(reader.get(), &st) == 0);
            CHECK(st.st_nlink == 0);
        }
        SECTION("by its other name") {
            OpenFile const other{image / "etc/second-name", O_RDONLY};
            OpenFile const writer{image / "etc/issue", O_WRONLY};
            writer.write("HE", 0);
            CHECK(other.read(10) == "HEllo\n");
            CHECK(read_text(image / "etc/second-name") == "HEllo\n");
        }
    }
    image.unmount();
}

TEST_CASE("a small file that is overwritten never shows old content and zeros",
          "[e2e][coherence]") {
    MountedImage image;
    image.mount();
    std::string const path = image / "etc/issue";
    std::string const wanted = "a longer text than the image has\n";
    std::atomic<bool> done{false};
    std::vector<std::string> seen_wrong;
    std::thread reader{[&] {
        while (!done) {
            // By one read: two of them may see two states on any file system.
            base::UniqueFd const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
            std::string text(100, '\0');
            ssize_t const count = ::pread(file.get(), text.data(), text.size(), 0);
            text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
            // The old text, or as much of the new one as is written.
            if (count < 0 || (text != "hello\n" && !wanted.starts_with(text))) {
                seen_wrong.push_back(count < 0 ? std::strerror(errno) : text);
            }
        }
    }};
    int wrong = 0;
    for (int i = 0; i < 50; ++i) {
        wrong += !write_text(path, wanted) || read_text(path) != wanted;
        wrong += !write_text(path, "hello\n") || read_text(path) != "hello\n";
    }
    done = true;
    reader.join();
    CHECK(wrong == 0);
    CHECK(seen_wrong == std::vector<std::string>{});
    image.unmount();
}

TEST_CASE("who reads while a file is emptied sees no byte that nobody wrote", "[e2e][coherence]") {
    MountedImage image;
    image.mount();
    std::string const path = image / "srv/cut";
    REQUIRE(write_text(path, ""));
    // The kernel has to ask for the last page, which is not written as a whole.
    std::string const whole(2 * kPage + 100, 'x');
    std::atomic<bool> done{false};
    std::set<std::string> seen_wrong;
    std::thread reader{[&] {
        while (!done) {
            base::UniqueFd const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
            std::string text(whole.size(), '\0');
            ssize_t const count = ::pread(file.get(), text.data(), text.size(), 0);
            text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
            auto const stranger = text.find_first_not_of('x');
            if (count < 0 || stranger != std::string::npos) {
                seen_wrong.insert(std::to_string(count) + " read, wrong from " +
                                  std::to_string(stranger));
            }
        }
    }};
    {
        OpenFile const writer{path, O_RDWR};
        for (int i = 0; i < 300; ++i) {
            writer.write(whole, 0);
            // To nothing: zeros behind a cut within a page, readers of local file systems see too.
            REQUIRE((i % 2 == 0 ? ::truncate(path.c_str(), 0) : ::ftruncate(writer.get(), 0)) == 0);
        }
    }
    done = true;
    reader.join();
    CHECK(seen_wrong == std::set<std::string>{});
    image.unmount();
}

TEST_CASE("pages rewritten in place are all there", "[e2e][coherence]") {
    // As package managers rewrite their database, which came from a lower layer.
    MountedImage image;
    image.mount();
    auto const seed = random_seed();
    CAPTURE(seed);
    Random random{seed};
    std::string model = large_text();
    {
        OpenFile const reader{image / "srv/large", O_RDONLY};
        OpenFile const writer{image / "srv/large", O_RDWR};
        std::size_t const pages = model.size() / kPage;
        for (int round = 0; round < 400; ++round) {
            std::size_t const at = random.below(pages) * kPage;
            std::string const page(kPage, static_cast<char>('a' + random.below(26)));
            writer.write(page, static_cast<off_t>(at));
            model.replace(at, kPage, page);
            std::size_t const look = random.below(pages) * kPage;
            REQUIRE(reader.read(kPage, static_cast<off_t>(look)) == model.substr(look, kPage));
        }
        REQUIRE(::fsync(writer.get()) == 0);
    }
    CHECK(read_text(image / "srv/large") == model);
    auto request = image.request();
    request.source.container = tools::list_mounts(image.store())->front().container;
    image.unmount();
    image.mount(request);
    CHECK(read_text(image / "srv/large") == model);
    image.unmount();
}

TEST_CASE("90 MB of pages that come from the image are rewritten one by one", "[e2e][coherence]") {
    // As rpm does it with its database. The copy-up is by blocks; the server is killed on the way.
    if (data_under_test() != fs::MountOptions::Data::automatic) {
        return;  // one mode does for the size; the smaller ones above run in each
    }
    constexpr std::size_t kPages = 90 * 256;
    auto const page_of = [](std::size_t page, char version) {
        std::string text = std::to_string(page) + version;
        text.resize(kPage, static_cast<char>('a' + page % 26));
        return text;
    };
    std::string model;
    for (std::size_t page = 0; page < kPages; ++page) {
        model += page_of(page, '0');
    }
    MountedImage image{{{"srv/database", model}}};
    auto const info = image.mount();
    {
        OpenFile const reader{image / "srv/database", O_RDONLY};
        OpenFile const writer{image / "srv/database", O_RDWR};
        for (std::size_t i = 0; i < kPages; ++i) {
            std::size_t const page = i * 7919 % kPages;  // in an order of its own, each one once
            writer.write(page_of(page, '1'), static_cast<off_t>(page * kPage));
            if (i % 64 == 0) {
                REQUIRE(reader.read(kPage, static_cast<off_t>(page * kPage)) == page_of(page, '1'));
            }
            if (i == kPages / 2) {
                ::kill(server_of(info.pid).value(), SIGKILL);
            }
        }
        std::size_t wrong = 0;
        for (std::size_t page = 0; page < kPages; ++page) {
            wrong += reader.read(kPage, static_cast<off_t>(page * kPage)) == page_of(page, '1')
                         ? std::size_t{0}
                         : std::size_t{1};
        }
        CHECK(wrong == 0);
    }
    auto request = image.request();
    request.source.container = tools::list_mounts(image.store())->front().container;
    image.unmount();
    image.mount(request);
    model.clear();
    for (std::size_t page = 0; page < kPages; ++page) {
        model += page_of(page, '1');
    }
    CHECK((read_text(image / "srv/database") == model));
    image.unmount();
}

// In the manner of fsx. OBLEA_FSX_STEPS sets how long, OBLEA_SEED replays; with OBLEA_FSX_KILL_MS
// servers are killed meanwhile, with that much time between two kills on average.
TEST_CASE("two descriptors and a mapping, from before and after the copy-up, agree",
          "[e2e][coherence][fsx]") {
    MountedImage image;
    auto const info = image.mount();
    auto const seed = random_seed();
    std::uint64_t const steps = number_from("OBLEA_FSX_STEPS", 1500);
    CAPTURE(seed);
    Random random{seed};
    std::string model = large_text();
    std::size_t const size_max = model.size() + 300'000;
    {
        OpenFile const before{image / "srv/large", O_RDWR};
        Mapping const mapping{before, size_max, PROT_READ | PROT_WRITE, MAP_SHARED};
        CHECK(mapping.text(0, kPage) == model.substr(0, kPage));
        std::optional<OpenFile> after;
        std::uint64_t const copy_up_at = random.below(20);
        ServerKills const kills{info.pid, number_from("OBLEA_FSX_KILL_MS", 0), seed};
        for (std::uint64_t step = 0; step < steps; ++step) {
            CAPTURE(step, model.size());
            if (step == copy_up_at) {
                after.emplace(image / "srv/large", O_RDWR);
            }
            OpenFile const& file = after.has_value() && random.one_in(2) ? *after : before;
            bool const may_change = step >= copy_up_at;
            std::size_t const offset = random.below(size_max - 70'000);
            std::size_t const length = 1 + random.below(random.one_in(6) ? 65'000 : 5'000);
            std::size_t const within =
                offset < model.size() ? std::min(length, model.size() - offset) : 0;
            char const letter = static_cast<char>('a' + random.below(26));
            switch (may_change ? random.below(9) : random.below(3)) {
            case 0:
            case 1:
                REQUIRE(file.read(length, static_cast<off_t>(offset)) ==
                        model.substr(std::min(offset, model.size()), within));
                break;
            case 2:
                REQUIRE(
                    (within == 0 || mapping.text(offset, within) == model.substr(offset, within)));
                break;
            case 3:
            case 4:
                file.write(std::string(length, letter), static_cast<off_t>(offset));
                if (model.size() < offset + length) {
                    model.resize(offset + length);
                }
                model.replace(offset, length, length, letter);
                break;
            case 5:
                std::fill_n(mapping.data() + offset, within, letter);
                model.replace(std::min(offset, model.size()), within, within, letter);
                break;
            case 6:
                if (random.one_in(4)) {
                    std::size_t const size = random.below(size_max);
                    REQUIRE(::ftruncate(file.get(), static_cast<off_t>(size)) == 0);
                    model.resize(size);
                }
                break;
            case 7:
                if (within > 0) {
                    REQUIRE(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        static_cast<off_t>(offset),
                                        static_cast<off_t>(within)) == 0);
                    model.replace(offset, within, within, '\0');
                }
                break;
            default:
                if (random.one_in(8)) {
                    REQUIRE(::msync(mapping.data(), size_max, MS_SYNC) == 0);
                } else if (random.one_in(8)) {
                    REQUIRE(::fdatasync(file.get()) == 0);
                }
            }
        }
    }
    CHECK((read_text(image / "srv/large") == model));
    image.unmount();
}

TEST_CASE("objects and packs are what they were after everything", "[e2e][coherence]") {
    MountedImage image;
    auto const before = sealed(image);
    REQUIRE(before.size() >= 3);
    image.mount();
    {
        OpenFile const reader{image / "srv/large", O_RDONLY};
        Mapping const own{reader, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE};
        own.data()[0] = '@';
        OpenFile const writer{image / "srv/large", O_RDWR};
        Mapping const shared{writer, kPage, PROT_READ | PROT_WRITE, MAP_SHARED};
        shared.data()[1] = '@';
        writer.write("written", 50);
        REQUIRE(::ftruncate(writer.get(), 5000) == 0);
        OpenFile const emptied{image / "etc/issue", O_WRONLY | O_TRUNC};
        REQUIRE(::rename((image / "bin").c_str(), (image / "moved").c_str()) == 0);
        REQUIRE(write_text(image / "moved/suid", "written"));
        REQUIRE(::unlink((image / "etc/second-name").c_str()) == 0);
    }
    image.unmount();
    CHECK((sealed(image) == before));
}
