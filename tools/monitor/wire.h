// SPDX-License-Identifier: MIT
// What a container's monitor and those who attach to it say to each other, over a socket in the
// container's folder.
//
// Frames: one byte that tells the kind, four of length (little-endian), so many of payload. Both
// sides are the same program, and only the container's owner can reach the socket. Pure but for
// connect_monitor() and listen_for_clients().
#pragma once
#include "store/store.h"
#include "tools/mount/containers.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oblea::tools {

struct Frame {
    enum class Kind : char {
        // To the monitor:
        attach = 'A',  // wants the output from now on
        begin = 'B',   // lets a created container's command run
        input = 'I',
        input_end = 'E',
        resize = 'W',  // "ROWS COLUMNS"
        signal = 'S',  // "NUMBER", to the first process
        stop = 'K',    // "NUMBER", the same, and the container is not to be started again
        pause = 'P',   // all of its processes stand still, until it is stopped or
        unpause = 'U',
        // From the monitor:
        answer = 'D',  // to pause and unpause: empty, or what is against it
        output = 'O',
        errors = 'R',
        exit = 'X',  // "STATUS", the last of all
    };
    Kind kind = Kind::output;
    std::string payload;
};

inline constexpr std::size_t kFramePayloadMax = 1U << 20U;

std::string encode_frame(Frame::Kind kind, std::string_view payload);

// Takes the first frame out of `buffer`; nullopt while it is not complete. Errors: EBADMSG for one
// that is too long.
Result<std::optional<Frame>> take_frame(std::string& buffer);

// nullopt when no monitor listens.
Result<std::optional<base::UniqueFd>> connect_monitor(store::Store const& store,
                                                      Container const& container);
Result<base::UniqueFd> listen_for_clients(store::Store const& store, Container const& container);

}  // namespace oblea::tools
