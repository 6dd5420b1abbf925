// SPDX-License-Identifier: MIT
#include "store/base/boot_id.h"

#include "store/base/sys.h"

namespace oblea::base {

std::string boot_id() {
    constexpr std::size_t kBytes = 36;
    auto const text = sys::read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128);
    return text.has_value() && text->size() >= kBytes ? text->substr(0, kBytes) : std::string{};
}

}  // namespace oblea::base
