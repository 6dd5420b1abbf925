// SPDX-License-Identifier: MIT
#include "tools/mount/identifiers.h"

#include "store/base/sys.h"

#include <fmt/core.h>
#include <sys/random.h>

#include <algorithm>

namespace oblea::tools {
namespace {

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool is_name(std::string_view text) {
    return text.size() >= 2 && is_alphanumeric(text.front()) &&
           std::ranges::all_of(
               text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

Result<std::uint64_t> random_number() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof(number), 0) != sizeof(number)) {
        return fail(base::sys::last_errno(), "getrandom");
    }
    return number;
}

Result<std::string> random_id() {
    std::string id;
    for (int part = 0; part < 4; ++part) {
        id += fmt::format("{:016x}", OBLEA_TRY(random_number()));
    }
    return id;
}

}  // namespace oblea::tools
