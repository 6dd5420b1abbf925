// SPDX-License-Identifier: MIT
// The fence: whatever third parties throw ends here, as exit status 70.
#include "tools/cli/run_program.h"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    try {
        return oblea::tools::run_program({argv, argv + argc}, {});
    } catch (std::exception const& error) {
        std::fputs("oblea: a fault of the program itself: ", stderr);
        std::fputs(error.what(), stderr);
        std::fputs("\n", stderr);
    } catch (...) {
        std::fputs("oblea: a fault of the program itself\n", stderr);
    }
    return oblea::tools::exit_code::kInternal;
}
