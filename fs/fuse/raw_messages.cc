// SPDX-License-Identifier: MIT
#include "fs/fuse/raw_messages.h"

#include "fs/fuse/ring_slot.h"
#include "store/base/sys.h"

#include <linux/fuse.h>

#include <array>
#include <cstring>
#include <utility>

namespace oblea::fs {
namespace {

// Spec: linux/fuse.h since 6.9, which the distribution's header may lack.
constexpr int kNotifyResend = 7;  // FUSE_NOTIFY_RESEND

// What follows the header of a message.
struct Nothing {};

// `code`: a negative errno to answer that request, or what to notify of, with no request.
template <typename Body = Nothing>
Status send(int device, int code, std::uint64_t request, Body const& body = {}) {
    constexpr std::size_t kBodyBytes = std::is_empty_v<Body> ? 0 : sizeof(Body);
    std::array<std::byte, sizeof(fuse_out_header) + kBodyBytes> message{};
    fuse_out_header const header{
        .len = static_cast<std::uint32_t>(message.size()), .error = code, .unique = request};
    std::memcpy(message.data(), &header, sizeof(header));
    if constexpr (kBodyBytes > 0) {
        std::memcpy(message.data() + sizeof(header), &body, kBodyBytes);
    }
    return base::sys::write_all(device, message);
}

}  // namespace

void answer_error(int device, std::uint64_t request, Errno code) {
    if (RingSlot* const slot = RingSlot::current; slot != nullptr && slot->has(request)) {
        slot->answer(code);
        return;
    }
    static_cast<void>(send(device, -static_cast<int>(code), request));
}

void notify_stale(int device, Ino ino, Stretch pages) {
    fuse_notify_inval_inode_out const inode{.ino = std::to_underlying(ino),
                                            .off = static_cast<std::int64_t>(pages.begin),
                                            .len =
                                                static_cast<std::int64_t>(pages.end - pages.begin)};
    static_cast<void>(send(device, FUSE_NOTIFY_INVAL_INODE, 0, inode));
}

void notify_attributes(int device, Ino ino) {
    constexpr std::int64_t kNoPages = -1;
    fuse_notify_inval_inode_out const inode{
        .ino = std::to_underlying(ino), .off = kNoPages, .len = 0};
    static_cast<void>(send(device, FUSE_NOTIFY_INVAL_INODE, 0, inode));
}

Status ask_again(int device) {
    return send(device, kNotifyResend, 0);
}

void make_known(fuse_in_header& request) {
    if (request.opcode == FUSE_TMPFILE) {
        request.opcode = FUSE_CREATE;
    }
}

bool is_tmpfile(std::string_view created) {
    return created == "/";
}

}  // namespace oblea::fs
