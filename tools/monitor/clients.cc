// SPDX-License-Identifier: MIT
#include "tools/monitor/clients.h"

#include "store/base/sys.h"
#include "tools/monitor/standard_streams.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

constexpr std::size_t kWaitingBytesMax = 4U << 20U;

}  // namespace

void Clients::add_to(std::vector<pollfd>& waiting, Input input) const {
    waiting.push_back({.fd = listener_.get(), .events = POLLIN, .revents = 0});
    for (Client const& client : clients_) {
        auto const reading = static_cast<short>(input == Input::read ? POLLIN : 0);
        auto const writing = static_cast<short>(client.out.empty() ? 0 : POLLOUT);
        waiting.push_back({.fd = client.socket.get(),
                           .events = static_cast<short>(reading | writing),
                           .revents = 0});
    }
}

void Clients::accept_one() {
    base::UniqueFd socket{
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (socket.valid()) {
        clients_.push_back({.socket = std::move(socket), .in = {}, .out = {}});
    }
}

void Clients::read_from(Client& client) {
    std::array<std::byte, kStreamBytes> buffer{};
    auto const count = ::read(client.socket.get(), buffer.data(), buffer.size());
    if (count > 0) {
        client.in += base::text_of(base::ByteView{buffer}.first(static_cast<std::size_t>(count)));
    } else if (count == 0 || sys::last_errno() != Errno::eagain) {
        client.socket.reset();  // gone; detached, as far as the container is concerned
    }
}

void Clients::write_to(Client& client) {
    while (client.socket.valid() && !client.out.empty()) {
        auto const count =
            ::send(client.socket.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
        if (count < 0) {
            if (sys::last_errno() != Errno::eagain) {
                client.socket.reset();
            }
            return;
        }
        client.out.erase(0, static_cast<std::size_t>(count));
    }
}

void Clients::handle(std::span<pollfd const> seen,
                     std::function<std::optional<Frame>(Frame const&)> const& obey) {
    // New ones are added behind those that were waited for.
    for (std::size_t i = 1; i < seen.size(); ++i) {
        Client& client = clients_[i - 1];
        if ((seen[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && client.socket.valid()) {
            read_from(client);
        }
        for (;;) {
            auto frame = take_frame(client.in);
            if (!frame.has_value()) {
                client.socket.reset();
            }
            if (!frame.has_value() || !frame->has_value()) {
                break;
            }
            if ((*frame)->kind == Frame::Kind::attach) {
                client.wants = Client::Wants::output;
            }
            if (auto const answer = obey(**frame); answer.has_value()) {
                client.out += encode_frame(answer->kind, answer->payload);
            }
        }
        write_to(client);
    }
    if (!seen.empty() && seen[0].revents != 0) {
        accept_one();
    }
    std::erase_if(clients_, [](Client const& client) { return !client.socket.valid(); });
}

bool Clients::has_room() const {
    return std::ranges::all_of(
        clients_, [](Client const& client) { return client.out.size() < kWaitingBytesMax; });
}

void Clients::send_output(LogStream stream, std::string_view bytes) {
    for (Client& client : clients_) {
        if (client.wants == Client::Wants::output) {
            client.out += encode_frame(
                stream == LogStream::out ? Frame::Kind::output : Frame::Kind::errors, bytes);
            write_to(client);
        }
    }
}

void Clients::send_to_all(Frame::Kind kind, std::string_view payload) {
    // Those who have knocked already are to hear of it too.
    pollfd knocking{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    while (::poll(&knocking, 1, 0) > 0) {
        std::size_t const before = clients_.size();
        accept_one();
        if (clients_.size() == before) {
            break;
        }
    }
    for (Client& client : clients_) {
        client.out += encode_frame(kind, payload);
    }
}

void Clients::see_off() {
    listener_.reset();
    for (;;) {
        std::vector<pollfd> waiting;
        for (Client& client : clients_) {
            write_to(client);
            if (client.out.empty()) {
                client.socket.reset();
            }
            if (client.socket.valid()) {
                waiting.push_back({.fd = client.socket.get(), .events = POLLOUT, .revents = 0});
            }
        }
        if (waiting.empty()) {
            return;
        }
        ::poll(waiting.data(), waiting.size(), -1);
    }
}

}  // namespace oblea::tools
