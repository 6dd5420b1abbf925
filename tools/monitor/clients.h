// SPDX-License-Identifier: MIT
// Those who are connected to a monitor.
//
// Sockets are non-blocking; what a client does not take waits in memory, and as soon as one has too
// much waiting the container is not read from (has_room()), as if its terminal were stopped.
#pragma once
#include "tools/monitor/log_file.h"
#include "tools/monitor/wire.h"

#include <poll.h>

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace oblea::tools {

class Clients {
public:
    explicit Clients(base::UniqueFd listener) : listener_(std::move(listener)) {}

    enum class Input { read, leave };
    void add_to(std::vector<pollfd>& waiting, Input input) const;
    // `seen` is what add_to() added, after poll(2).
    // What `obey` gives is sent to whoever asked.
    void handle(std::span<pollfd const> seen,
                std::function<std::optional<Frame>(Frame const&)> const& obey);

    [[nodiscard]] bool has_room() const;
    void send_output(LogStream stream, std::string_view bytes);  // to those who attached
    void send_to_all(Frame::Kind kind, std::string_view payload);
    // Until everybody has taken what waits for them, or has gone; nobody else is let in. Whoever
    // has all is told by the end of the connection.
    void see_off();

private:
    struct Client {
        base::UniqueFd socket;
        std::string in;
        std::string out;
        enum class Wants { answers, output } wants = Wants::answers;
    };
    void accept_one();
    static void read_from(Client& client);
    static void write_to(Client& client);

    base::UniqueFd listener_;
    std::deque<Client> clients_;
};

}  // namespace oblea::tools
