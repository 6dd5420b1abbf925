// SPDX-License-Identifier: MIT
// Many threads at once: copy-ups that race, and operations on one tree from everywhere.
#include "tests/unit/fs/fixture.h"

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

using namespace oblea;
using namespace oblea::test;
using Fixture = UnionFixture;

namespace {

template <typename F>
void in_threads(int count, F const& work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&work, i] { work(i); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

// What went wrong, told by any thread.
class Failures {
public:
    void add(Status const& outcome) {
        if (!outcome.has_value()) {
            add(outcome.error().message());
        }
    }
    void add(std::string text) {
        std::scoped_lock const lock{mutex_};
        texts_.push_back(std::move(text));
    }
    [[nodiscard]] std::vector<std::string> const& all() const { return texts_; }

private:
    std::mutex mutex_;
    std::vector<std::string> texts_;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "first writers that race share one copy-up", "[fs][race]") {
    std::string const text(100'000, '.');
    std::vector<store::LayerEntry> entries{dir("d")};
    for (int i = 0; i < 20; ++i) {
        entries.push_back(builder.text_file("d/f" + std::to_string(i), text + std::to_string(i)));
    }
    builder.add(std::move(entries));
    UnionDriver& u = start();
    Failures failures;
    for (int file = 0; file < 20; ++file) {
        auto const way = value_of(u.walk("d/f" + std::to_string(file)));
        in_threads(4, [&](int thread) {
            std::string const mine(1000, static_cast<char>('a' + thread));
            failures.add(u.write_all(way.ino, mine, static_cast<std::uint64_t>(thread) * 1000));
        });
        std::string expected = text + std::to_string(file);
        for (int thread = 0; thread < 4; ++thread) {
            expected.replace(static_cast<std::size_t>(thread) * 1000, 1000, 1000,
                             static_cast<char>('a' + thread));
        }
        CHECK(value_of(u.read(way.ino, expected.size())) == expected);
    }
    CHECK(failures.all() == std::vector<std::string>{});
    CHECK(work_entries("tmp") == 0);
}

TEST_CASE_METHOD(Fixture, "readers see one of the completed states while a file is copied up",
                 "[fs][race][coherence]") {
    std::string const before(50'000, 'o');
    std::string after = before;
    after.replace(0, 10, 10, 'n');
    std::vector<store::LayerEntry> entries;
    for (int i = 0; i < 20; ++i) {
        entries.push_back(builder.text_file("f" + std::to_string(i), before));
    }
    builder.add(std::move(entries));
    UnionDriver& u = start();
    std::atomic<int> wrong{0};
    for (int file = 0; file < 20; ++file) {
        auto const way = value_of(u.walk("f" + std::to_string(file)));
        std::atomic<bool> written{false};
        in_threads(3, [&](int thread) {
            if (thread == 0) {
                if (!u->write(way.ino, base::bytes_of("nnnnnnnnnn"), 0).has_value()) {
                    ++wrong;
                }
                written = true;
                return;
            }
            for (int i = 0; i < 20; ++i) {
                bool const must_be_new = written;
                auto const text = u.read(way.ino, before.size());
                if (!text.has_value() || (*text != after && (must_be_new || *text != before))) {
                    ++wrong;
                }
            }
        });
    }
    CHECK(wrong == 0);
}

TEST_CASE_METHOD(Fixture, "unlink and rename race with a copy-up without a loss", "[fs][race]") {
    std::vector<store::LayerEntry> entries{dir("d"), dir("e")};
    for (int i = 0; i < 60; ++i) {
        entries.push_back(builder.text_file("d/f" + std::to_string(i), std::string(20'000, 'x')));
    }
    builder.add(std::move(entries));
    UnionDriver& u = start();
    Failures failures;
    for (int file = 0; file < 60; ++file) {
        std::string const name = "d/f" + std::to_string(file);
        auto const way = value_of(u.walk(name));
        in_threads(2, [&](int thread) {
            Status const done = thread == 0     ? u.write_all(way.ino, "WRITTEN", 0)
                                : file % 2 == 0 ? u.unlink(name)
                                                : u.rename(name, "e/g" + std::to_string(file));
            failures.add(done);
        });
        CHECK(value_of(u.read(way.ino, 20'000)).starts_with("WRITTENxx"));
        CHECK(value_of(u->getattr(way.ino)).nlink == (file % 2 == 0 ? 0U : 1U));
    }
    CHECK(failures.all() == std::vector<std::string>{});
    CHECK(value_of(u.names("d")).empty());
    CHECK(value_of(u.names("e")).size() == 30);
    u.remount();
    CHECK(value_of(u.read("e/g1")).starts_with("WRITTENxx"));
    CHECK(value_of(u.names("d")).empty());
}

TEST_CASE_METHOD(Fixture, "operations from many threads leave one consistent tree", "[fs][race]") {
    std::vector<store::LayerEntry> entries;
    for (char const* folder : {"a", "b", "c"}) {
        entries.push_back(dir(folder));
        for (int i = 0; i < 6; ++i) {
            entries.push_back(
                builder.text_file(std::string{folder} + "/" + std::to_string(i), folder));
        }
        entries.push_back(dir(std::string{folder} + "/sub"));
        entries.push_back(builder.text_file(std::string{folder} + "/sub/x", folder));
        entries.push_back(hard_link(std::string{folder} + "/link", std::string{folder} + "/0"));
    }
    builder.add(std::move(entries));
    UnionDriver& u = start();
    Failures strange;
    in_threads(4, [&](int thread) {
        std::mt19937 random{static_cast<unsigned>(thread)};
        auto const any = [&] {
            static constexpr char const* kFolders[] = {"a", "b", "c", "a/sub", "b/sub", "c/sub"};
            return std::string{kFolders[random() % 6]} + "/" + std::to_string(random() % 6);
        };
        for (int i = 0; i < 250; ++i) {
            std::string const one = any();
            std::string const other = any();
            unsigned const what = static_cast<unsigned>(random() % 9);
            Status done;
            switch (what) {
            case 0:
                done = u.create(one);
                break;
            case 1:
                done = u.unlink(one);
                break;
            case 2:
            case 3:
                done = u.rename(one, other);
                break;
            case 4:
                done = u.write(one, "text");
                break;
            case 5:
                done = u.chmod(one, 0600);
                break;
            case 6:
                done = u.link(one, other);
                break;
            case 7:
                done = u.mkdir(one);
                break;
            default:
                done = u.rmdir(one);
                break;
            }
            // Without the kernel's locks a name may lead elsewhere at each step, but no answer may
            // be a failure.
            int const code = code_of(done);
            static constexpr int kFair[] = {0,      ENOENT,    EEXIST, ENOTDIR,
                                            EISDIR, ENOTEMPTY, EPERM,  EINVAL};
            if (std::ranges::find(kFair, code) == std::end(kFair)) {
                strange.add(std::to_string(what) + " " + one + " " + other + ": " +
                            done.error().message());
            }
        }
    });
    CHECK(strange.all() == std::vector<std::string>{});
    auto const tree = [&] {
        std::map<std::string, std::uint64_t> numbers;
        std::function<void(std::string const&)> const walk = [&](std::string const& at) {
            for (auto const& [name, listed] : value_of(u.list(at))) {
                std::string const below = at.empty() ? name : at + "/" + name;
                Attr const attr = value_of(u.stat(below));
                CHECK(static_cast<std::uint64_t>(attr.ino) == listed.ino);
                numbers[below] = listed.ino;
                if (attr.type == FileType::directory) {
                    walk(below);
                } else {
                    value_of(u.read(below));
                }
            }
        };
        walk("");
        return numbers;
    };
    auto const before = tree();
    u.remount();
    CHECK(tree() == before);
    CHECK(work_entries("orphans") == 0);
    CHECK(work_entries("tmp") == 0);
}
