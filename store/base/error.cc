// SPDX-License-Identifier: MIT
#include "store/base/error.h"

#include <system_error>

namespace oblea::base {

std::string Error::message() const {
    std::string text = detail;
    if (op != nullptr && *op != '\0') {
        text += text.empty() ? "" : ": ";
        text += op;
    }
    // These codes stand for faults in data; their strerror texts ("Structure needs cleaning",
    // "Argument list too long") tell nobody anything that the detail has not said. A detail
    // without a step is a whole sentence, which needs no strerror either.
    bool const data_fault = code == Errno::euclean || code == Errno::ebadmsg ||
                            code == Errno::einval || code == Errno::e2big;
    bool const explained = data_fault || op == nullptr || *op == '\0';
    if (!explained || text.empty()) {
        text += text.empty() ? "" : ": ";
        text += std::generic_category().message(static_cast<int>(code));
    }
    return text;
}

}  // namespace oblea::base
