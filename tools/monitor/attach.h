// SPDX-License-Identifier: MIT
// The user's side of a running container: its output, and what is typed.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

// Finds the keys that detach in what is typed; keys of which only a part came wait for the rest.
class DetachKeys {
public:
    // "ctrl-p,ctrl-q" and the like: letters, or ctrl- with a letter or one of @[\]^_. Errors:
    // EINVAL.
    static Result<DetachKeys> parse(std::string_view text);

    struct Fed {
        std::string pass;  // to the container
        bool detached = false;
    };
    Fed feed(std::string_view typed);

private:
    explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}
    std::string keys_;
    std::size_t matched_ = 0;
};

inline constexpr char const* kDefaultDetachKeys = "ctrl-p,ctrl-q";

struct AttachRequest {
    enum class Input { none, all } input = Input::none;
    enum class Terminal { no, yes } terminal = Terminal::no;  // the container has one
    enum class Begin { no, yes } begin = Begin::no;           // lets it run once attached
    std::string detach_keys = kDefaultDetachKeys;
};

// By the standard streams of this process, until the container ends or the keys are typed. The exit
// status; nullopt when detached. Errors: EIO when the monitor is lost.
Result<std::optional<int>> attach(base::UniqueFd monitor, AttachRequest const& request);

// Docker's refusal to give a terminal to what is none. Errors: EINVAL.
Status check_terminal(AttachRequest const& request);

}  // namespace oblea::tools
