// SPDX-License-Identifier: MIT
// Memory that outlives this process: those forked from it have it too, and so has any other that is
// given its descriptor.
//
// Zero at first, and taken from the system page by page as it is touched.
#pragma once
#include "store/base/error.h"
#include "store/base/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace oblea::fs {

class SharedMemory {
public:
    // `name` shows in /proc/PID/maps. Errors: ENOMEM where so much may not be mapped.
    static Result<SharedMemory> make(char const* name, std::size_t bytes);
    // For `most` records of so many bytes, or fewer, down to `least`, where address space is
    // limited or all of it counts as memory.
    static Result<SharedMemory> make_records(char const* name, std::size_t record_bytes,
                                             std::size_t most, std::size_t least);
    // What another process made.
    static Result<SharedMemory> adopt(base::UniqueFd descriptor);
    // The same at the address that it has elsewhere. Errors: EBUSY when something else is there.
    static Result<SharedMemory> adopt_at(base::UniqueFd descriptor, std::uint64_t address);

    SharedMemory() = default;
    SharedMemory(SharedMemory&& other) noexcept;
    SharedMemory& operator=(SharedMemory&& other) noexcept;
    SharedMemory(SharedMemory const&) = delete;
    SharedMemory& operator=(SharedMemory const&) = delete;
    ~SharedMemory();

    // The memory as an array of `T`, for which zero bytes must be a value.
    template <class T>
    [[nodiscard]] std::span<T> as() const {
        return {static_cast<T*>(data_), bytes_ / sizeof(T)};
    }
    [[nodiscard]] int descriptor() const { return descriptor_.get(); }

private:
    static constexpr std::uint64_t kAnywhere = 0;
    static Result<SharedMemory> map(base::UniqueFd descriptor, std::size_t bytes,
                                    std::uint64_t address);

    base::UniqueFd descriptor_;
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace oblea::fs
