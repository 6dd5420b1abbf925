// SPDX-License-Identifier: MIT
// The monitor's ends of a container's standard streams: pipes, or the master of its terminal.
#pragma once
#include "tools/monitor/log_file.h"
#include "tools/monitor/runtime.h"

#include <poll.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oblea::tools {

class StandardIo {
public:
    struct Wish {
        int folder;  // of the container: the runtime gives the terminal by a socket in it
        bool terminal;
        bool open_input;  // else standard input is empty
    };
    static Result<StandardIo> make(Wish const& wish);

    // For the runtime's `create`.
    [[nodiscard]] StandardStreams container_side() const;
    [[nodiscard]] std::optional<std::string> console_socket() const;
    // After it: takes the terminal, or lets go of the container's ends.
    Status attach();

    enum class Output { read, leave };
    void add_to(std::vector<pollfd>& waiting, Output output) const;
    using Sink = std::function<void(LogStream, std::string_view)>;
    // `seen` is what add_to() added, after poll(2).
    void handle(std::span<pollfd const> seen, Sink const& sink);

    [[nodiscard]] bool has_output() const { return out_.valid() || err_.valid(); }
    [[nodiscard]] bool has_input_room() const;
    void give(std::string_view input);
    void end_input();
    void resize(int rows, int columns);

private:
    void write_input();
    void read_output(base::UniqueFd& from, LogStream stream, Sink const& sink);

    bool terminal_ = false;
    base::UniqueFd console_;         // listens for the runtime
    base::UniqueFd in_, out_, err_;  // ours; with a terminal out_ is its master, and in_ too
    base::UniqueFd their_in_, their_out_, their_err_;
    std::string input_;  // not yet taken
    enum class InputEnd { open, wanted } input_end_ = InputEnd::open;
};

}  // namespace oblea::tools
