// SPDX-License-Identifier: MIT
// Turns the SIGBUS of a mapped file that has shrunk, or whose medium fails, into an error.
//
// A guard belongs to the calling thread and to one range of addresses, and costs no system call.
// Guards nest: a fault ends the innermost guard whose range holds the address. Any other SIGBUS
// goes to the handler that was there before, which by default ends the process.
//
// The fault leaves `read` by siglongjmp, so that destructors of what lives inside `read` at that
// moment do not run: while it touches the mapping it must own nothing (no locks, no strings, no
// containers) that is not already empty. Looking something up and copying it out by value is what
// it is for.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"

#include <csetjmp>
#include <type_traits>

namespace oblea::base {

class SigbusGuard {
public:
    // Installs the process's handler at the first use.
    explicit SigbusGuard(ByteView range) noexcept;
    ~SigbusGuard();
    SigbusGuard(SigbusGuard const&) = delete;
    SigbusGuard& operator=(SigbusGuard const&) = delete;

    sigjmp_buf& resume_point() noexcept { return resume_; }
    [[nodiscard]] bool covers(std::byte const* address) const noexcept {
        return address >= range_.data() && address < range_.data() + range_.size();
    }
    [[nodiscard]] SigbusGuard* outer() const noexcept { return outer_; }

private:
    ByteView range_;
    SigbusGuard* outer_;
    sigjmp_buf resume_;
};

// Runs `read`, a function that returns a Result or a Status. Errors: EIO when a page of `range`
// could not be had; else those of `read`.
template <typename F>
[[nodiscard]] std::invoke_result_t<F> read_guarded(ByteView range, F&& read) {
    SigbusGuard guard{range};
    // The signal mask is not saved, which would be a system call: the handler does not block
    // SIGBUS.
    if (sigsetjmp(guard.resume_point(), 0) != 0) {
        return fail(Errno::eio, "read of a mapped file that shrank or cannot be read");
    }
    return std::forward<F>(read)();
}

}  // namespace oblea::base
