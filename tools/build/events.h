// SPDX-License-Identifier: MIT
// What a stage says of its progress to the process that shows it.
//
// Each stage is built by a process of its own. Its events go over a socket that keeps their bounds,
// what commands print over a pipe beside; whoever reads empties the pipe before each event, so that
// the order is kept.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace oblea::tools::build {

struct Event {
    // The texts are those of --progress json.
    enum class Kind {
        step,     // number and text of an instruction
        image,    // id of the image that it gave; empty: none
        cached,   // it needs not be carried out
        running,  // id of the container that runs it
        removed,  // the same, when it is gone
        note,     // text, a line
        done,     // the stage; id of its image, and the build arguments that it asked for
        failed,   // text, code
    } kind = Kind::note;
    std::size_t step = 0;
    std::string text = {};  // or id
    int code = 0;           // what the program ends with
    std::vector<std::string> names = {};
};

std::string encode_event(Event const& event);
Result<Event> parse_event(std::string_view text);  // Errors: EINVAL
[[nodiscard]] char const* kind_name(Event::Kind kind);

// The stage's side.
class EventSender {
public:
    explicit EventSender(base::UniqueFd socket) : socket_(std::move(socket)) {}
    // One that cannot be told is lost: then nobody is there to read it.
    void send(Event const& event) const;

private:
    base::UniqueFd socket_;
};

// The other side; nullopt at the end.
Result<std::optional<Event>> receive_event(int socket);

}  // namespace oblea::tools::build
