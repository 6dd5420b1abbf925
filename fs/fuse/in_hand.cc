// SPDX-License-Identifier: MIT
#include "fs/fuse/in_hand.h"

#include "store/base/sys.h"

#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

namespace oblea::fs {

thread_local InHand::Line* InHand::line_ = nullptr;

Result<InHand> InHand::make() {
    void* memory = ::mmap(nullptr, kWorkersMax * sizeof(Line), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return fail(base::sys::last_errno(), "mmap");
    }
    InHand made;
    made.lines_ = static_cast<Line*>(memory);
    return made;
}

InHand::InHand(InHand&& other) noexcept
    : lines_(std::exchange(other.lines_, nullptr)), past_(std::move(other.past_)) {}

InHand& InHand::operator=(InHand&& other) noexcept {
    std::swap(lines_, other.lines_);
    std::swap(past_, other.past_);
    return *this;
}

InHand::~InHand() {
    if (lines_ != nullptr) {
        ::munmap(lines_, kWorkersMax * sizeof(Line));
    }
}

void InHand::enter(unsigned worker) {
    line_ = &lines_[worker];
}

void InHand::begin(std::uint64_t request) {
    if (line_ != nullptr) {
        line_->noted.store(0, std::memory_order_relaxed);
        line_->request.store(request & ~kResent, std::memory_order_relaxed);
    }
}

void InHand::end() {
    if (line_ != nullptr) {
        line_->request.store(0, std::memory_order_relaxed);
    }
}

void InHand::note(Ino ino) {
    if (line_ != nullptr) {
        line_->noted.store(static_cast<std::uint64_t>(ino), std::memory_order_relaxed);
    }
}

void InHand::start_over(Crashed crashed) {
    past_.clear();
    std::map<std::uint64_t, std::uint64_t> before;
    std::span const lines{lines_, kWorkersMax};
    for (Line& line : lines) {
        before[line.suspect.load()] = line.crashes.load();
    }
    for (Line& line : lines) {
        std::uint64_t const request = line.request.exchange(0);
        if (request != 0) {
            past_.push_back({.request = request, .noted = line.noted.load()});
        }
        bool const suspect = request != 0 && crashed == Crashed::yes;
        line.crashes.store(suspect ? before[request] + 1 : 0);
        line.suspect.store(suspect ? request : 0);
    }
}

std::optional<Ino> InHand::noted(std::uint64_t request) const {
    auto const found = std::ranges::find(past_, request & ~kResent, &Past::request);
    if (found == past_.end() || found->noted == 0) {
        return std::nullopt;
    }
    return Ino{found->noted};
}

bool InHand::is_deadly(std::uint64_t request) const {
    return (request & kResent) != 0 &&
           std::ranges::any_of(std::span{lines_, kWorkersMax}, [&](Line const& line) {
               return line.suspect.load() == (request & ~kResent) && line.crashes.load() > 1;
           });
}

}  // namespace oblea::fs
