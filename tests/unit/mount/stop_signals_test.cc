// SPDX-License-Identifier: MIT
#include "store/base/process_stat.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tools/mount/keep_serving.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <thread>

using namespace oblea;
using namespace oblea::tools;

namespace {

// A mount whose requests only this test takes, and never answers.
class SilentMount {
public:
    SilentMount() {
        device_ = base::UniqueFd{::open("/dev/fuse", O_RDWR | O_CLOEXEC)};
        std::string const options =
            "fd=" + std::to_string(device_.get()) + ",rootmode=40000,user_id=0,group_id=0";
        is_mounted_ = device_.valid() && ::mount("silent", folder_.path().c_str(), "fuse.silent",
                                                 MS_NOSUID | MS_NODEV, options.c_str()) == 0;
        if (is_mounted_) {
            agree();
        }
    }
    SilentMount(SilentMount const&) = delete;
    SilentMount& operator=(SilentMount const&) = delete;
    ~SilentMount() {
        if (is_mounted_) {
            end();
            ::umount2(folder_.path().c_str(), MNT_DETACH);
        }
    }

    [[nodiscard]] bool is_mounted() const { return is_mounted_; }
    [[nodiscard]] std::string const& path() const { return folder_.path(); }

    void take_request() {
        std::array<char, FUSE_MIN_READ_BUFFER> request{};
        static_cast<void>(::read(device_.get(), request.data(), request.size()));
    }
    // Every request is answered with an error.
    void end() const { ::umount2(folder_.path().c_str(), MNT_FORCE); }

private:
    void agree() {
        std::array<char, FUSE_MIN_READ_BUFFER> request{};
        REQUIRE(::read(device_.get(), request.data(), request.size()) > 0);
        fuse_in_header asked{};
        std::memcpy(&asked, request.data(), sizeof(asked));
        REQUIRE(asked.opcode == FUSE_INIT);
        struct {
            fuse_out_header header{};
            fuse_init_out terms{};
        } answer;
        answer.header = {.len = sizeof(answer), .error = 0, .unique = asked.unique};
        answer.terms.major = FUSE_KERNEL_VERSION;
        answer.terms.minor = FUSE_KERNEL_MINOR_VERSION;
        answer.terms.max_write = 4096;
        REQUIRE(::write(device_.get(), &answer, sizeof(answer)) == sizeof(answer));
    }

    test::TempDir folder_;
    base::UniqueFd device_;
    bool is_mounted_ = false;
};

ServerProcess start(std::function<void()> const& work) {
    auto child = fork_server([&] {
        work();
        ::_exit(0);
    });
    REQUIRE(child.has_value());
    return *std::move(child);
}

}  // namespace

TEST_CASE("the end of a child is told as waitpid tells it", "[mount][signals]") {
    StopSignals signals{Hangup::is_ignored};
    auto const ended = signals.wait_for(start([] { ::_exit(3); }));
    REQUIRE(ended.has_value());
    CHECK(WIFEXITED(ended->status));
    CHECK(WEXITSTATUS(ended->status) == 3);

    auto const killed = signals.wait_for(start([] { ::raise(SIGKILL); }));
    REQUIRE(killed.has_value());
    CHECK(WIFSIGNALED(killed->status));
    CHECK(WTERMSIG(killed->status) == SIGKILL);
}

// As a server that asks something of its own mount: it can be answered by the next server alone.
TEST_CASE("a child has ended though a thread of it waits for the mount", "[mount][signals]") {
    SilentMount mount;
    if (!mount.is_mounted()) {
        REQUIRE(::geteuid() != 0);
        WARN("skipped: mounting takes root");
        return;
    }
    ServerProcess const child = start([&] {
        std::thread{[&] {
            struct stat info{};
            ::stat((mount.path() + "/name").c_str(), &info);
        }}.detach();
        ::pause();
    });
    mount.take_request();
    REQUIRE(::kill(child.pid, SIGKILL) == 0);
    StopSignals signals{Hangup::is_ignored};
    auto const ended = signals.wait_for(child);
    REQUIRE(ended.has_value());
    CHECK(WIFSIGNALED(ended->status));
    CHECK(WTERMSIG(ended->status) == SIGKILL);
    auto const state = [number = std::to_string(child.pid)] {
        return base::process_stat(number, base::kStatState);
    };
    CHECK(state() == "Z");
    CHECK(::waitpid(child.pid, nullptr, WNOHANG) == 0);

    // The next server answers, the thread ends, and nothing is left of the child.
    mount.end();
    ServerProcess const next = start([&] {
        while (state().has_value()) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
    });
    auto const last = signals.wait_for(next);
    REQUIRE(last.has_value());
    CHECK(WIFEXITED(last->status));
    CHECK(WEXITSTATUS(last->status) == 0);
}
