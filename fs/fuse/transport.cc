// SPDX-License-Identifier: MIT
#include "fs/fuse/transport.h"

namespace oblea::fs {

Result<TransportChoice> decide_transport(MountOptions::Transport wanted,
                                         TransportFacts const& facts) {
    if (wanted == MountOptions::Transport::device) {
        return TransportChoice{.way = TransportMode::device, .reason = "asked for"};
    }
    std::string const hindrance = facts.offered == TransportFacts::Offered::yes
                                      ? facts.no_rings
                                      : "the kernel does not offer it (Linux 6.14, and Y in "
                                        "/sys/module/fuse/parameters/enable_uring)";
    if (hindrance.empty() && wanted == MountOptions::Transport::automatic &&
        facts.light == TransportFacts::Light::no) {
        return TransportChoice{.way = TransportMode::device,
                               .reason = "io_uring is slower without CAP_SYS_NICE"};
    }
    if (hindrance.empty()) {
        return TransportChoice{.way = TransportMode::io_uring,
                               .reason = wanted == MountOptions::Transport::io_uring
                                             ? "asked for"
                                             : "answering is one system call, on the processor of "
                                               "the program that asks"};
    }
    if (wanted == MountOptions::Transport::io_uring) {
        return fail(Errno::eopnotsupp, "", "io_uring is not possible: " + hindrance);
    }
    return TransportChoice{.way = TransportMode::device, .reason = "no io_uring: " + hindrance};
}

std::string_view name_of(TransportMode way) {
    return way == TransportMode::io_uring ? "io_uring" : "device";
}

}  // namespace oblea::fs
