// SPDX-License-Identifier: MIT
#include "tools/monitor/wire.h"

#include "store/base/sys.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr std::size_t kHeaderBytes = 5;
constexpr char const* kSocket = "monitor.sock";

struct Address {
    UniqueFd folder;  // keeps the path valid
    sockaddr_un name{};
};

// By the folder's descriptor: a socket's path is short, a container's is not.
Result<Address> address_of(store::Store const& store, Container const& container) {
    Address address;
    address.folder =
        OBLEA_TRY(sys::openat(store.root(), container.folder().c_str(), O_PATH | O_DIRECTORY));
    address.name.sun_family = AF_UNIX;
    std::string const path = sys::proc_path(address.folder.get()) + '/' + kSocket;
    path.copy(address.name.sun_path, sizeof(address.name.sun_path) - 1);
    return address;
}

sockaddr const* generic(sockaddr_un const& name) {
    return static_cast<sockaddr const*>(static_cast<void const*>(&name));
}

Result<UniqueFd> make_socket() {
    UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!socket.valid()) {
        return fail(sys::last_errno(), "socket");
    }
    return socket;
}

}  // namespace

std::string encode_frame(Frame::Kind kind, std::string_view payload) {
    std::string frame;
    frame.reserve(kHeaderBytes + payload.size());
    frame += static_cast<char>(kind);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        frame += static_cast<char>((payload.size() >> shift) & 0xffU);
    }
    frame += payload;
    return frame;
}

Result<std::optional<Frame>> take_frame(std::string& buffer) {
    if (buffer.size() < kHeaderBytes) {
        return std::optional<Frame>{};
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        length |= std::size_t{static_cast<unsigned char>(buffer[1 + i])} << (8 * i);
    }
    if (length > kFramePayloadMax) {
        return fail(Errno::ebadmsg, "", "a message that is too long");
    }
    if (buffer.size() < kHeaderBytes + length) {
        return std::optional<Frame>{};
    }
    Frame frame{.kind = static_cast<Frame::Kind>(buffer[0]),
                .payload = buffer.substr(kHeaderBytes, length)};
    buffer.erase(0, kHeaderBytes + length);
    return std::optional{std::move(frame)};
}

Result<std::optional<UniqueFd>> connect_monitor(store::Store const& store,
                                                Container const& container) {
    Address const address = OBLEA_TRY(address_of(store, container));
    UniqueFd socket = OBLEA_TRY(make_socket());
    if (::connect(socket.get(), generic(address.name), sizeof(address.name)) != 0) {
        Errno const code = sys::last_errno();
        if (code == Errno::enoent || code == Errno{ECONNREFUSED}) {
            return std::optional<UniqueFd>{};
        }
        return fail(code, "connect", "the monitor of container " + container.name);
    }
    return std::optional{std::move(socket)};
}

Result<UniqueFd> listen_for_clients(store::Store const& store, Container const& container) {
    Address const address = OBLEA_TRY(address_of(store, container));
    UniqueFd socket = OBLEA_TRY(make_socket());
    OBLEA_TRY(sys::unlink_if_exists(address.folder.get(), kSocket));
    if (::bind(socket.get(), generic(address.name), sizeof(address.name)) != 0 ||
        ::listen(socket.get(), 64) != 0) {
        return fail(sys::last_errno(), "bind", address.name.sun_path);
    }
    return socket;
}

}  // namespace oblea::tools
