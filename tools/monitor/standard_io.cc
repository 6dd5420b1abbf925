// SPDX-License-Identifier: MIT
#include "tools/monitor/standard_io.h"

#include "store/base/sys.h"
#include "tools/monitor/standard_streams.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr char const* kConsoleSocket = "console.sock";
constexpr std::size_t kInputBytesMax = 1U << 20U;
constexpr int kConsoleWaitMs = 10'000;

struct Pipe {
    UniqueFd reader;
    UniqueFd writer;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(sys::last_errno(), "pipe2");
    }
    return Pipe{.reader = UniqueFd{ends[0]}, .writer = UniqueFd{ends[1]}};
}

Status make_nonblocking(UniqueFd const& fd) {
    int const flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
        return fail(sys::last_errno(), "fcntl");
    }
    return {};
}

Result<UniqueFd> listen_for_console(int folder) {
    OBLEA_TRY(sys::unlink_if_exists(folder, kConsoleSocket));
    UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::string const path = sys::proc_path(folder) + '/' + kConsoleSocket;
    path.copy(name.sun_path, sizeof(name.sun_path) - 1);
    auto const* generic = static_cast<sockaddr const*>(static_cast<void const*>(&name));
    if (!socket.valid() || ::bind(socket.get(), generic, sizeof(name)) != 0 ||
        ::listen(socket.get(), 1) != 0) {
        return fail(sys::last_errno(), "bind", kConsoleSocket);
    }
    return socket;
}

// The descriptor that comes with a message.
Result<UniqueFd> receive_descriptor(UniqueFd const& socket) {
    std::array<char, 256> text{};
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC) < 0) {
        return fail(sys::last_errno(), "recvmsg");
    }
    cmsghdr const* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
        return fail(Errno::eio, "", "the runtime gave no terminal");
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return UniqueFd{fd};
}

}  // namespace

Result<StandardIo> StandardIo::make(Wish const& wish) {
    StandardIo io;
    io.terminal_ = wish.terminal;
    if (wish.terminal) {
        io.console_ = OBLEA_TRY(listen_for_console(wish.folder));
        return io;
    }
    if (wish.open_input) {
        Pipe in = OBLEA_TRY(make_pipe());
        io.in_ = std::move(in.writer);
        io.their_in_ = std::move(in.reader);
        OBLEA_TRY(make_nonblocking(io.in_));
    }
    Pipe out = OBLEA_TRY(make_pipe());
    Pipe err = OBLEA_TRY(make_pipe());
    io.out_ = std::move(out.reader);
    io.err_ = std::move(err.reader);
    io.their_out_ = std::move(out.writer);
    io.their_err_ = std::move(err.writer);
    OBLEA_TRY(make_nonblocking(io.out_));
    OBLEA_TRY(make_nonblocking(io.err_));
    return io;
}

StandardStreams StandardIo::container_side() const {
    return {.in = their_in_.get(), .out = their_out_.get(), .err = their_err_.get()};
}

std::optional<std::string> StandardIo::console_socket() const {
    return terminal_ ? std::optional<std::string>{kConsoleSocket} : std::nullopt;
}

Status StandardIo::attach() {
    their_in_.reset();
    their_out_.reset();
    their_err_.reset();
    if (!terminal_) {
        return {};
    }
    pollfd waiting{.fd = console_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kConsoleWaitMs) <= 0) {
        return fail(Errno::eio, "", "the runtime gave no terminal");
    }
    UniqueFd const connection{::accept4(console_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!connection.valid()) {
        return fail(sys::last_errno(), "accept");
    }
    out_ = OBLEA_TRY(receive_descriptor(connection));
    in_ = OBLEA_TRY(sys::duplicate(out_.get()));
    console_.reset();
    return make_nonblocking(out_);
}

void StandardIo::add_to(std::vector<pollfd>& waiting, Output output) const {
    auto const reading = static_cast<short>(output == Output::read ? POLLIN : 0);
    // A stream that is not read is left out: an ended one would be ready for ever.
    auto const add = [&](UniqueFd const& fd) {
        waiting.push_back(
            {.fd = output == Output::read ? fd.get() : -1, .events = reading, .revents = 0});
    };
    add(out_);
    add(err_);
    waiting.push_back({.fd = input_.empty() ? -1 : in_.get(), .events = POLLOUT, .revents = 0});
}

void StandardIo::handle(std::span<pollfd const> seen, Sink const& sink) {
    if (seen[0].revents != 0) {
        read_output(out_, LogStream::out, sink);
    }
    if (seen[1].revents != 0) {
        read_output(err_, LogStream::err, sink);
    }
    if (seen[2].revents != 0) {
        write_input();
    }
}

void StandardIo::read_output(UniqueFd& from, LogStream stream, Sink const& sink) {
    std::array<std::byte, kStreamBytes> buffer{};
    auto const count = ::read(from.get(), buffer.data(), buffer.size());
    if (count > 0) {
        sink(stream, base::text_of(base::ByteView{buffer}.first(static_cast<std::size_t>(count))));
    } else if (count == 0 || sys::last_errno() != Errno::eagain) {
        from.reset();  // a terminal says EIO when its last user has gone
    }
}

bool StandardIo::has_input_room() const {
    return input_.size() < kInputBytesMax;
}

void StandardIo::give(std::string_view input) {
    if (in_.valid() && input_end_ == InputEnd::open) {
        input_ += input;
        write_input();
    }
}

void StandardIo::end_input() {
    if (terminal_) {
        return;
    }
    input_end_ = InputEnd::wanted;
    write_input();
}

void StandardIo::write_input() {
    while (in_.valid() && !input_.empty()) {
        auto const count = ::write(in_.get(), input_.data(), input_.size());
        if (count < 0) {
            if (sys::last_errno() != Errno::eagain) {
                in_.reset();  // nobody reads it any more
                input_.clear();
            }
            return;
        }
        input_.erase(0, static_cast<std::size_t>(count));
    }
    if (input_.empty() && input_end_ == InputEnd::wanted) {
        in_.reset();
    }
}

void StandardIo::resize(int rows, int columns) {
    if (terminal_ && out_.valid() && rows > 0 && columns > 0) {
        winsize const size{.ws_row = static_cast<unsigned short>(rows),
                           .ws_col = static_cast<unsigned short>(columns),
                           .ws_xpixel = 0,
                           .ws_ypixel = 0};
        ::ioctl(out_.get(), TIOCSWINSZ, &size);
    }
}

}  // namespace oblea::tools
