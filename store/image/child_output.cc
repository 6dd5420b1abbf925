// SPDX-License-Identifier: MIT
#include "store/image/child_output.h"

#include "store/base/sys.h"
#include "store/layer/layout.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

extern char** environ;

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

constexpr std::size_t kMessageBytesMax = 64U << 10U;

class FileActions {
public:
    FileActions() { ::posix_spawn_file_actions_init(&actions_); }
    FileActions(FileActions const&) = delete;
    FileActions& operator=(FileActions const&) = delete;
    ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
    void move(int from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from, to); }
    [[nodiscard]] posix_spawn_file_actions_t const* get() const { return &actions_; }

private:
    posix_spawn_file_actions_t actions_ = {};
};

std::string last_line(std::string text) {
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    return text.substr(text.rfind('\n') + 1);
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && sys::last_errno() == Errno::eintr) {
    }
    return status;
}

}  // namespace

ChildOutput::~ChildOutput() {
    if (pid_ > 0) {
        output_.reset();
        ::kill(pid_, SIGTERM);
        wait_for(pid_);
    }
}

Result<ChildOutput> ChildOutput::start(std::vector<std::string> const& arguments, UniqueFd errors) {
    std::array<int, 2> ends = {-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe");
    }
    ChildOutput child;
    child.output_ = UniqueFd{ends[0]};
    UniqueFd const input{ends[1]};
    child.errors_ = std::move(errors);
    child.name_ = arguments.front();
    FileActions actions;
    actions.move(input.get(), STDOUT_FILENO);
    actions.move(child.errors_.get(), STDERR_FILENO);
    std::vector<std::string> copies = arguments;
    std::vector<char*> pointers;
    pointers.reserve(copies.size() + 1);
    for (std::string& argument : copies) {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    int const error = ::posix_spawnp(&child.pid_, child.name_.c_str(), actions.get(), nullptr,
                                     pointers.data(), environ);
    if (error != 0) {
        child.pid_ = -1;
        return fail(Errno{error}, "posix_spawn", child.name_);
    }
    return child;
}

Status ChildOutput::finish() {
    output_.reset();
    int const status = wait_for(std::exchange(pid_, -1));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return {};
    }
    base::Bytes said(kMessageBytesMax);
    said.resize(OBLEA_TRY(sys::pread_full(errors_.get(), said, 0)));
    return fail(Errno::eio, "", name_ + " failed: " + last_line(std::string{base::text_of(said)}));
}

Result<ChildOutput> save_from_containers_storage(Store const& store, std::string const& name) {
    // podman writes to a pipe; the others are asked for the same by the name of their output.
    std::string const image = "containers-storage:" + name;
    std::string const archive = "docker-archive:/dev/stdout";
    std::array<std::vector<std::string>, 3> const programs = {
        std::vector<std::string>{"podman", "save", "--format", "docker-archive", "--", name},
        std::vector<std::string>{"skopeo", "copy", "--quiet", image, archive},
        std::vector<std::string>{"buildah", "push", "--quiet", name, archive},
    };
    for (auto const& arguments : programs) {
        UniqueFd errors =
            OBLEA_TRY(sys::openat(store.root(), layout::kTmp, O_TMPFILE | O_RDWR, mode_t{0600}));
        auto child = ChildOutput::start(arguments, std::move(errors));
        if (child.has_value() || child.error().code != Errno::enoent) {
            return child;
        }
    }
    return fail(Errno::enoent, "",
                "reading containers-storage takes podman, skopeo or buildah, and none of them is "
                "installed");
}

}  // namespace oblea::store
