// SPDX-License-Identifier: MIT
// A text that nobody should see: a password, a token, the value of an Authorization header.
//
// It cannot be printed or formatted by accident, only by reveal(), whose callers are the few places
// that hand it to a server, a helper or the credentials' file. Its memory is wiped at the end.
#pragma once
#include <cstring>
#include <string>
#include <utility>

namespace oblea::registry {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string text) : text_(std::move(text)) {}
    Secret(Secret const&) = default;
    Secret(Secret&& other) noexcept { text_.swap(other.text_); }
    Secret& operator=(Secret const& other) {
        if (this != &other) {
            wipe();
            text_ = other.text_;
        }
        return *this;
    }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            wipe();
            text_.clear();
            text_.swap(other.text_);
        }
        return *this;
    }
    ~Secret() { wipe(); }

    [[nodiscard]] std::string const& reveal() const { return text_; }
    [[nodiscard]] bool empty() const { return text_.empty(); }
    bool operator==(Secret const&) const = default;

private:
    void wipe() noexcept { explicit_bzero(text_.data(), text_.size()); }

    std::string text_;
};

}  // namespace oblea::registry
