// SPDX-License-Identifier: MIT
#include "fs/fuse/in_hand.h"

#include <algorithm>
#include <map>
#include <utility>

namespace oblea::fs {

thread_local InHand::Line* InHand::line_ = nullptr;

Result<InHand> InHand::make() {
    return adopt(OBLEA_TRY(SharedMemory::make("oblea-in-hand", kWorkersMax * sizeof(Line))));
}

Result<InHand> InHand::adopt(SharedMemory memory) {
    InHand made;
    made.memory_ = std::move(memory);
    made.lines_ = made.memory_.as<Line>();
    if (made.lines_.size() != kWorkersMax) {
        return fail(Errno::einval, "", "this is no memory of requests");
    }
    return made;
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
    for (Line& line : lines_) {
        before[line.suspect.load()] = line.crashes.load();
    }
    for (Line& line : lines_) {
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
    return (request & kResent) != 0 && std::ranges::any_of(lines_, [&](Line const& line) {
               return line.suspect.load() == (request & ~kResent) && line.crashes.load() > 1;
           });
}

}  // namespace oblea::fs
