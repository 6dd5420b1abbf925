// SPDX-License-Identifier: MIT
// What registries answer when they refuse, in the words that users of docker know.
//
// Pure. Bodies come from outside: anything is taken, control characters are not passed on.
// Spec: distribution-spec "Error Codes"; docker "daemon/images, translatePullError".
#pragma once
#include "store/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace oblea::registry {

struct Refusal {
    unsigned status = 0;
    std::string code;     // "MANIFEST_UNKNOWN", of the first error of the body; may be empty
    std::string message;  // may be empty
};

[[nodiscard]] Refusal parse_refusal(unsigned status, std::string_view body);

// "manifest unknown: manifest unknown", or the status where the body says nothing.
[[nodiscard]] std::string describe(Refusal const& refusal);

enum class Wanted { manifest, blob, tags, ping, push, catalog };

// ENOENT for what is not there, EACCES for what is not allowed, EAGAIN for too many requests, EIO
// for the rest. `familiar` is what the user asked for ("debian:12"), `repository` its name without
// tag ("debian").
[[nodiscard]] Error refusal_error(Refusal const& refusal, Wanted wanted, std::string_view familiar,
                                  std::string_view repository);

// The text without control characters, at most 300 bytes.
[[nodiscard]] std::string printable(std::string_view text);
// The same of a document's field; empty when there is no such text.
[[nodiscard]] std::string printable_field(nlohmann::json const& object, char const* key);

}  // namespace oblea::registry
