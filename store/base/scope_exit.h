// SPDX-License-Identifier: MIT
// Runs a function at the end of a scope, unless dismissed.
#pragma once
#include <utility>

namespace oblea::base {

template <typename F>
class [[nodiscard]] ScopeExit {
public:
    explicit ScopeExit(F action) : action_(std::move(action)) {}
    ScopeExit(ScopeExit const&) = delete;
    ScopeExit& operator=(ScopeExit const&) = delete;
    ~ScopeExit() {
        if (armed_) {
            action_();
        }
    }
    void dismiss() noexcept { armed_ = false; }

private:
    F action_;
    bool armed_ = true;
};

}  // namespace oblea::base
