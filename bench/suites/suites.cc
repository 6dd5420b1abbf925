// SPDX-License-Identifier: MIT
#include "bench/suites/suites.h"

namespace oblea::bench {

std::vector<std::uint64_t> chosen(std::vector<std::uint64_t> const& asked,
                                  std::vector<std::uint64_t> const& usual) {
    return asked.empty() ? usual : asked;
}

std::vector<std::string> some_files(TreeSpec const& spec, unsigned wanted) {
    std::vector<std::string> paths;
    for (unsigned const number : sample(spec.files, wanted)) {
        paths.push_back(spec.file(number));
    }
    return paths;
}

}  // namespace oblea::bench
