// SPDX-License-Identifier: MIT
// Runs another program and waits for it.
#pragma once
#include "store/base/error.h"

#include <string>
#include <vector>

namespace oblea::base {

struct Program {
    std::vector<std::string> arguments;    // the first is the program, looked up in PATH
    std::vector<std::string> environment;  // "NAME=VALUE", beside that of this process
    int descriptor = -1;                   // handed on as descriptor 3
};

struct ProgramEnd {
    int wait_status = 0;   // as waitpid(2) has it
    std::string messages;  // what it wrote to standard output and error, at most 64 KiB
    [[nodiscard]] bool succeeded() const { return wait_status == 0; }
};

// Standard input is /dev/null; every other descriptor of ours is closed in it. Errors: ENOENT when
// there is no such program.
Result<ProgramEnd> run_program(Program const& program);

}  // namespace oblea::base
