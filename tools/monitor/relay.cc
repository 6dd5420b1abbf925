// SPDX-License-Identifier: MIT
#include "tools/monitor/relay.h"

#include "store/base/sys.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBufferBytes = 64U << 10U;
constexpr std::size_t kEventsMax = 64;
constexpr int kReadsInARow = 8;  // then it is another connection's turn
// Without a free descriptor: how long until it is tried again, unless a connection ends before.
constexpr int kShortageMs = 100;

bool would_block() {
    Errno const error = sys::last_errno();
    return error == Errno::eagain || error == Errno::eintr;
}

void set_option(UniqueFd const& socket, int level, int option) {
    int const on = 1;
    // Without it the connection works too.
    static_cast<void>(::setsockopt(socket.get(), level, option, &on, sizeof(on)));
}

void reset_on_close(UniqueFd const& socket) {
    linger const at_once{.l_onoff = 1, .l_linger = 0};
    static_cast<void>(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
}

struct Connection;

// What epoll tells of. Of a connection, or else of a listener or the line.
struct Watched {
    UniqueFd fd;
    Connection* connection = nullptr;
    RelayPort const* port = nullptr;
    std::uint32_t interest = 0;
};

// From one socket to the other.
struct Flow {
    std::string pending;  // read and not yet taken by the receiver
    bool ended = false;   // the sender has sent its end, or the receiver takes nothing any more
    bool told = false;    // and the receiver knows
};

struct Connection {
    Watched client;
    Watched server;
    Flow up;                                 // to the server
    Flow down;                               // to the client
    std::span<SocketAddress const> targets;  // not yet tried
    enum class State { connecting, open, over } state = State::connecting;
};

enum class Outcome { goes_on, reset };

class Relay {
public:
    Relay(UniqueFd epoll, std::vector<RelayPort> ports, RelayEnd end)
        : epoll_(std::move(epoll)), ports_(std::move(ports)), grace_(end.grace) {
        line_.fd = std::move(end.line);
        watch(line_, EPOLLIN);
        for (RelayPort& port : ports_) {
            auto listener = std::make_unique<Watched>();
            listener->fd = std::move(port.listener);
            listener->port = &port;
            listeners_.push_back(std::move(listener));
        }
        accept_again();
    }

    void run() {
        std::array<epoll_event, kEventsMax> events{};
        while (!until_.has_value() || (!connections_.empty() && Clock::now() < *until_)) {
            int const count = ::epoll_wait(epoll_.get(), events.data(),
                                           static_cast<int>(events.size()), wait_ms());
            for (int i = 0; i < count; ++i) {
                handle(*static_cast<Watched*>(events.at(static_cast<std::size_t>(i)).data.ptr));
            }
            // Not before: an event of this turn may still tell of them.
            if (!over_.empty() || count == 0) {
                over_.clear();
                accept_again();
            }
        }
    }

private:
    [[nodiscard]] int wait_ms() const {
        if (until_.has_value()) {
            auto const left = std::chrono::ceil<std::chrono::milliseconds>(*until_ - Clock::now());
            return std::max(0, static_cast<int>(left.count()));
        }
        return is_short_ ? kShortageMs : -1;
    }

    // A socket of which nothing is wanted is left out: it would tell of its end for ever.
    void watch(Watched& watched, std::uint32_t interest) {
        if (interest == watched.interest) {
            return;
        }
        epoll_event event{.events = interest, .data = {.ptr = &watched}};
        int const operation = interest == 0           ? EPOLL_CTL_DEL
                              : watched.interest == 0 ? EPOLL_CTL_ADD
                                                      : EPOLL_CTL_MOD;
        if (::epoll_ctl(epoll_.get(), operation, watched.fd.get(), &event) == 0) {
            watched.interest = interest;
        } else if (watched.connection != nullptr) {
            end(*watched.connection, Outcome::reset);  // no memory in the kernel
        }
    }

    void handle(Watched const& watched) {
        if (watched.connection != nullptr) {
            advance(*watched.connection);
        } else if (watched.port != nullptr) {
            accept_from(watched);
        } else {
            until_ = Clock::now() + grace_;
            watch(line_, 0);
            for (auto const& listener : listeners_) {
                listener->fd.reset();
            }
        }
    }

    // --- listeners

    void accept_again() {
        if (until_.has_value()) {
            return;
        }
        is_short_ = false;
        for (auto const& listener : listeners_) {
            watch(*listener, EPOLLIN);
        }
    }

    void accept_from(Watched const& listener) {
        if (until_.has_value()) {
            return;
        }
        UniqueFd client{
            ::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!client.valid()) {
            Errno const error = sys::last_errno();
            if (error == Errno::emfile || error == Errno::enfile || error == Errno::enomem) {
                is_short_ = true;
                for (auto const& one : listeners_) {
                    watch(*one, 0);
                }
            }
            return;  // else whoever was there has gone again
        }
        auto connection = std::make_unique<Connection>();
        connection->client = {.fd = std::move(client), .connection = connection.get()};
        connection->server = {.fd = {}, .connection = connection.get()};
        connection->targets = listener.port->targets;
        Connection& added = *connection;
        connections_.emplace(&added, std::move(connection));
        connect_next(added);
    }

    // --- connections

    void connect_next(Connection& connection) {
        while (!connection.targets.empty()) {
            SocketAddress const& target = connection.targets.front();
            connection.targets = connection.targets.subspan(1);
            watch(connection.server, 0);
            connection.server.fd =
                UniqueFd{::socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
            if (!connection.server.fd.valid()) {
                continue;
            }
            if (::connect(connection.server.fd.get(), target.get(), target.size()) == 0) {
                open(connection);
                return;
            }
            if (sys::last_errno() == Errno{EINPROGRESS}) {
                watch(connection.server, EPOLLOUT);
                return;
            }
        }
        end(connection, Outcome::reset);
    }

    void open(Connection& connection) {
        connection.state = Connection::State::open;
        for (Watched const* const side : {&connection.client, &connection.server}) {
            set_option(side->fd, IPPROTO_TCP, TCP_NODELAY);
            set_option(side->fd, SOL_SOCKET, SO_KEEPALIVE);
        }
        advance(connection);
    }

    void advance(Connection& connection) {
        if (connection.state == Connection::State::over) {
            return;
        }
        if (connection.state == Connection::State::connecting) {
            int error = 0;
            socklen_t size = sizeof(error);
            ::getsockopt(connection.server.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
            if (error != 0) {
                connect_next(connection);
            } else {
                open(connection);
            }
            return;
        }
        Flow& up = connection.up;
        Flow& down = connection.down;
        if (pass_on(up, connection.client.fd, connection.server.fd) == Outcome::reset ||
            pass_on(down, connection.server.fd, connection.client.fd) == Outcome::reset) {
            end(connection, Outcome::reset);
            return;
        }
        if (up.told && down.told) {
            end(connection, Outcome::goes_on);
            return;
        }
        watch(connection.client, interest(up, down));
        watch(connection.server, interest(down, up));
    }

    static std::uint32_t interest(Flow const& from_it, Flow const& to_it) {
        bool const reads = !from_it.ended && from_it.pending.empty();
        bool const writes = !to_it.pending.empty();
        return (reads ? std::uint32_t{EPOLLIN} : 0U) | (writes ? std::uint32_t{EPOLLOUT} : 0U);
    }

    Outcome pass_on(Flow& flow, UniqueFd const& from, UniqueFd const& to) {
        if (!flow.pending.empty()) {
            std::string const pending = std::exchange(flow.pending, {});
            send(flow, pending, to);
        }
        for (int i = 0; i < kReadsInARow && !flow.ended && flow.pending.empty(); ++i) {
            ssize_t const count = ::recv(from.get(), buffer_.data(), buffer_.size(), 0);
            if (count < 0) {
                if (would_block()) {
                    break;
                }
                return Outcome::reset;
            }
            if (count == 0) {
                flow.ended = true;
            } else {
                send(flow, {buffer_.data(), static_cast<std::size_t>(count)}, to);
            }
        }
        if (flow.ended && flow.pending.empty() && !flow.told) {
            flow.told = true;
            ::shutdown(to.get(), SHUT_WR);
        }
        return Outcome::goes_on;
    }

    // A receiver that takes nothing any more may still have an answer under way, which is why that
    // alone resets nothing.
    static void send(Flow& flow, std::string_view bytes, UniqueFd const& to) {
        while (!bytes.empty()) {
            ssize_t const count = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count >= 0) {
                bytes.remove_prefix(static_cast<std::size_t>(count));
            } else if (would_block()) {
                flow.pending = bytes;
                return;
            } else {
                flow.ended = true;
                return;
            }
        }
    }

    void end(Connection& connection, Outcome outcome) {
        if (connection.state == Connection::State::over) {
            return;
        }
        connection.state = Connection::State::over;
        for (Watched* const side : {&connection.client, &connection.server}) {
            if (outcome == Outcome::reset && side->fd.valid()) {
                reset_on_close(side->fd);
            }
            side->fd.reset();  // which takes it out of epoll, too
        }
        auto node = connections_.extract(&connection);
        over_.push_back(std::move(node.mapped()));
    }

    UniqueFd epoll_;
    std::vector<RelayPort> ports_;
    std::chrono::milliseconds grace_;
    Watched line_;
    std::vector<std::unique_ptr<Watched>> listeners_;
    std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
    std::vector<std::unique_ptr<Connection>> over_;  // closed in this turn
    std::array<char, kBufferBytes> buffer_{};
    bool is_short_ = false;
    std::optional<Clock::time_point> until_;  // the line is closed: the end
};

}  // namespace

Status relay_connections(std::vector<RelayPort> ports, RelayEnd end) {
    UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
    if (!epoll.valid()) {
        return fail(sys::last_errno(), "epoll_create1");
    }
    auto const relay = std::make_unique<Relay>(std::move(epoll), std::move(ports), std::move(end));
    relay->run();
    return {};
}

}  // namespace oblea::tools
