// SPDX-License-Identifier: MIT
// Memory that a worker reads its requests into, one at a time.
//
// The kernel answers a request with EIO, and does not send it again, when it cannot copy all of it
// to a server; and it maps no page for a thread that is being killed. So whoever is killed while a
// request comes in must have the pages already: else a program sees an error of its write, or of
// its fsync, where another server would have gone on.
#pragma once
#include "store/base/bytes.h"
#include "store/base/error.h"

namespace oblea::fs {

class RequestBuffer {
public:
    // Requests but those with data fit into that, and their pages are there from the start.
    static constexpr std::size_t kSmallBytes = std::size_t{64} << 10U;

    static Result<RequestBuffer> make();
    RequestBuffer(RequestBuffer&& other) noexcept;
    RequestBuffer& operator=(RequestBuffer&& other) noexcept;
    ~RequestBuffer();

    // That data will come: all pages are there from now on. Costs nothing the second time.
    void expect_data();
    // The next request of the device, waited for. Errors: those of read(2).
    Result<base::MutableBytes> receive(int device);
    // For the largest request.
    [[nodiscard]] base::MutableBytes memory() const { return memory_; }

private:
    RequestBuffer() = default;
    void populate(std::size_t bytes);
    base::MutableBytes memory_;
    bool expects_data_ = false;
};

}  // namespace oblea::fs
