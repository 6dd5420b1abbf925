// SPDX-License-Identifier: MIT
#include "fs/fuse/counters.h"

#include "store/base/bytes.h"
#include "store/base/sys.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

namespace oblea::fs {
namespace {

namespace sys = base::sys;

// Names go with the figures, so that another version of the program reads them right.
struct Slot {
    std::array<char, 24> name{};
    std::uint64_t count = 0;
};
struct Page {
    std::array<char, 8> magic{'o', 'b', 'l', 'e', 'a', 'r', 'q', '1'};
    std::uint64_t slots = kOpCount + 1;
    std::array<Slot, 127> slot{};
};
static_assert(sizeof(Page) <= 4096 && kOpCount < 127);
constexpr std::size_t kCopiedSlot = kOpCount;
static_assert(std::ranges::all_of(kOpNames, [](auto name) { return name.size() < 24; }));
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);

Page& page_of(SharedMemory const& memory) noexcept {
    return memory.as<Page>().front();
}

std::atomic_ref<std::uint64_t> count_in(SharedMemory const& memory, std::size_t slot) noexcept {
    return std::atomic_ref{page_of(memory).slot[slot].count};
}
std::atomic_ref<std::uint64_t> count_in(SharedMemory const& memory, Op op) noexcept {
    return count_in(memory, static_cast<std::size_t>(op));
}

std::string_view text_of(Slot const& slot) noexcept {
    return {slot.name.data(), ::strnlen(slot.name.data(), slot.name.size())};
}

// With the names, and nothing counted.
Page fresh_page() noexcept {
    Page page;
    for (std::size_t i = 0; i < kOpCount; ++i) {
        std::ranges::copy(kOpNames[i], page.slot[i].name.begin());
    }
    std::ranges::copy(kCopiedBytes, page.slot[kCopiedSlot].name.begin());
    return page;
}

}  // namespace

Result<Counters> Counters::make() {
    Counters counters{OBLEA_TRY(SharedMemory::make("oblea-requests", sizeof(Page)))};
    new (&page_of(counters.memory_)) Page{fresh_page()};
    return counters;
}

Result<Counters> Counters::adopt(SharedMemory memory) {
    Page const ours = fresh_page();
    if (memory.as<Page>().empty() || page_of(memory).magic != ours.magic ||
        !std::ranges::equal(page_of(memory).slot, ours.slot, {}, text_of, text_of)) {
        return fail(Errno::ebadmsg, "", "what the server counted is of another version");
    }
    return Counters{std::move(memory)};
}

void Counters::count(Op op) noexcept {
    count_in(memory_, op).fetch_add(1, std::memory_order_relaxed);
}

void Counters::add_copied(std::uint64_t bytes) noexcept {
    count_in(memory_, kCopiedSlot).fetch_add(bytes, std::memory_order_relaxed);
}

std::uint64_t Counters::of(Op op) const noexcept {
    return count_in(memory_, op).load(std::memory_order_relaxed);
}

Result<RequestCounts> read_counts(int memory) {
    Page page;
    auto const bytes = std::as_writable_bytes(std::span{&page, 1});
    std::size_t const count = OBLEA_TRY(sys::pread_full(memory, bytes, 0));
    if (count != sizeof(Page) || page.magic != Page{}.magic || page.slots > page.slot.size()) {
        return fail(Errno::ebadmsg, "", "these are no counters of a mount");
    }
    RequestCounts counts;
    for (Slot const& slot : std::span{page.slot}.first(page.slots)) {
        auto const end = std::ranges::find(slot.name, '\0');
        if (slot.count != 0) {
            counts.emplace_back(std::string{slot.name.begin(), end}, slot.count);
        }
    }
    return counts;
}

}  // namespace oblea::fs
