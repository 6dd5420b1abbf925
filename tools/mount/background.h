// SPDX-License-Identifier: MIT
// Child processes that report to their parent once, over a pipe: whether they have begun, or why
// not.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

// The child's side. Whoever destroys it without having reported leaves the parent with an error.
class Report {
public:
    explicit Report(base::UniqueFd pipe) : pipe_(std::move(pipe)) {}

    // Errors: EPIPE when the parent is gone, which then knows of nothing that was begun.
    Status success(std::string_view text);
    void failure(Error const& error);
    [[nodiscard]] int fd() const { return pipe_.get(); }

private:
    Status send(std::string_view message);
    base::UniqueFd pipe_;
};

struct Child {
    pid_t pid = -1;      // of `own` children only, to be waited for
    std::string report;  // what it gave as success
};

enum class Parentage {
    own,          // a child of this process, in its session
    own_session,  // a child of this process, out of reach of the terminal
    detached,     // nobody's child, out of reach of the terminal
};

// Forks; runs `body` in the child, which exits with what that returns, without running any
// destructor of the parent's objects; returns when the child has reported. In the child every
// descriptor above 2 is closed except the report's and `keep`.
Result<Child> start_child(Parentage parentage, std::vector<int> const& keep,
                          std::function<int(Report&)> const& body);

// Standard input from /dev/null, output and errors to `log` (or /dev/null when that is -1).
Status redirect_standard_streams(int log);

// In a child: closes every descriptor above 2 but these.
void close_all_but(std::vector<int> kept);

// Waits; returns the status as waitpid(2) has it.
Result<int> wait_for_child(pid_t pid);

// An error as text and back, for pipes.
std::string encode_error(Error const& error);
Error parse_error(std::string_view text);

}  // namespace oblea::tools
