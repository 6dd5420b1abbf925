// SPDX-License-Identifier: MIT
#include "fs/fuse/counters.h"

#include "store/base/bytes.h"
#include "store/base/sys.h"

#include <sys/mman.h>

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

std::atomic_ref<std::uint64_t> count_in(void* page, std::size_t slot) noexcept {
    return std::atomic_ref{static_cast<Page*>(page)->slot[slot].count};
}
std::atomic_ref<std::uint64_t> count_in(void* page, Op op) noexcept {
    return count_in(page, static_cast<std::size_t>(op));
}

}  // namespace

Result<Counters> Counters::make() {
    base::UniqueFd memory{::memfd_create("oblea-requests", MFD_CLOEXEC)};
    if (!memory.valid()) {
        return fail(sys::last_errno(), "memfd_create");
    }
    OBLEA_TRY(sys::ftruncate(memory.get(), sizeof(Page)));
    void* const at =
        ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
    if (at == MAP_FAILED) {  // NOLINT: the system's own cast
        return fail(sys::last_errno(), "mmap");
    }
    auto* const page = new (at) Page;
    for (std::size_t i = 0; i < kOpCount; ++i) {
        std::ranges::copy(kOpNames[i], page->slot[i].name.begin());
    }
    std::ranges::copy(kCopiedBytes, page->slot[kCopiedSlot].name.begin());
    return Counters{std::move(memory), page};
}

Counters::Counters(Counters&& other) noexcept
    : memory_(std::move(other.memory_)), page_(std::exchange(other.page_, nullptr)) {}

Counters::~Counters() {
    if (page_ != nullptr) {
        ::munmap(page_, sizeof(Page));
    }
}

void Counters::count(Op op) noexcept {
    count_in(page_, op).fetch_add(1, std::memory_order_relaxed);
}

void Counters::add_copied(std::uint64_t bytes) noexcept {
    count_in(page_, kCopiedSlot).fetch_add(bytes, std::memory_order_relaxed);
}

std::uint64_t Counters::of(Op op) const noexcept {
    return count_in(page_, op).load(std::memory_order_relaxed);
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
