// SPDX-License-Identifier: MIT
// The system calls by which this program changes files: counted, and failing or ending the process
// at a call that the test names.
//
// The functions of the C library are replaced in the test program itself (faulty_calls.cc), so that
// the union under test is the one that is shipped. For one thread at a time.
#pragma once
#include <cstdint>
#include <limits>

namespace oblea::test {

struct FaultyCalls {
    static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
    static constexpr int kDied = 99;  // exit status of a process that was ended

    enum class Kind {
        none,
        end_process,  // at once, before the call, as SIGKILL does
        fail_once,    // with `error`
        full_disk,    // from that call on ENOSPC for all that needs space; what frees some works
    } kind = Kind::none;
    std::uint64_t at = kNever;  // counted from 1, since arm()
    int error = 0;

    // What the file system beneath, or our rights, do not offer.
    enum class Offered { no, yes };
    Offered rename_whiteout = Offered::yes;
    Offered whiteout_devices = Offered::yes;

    std::uint64_t count = 0;
    std::uint64_t syncs = 0;  // of files, folders or file systems
    bool fired = false;       // a call failed

    void arm(Kind what, std::uint64_t call, int with = 0) {
        kind = what;
        at = call;
        error = with;
        count = 0;
        syncs = 0;
        fired = false;
    }
    void disarm() { kind = Kind::none; }
};

// The one of this program.
FaultyCalls& faulty_calls();

}  // namespace oblea::test
