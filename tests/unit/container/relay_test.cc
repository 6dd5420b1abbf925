// SPDX-License-Identifier: MIT
// Published ports: addresses, and what is passed on between two sockets.
#include "tools/monitor/relay.h"

#include "tests/support/catch.h"
#include "tools/monitor/published_ports.h"
#include "tools/monitor/socket_address.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

using namespace oblea;
using namespace oblea::tools;
using base::UniqueFd;

namespace {

UniqueFd bound() {
    UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    SocketAddress const any = SocketAddress::parse("127.0.0.1", 0).value();
    REQUIRE(::bind(socket.get(), any.get(), any.size()) == 0);
    return socket;
}

UniqueFd listening() {
    UniqueFd socket = bound();
    REQUIRE(::listen(socket.get(), 16) == 0);
    return socket;
}

UniqueFd connected_to(SocketAddress const& address) {
    UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(::connect(socket.get(), address.get(), address.size()) == 0);
    return socket;
}

std::string read_to_end(UniqueFd const& socket) {
    std::string text;
    std::array<char, 4096> part{};
    for (ssize_t count = 0; (count = ::recv(socket.get(), part.data(), part.size(), 0)) > 0;) {
        text.append(part.data(), static_cast<std::size_t>(count));
    }
    return text;
}

// An address that nobody listens on, and that nobody else can have as long as this is here.
struct Closed {
    UniqueFd socket = bound();
    SocketAddress address = SocketAddress::bound_to(socket.get()).value();
};

// A relay in a thread, to whoever accepts from `server`.
struct Running {
    explicit Running(std::vector<SocketAddress> targets) {
        UniqueFd listener = listening();
        address = SocketAddress::bound_to(listener.get()).value();
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        line = UniqueFd{ends[0]};
        std::vector<RelayPort> ports;
        ports.push_back({.listener = std::move(listener), .targets = std::move(targets)});
        thread = std::thread{[ports = std::move(ports), end = UniqueFd{ends[1]}]() mutable {
            static_cast<void>(relay_connections(
                std::move(ports), {.line = std::move(end), .grace = std::chrono::minutes{1}}));
        }};
    }
    ~Running() {
        line.reset();
        thread.join();
    }
    Running(Running const&) = delete;
    Running& operator=(Running const&) = delete;

    SocketAddress address = SocketAddress::parse("127.0.0.1", 0).value();
    UniqueFd line;
    std::thread thread;
};

}  // namespace

TEST_CASE("addresses of published ports are numbers of both kinds", "[container][ports]") {
    CHECK(SocketAddress::parse("127.0.0.1", 80)->to_string() == "127.0.0.1:80");
    CHECK(SocketAddress::parse("::", 65535)->to_string() == "[::]:65535");
    CHECK(SocketAddress::parse("::1", 80)->is_ipv6());
    CHECK(SocketAddress::parse("localhost", 80).error().code == Errno::einval);
    CHECK(SocketAddress::parse("", 80).error().code == Errno::einval);
}

TEST_CASE("a port that is taken is told in docker's words", "[container][ports]") {
    UniqueFd const taken = listening();
    SocketAddress const address = SocketAddress::bound_to(taken.get()).value();
    PortMapping port{
        .host_address = "127.0.0.1", .host_port = address.port(), .container_port = 80};
    auto const published = PublishedPorts::listen({&port, 1});
    REQUIRE_FALSE(published.has_value());
    CHECK(published.error().code == Errno{EADDRINUSE});
    CHECK(published.error().message().ends_with("listen tcp4 " + address.to_string() +
                                                ": bind: address already in use"));
}

TEST_CASE("one direction of a relayed connection ends while the other goes on",
          "[container][ports]") {
    UniqueFd const server = listening();
    Running const relay{{SocketAddress::bound_to(server.get()).value()}};
    UniqueFd const client = connected_to(relay.address);
    UniqueFd const inside{::accept(server.get(), nullptr, nullptr)};
    REQUIRE(::send(client.get(), "question", 8, 0) == 8);
    REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
    CHECK(read_to_end(inside) == "question");
    REQUIRE(::send(inside.get(), "answer", 6, 0) == 6);
    REQUIRE(::shutdown(inside.get(), SHUT_WR) == 0);
    CHECK(read_to_end(client) == "answer");
}

TEST_CASE("a connection goes to the first target that takes it", "[container][ports]") {
    UniqueFd const server = listening();
    Closed const closed;
    Running const relay{{closed.address, SocketAddress::bound_to(server.get()).value()}};
    UniqueFd const client = connected_to(relay.address);
    UniqueFd const inside{::accept(server.get(), nullptr, nullptr)};
    REQUIRE(::send(inside.get(), "here", 4, 0) == 4);
    REQUIRE(::shutdown(inside.get(), SHUT_WR) == 0);
    CHECK(read_to_end(client) == "here");
}

TEST_CASE("a connection that nobody takes is reset", "[container][ports]") {
    Closed const closed;
    Running const relay{{closed.address}};
    UniqueFd const client = connected_to(relay.address);
    char byte = 0;
    CHECK(::recv(client.get(), &byte, 1, 0) < 0);
    CHECK(errno == ECONNRESET);
}

TEST_CASE("what is under way ends after the line is closed, and nothing else is accepted",
          "[container][ports]") {
    UniqueFd const server = listening();
    SocketAddress const target = SocketAddress::bound_to(server.get()).value();
    Running relay{{target}};
    UniqueFd const client = connected_to(relay.address);
    UniqueFd const inside{::accept(server.get(), nullptr, nullptr)};
    REQUIRE(::send(inside.get(), "last words", 10, 0) == 10);
    relay.line.reset();
    REQUIRE(::shutdown(inside.get(), SHUT_RDWR) == 0);
    REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
    CHECK(read_to_end(client) == "last words");
    relay.thread.join();
    relay.thread = std::thread{[] {}};
    UniqueFd const late{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(::connect(late.get(), relay.address.get(), relay.address.size()) < 0);
}
