// SPDX-License-Identifier: MIT
// The kernel's side of a slot is played here: what it writes for a request, and where it looks for
// the answer (fs/fuse/dev_uring.c of Linux 6.14, fuse_uring_copy_to_ring and
// fuse_uring_copy_from_ring).
#include "fs/fuse/ring_slot.h"

#include "fs/fuse/in_hand.h"
#include "store/base/mapped_file.h"
#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree_builder.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

using namespace oblea;
using namespace oblea::fs;
using base::Bytes;
using base::ByteView;
using Left = RingSlot::Left;
using oblea::test::TempDir;
using oblea::test::value_of;

namespace {

constexpr std::size_t kLarge = std::size_t{1} << 20U;

Bytes bytes_of(std::string_view text) {
    ByteView const view = std::as_bytes(std::span{text});
    return {view.begin(), view.end()};
}

Bytes pattern(std::size_t size, unsigned seed = 0) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>((i * 7 + i / 251 + seed) & 0xffU);
    }
    return bytes;
}

Bytes copy_of(ByteView view) {
    return {view.begin(), view.end()};
}

struct Request {
    std::uint64_t number = 0;
    std::uint32_t opcode = 0;
    Bytes op;
    Bytes payload;

    [[nodiscard]] fuse_in_header header() const {
        fuse_in_header header{};
        header.len = static_cast<std::uint32_t>(sizeof(header) + op.size() + payload.size());
        header.opcode = opcode;
        header.unique = number;
        header.nodeid = 5;
        header.uid = 1000;
        return header;
    }
    // What read(2) gives.
    [[nodiscard]] Bytes message(std::uint64_t mark = 0) const {
        fuse_in_header first = header();
        first.unique |= mark;
        Bytes bytes = copy_of(std::as_bytes(std::span{&first, 1}));
        bytes.insert(bytes.end(), op.begin(), op.end());
        bytes.insert(bytes.end(), payload.begin(), payload.end());
        return bytes;
    }
};

// The name with the zero at its end; the operation has no header of its own.
Request lookup(std::uint64_t number) {
    return {.number = number,
            .opcode = FUSE_LOOKUP,
            .op = {},
            .payload = bytes_of(std::string_view{"name", 5})};
}

Request write_of(std::uint64_t number, std::size_t size) {
    return {.number = number,
            .opcode = FUSE_WRITE,
            .op = pattern(sizeof(fuse_write_in), 3),
            .payload = pattern(size)};
}

// The header with the number comes last, as from the kernel.
void send(RingSlot& slot, Request const& request, fuse_in_header const& header) {
    RingSlot::Header& kernel = slot.header();
    std::copy_n(request.op.begin(), std::min(request.op.size(), kernel.op.size()),
                kernel.op.begin());
    std::copy(request.payload.begin(), request.payload.end(), slot.payload().begin());
    kernel.payload_bytes = static_cast<std::uint32_t>(request.payload.size());
    kernel.commit_id = request.number;
    std::memcpy(kernel.in_out.data(), &header, sizeof(header));
}

void send(RingSlot& slot, Request const& request) {
    send(slot, request, request.header());
}

struct Answer {
    fuse_out_header header{};
    std::uint64_t commit_id = 0;
    Bytes body;

    friend bool operator==(Answer const& a, Answer const& b) {
        return std::memcmp(&a.header, &b.header, sizeof(a.header)) == 0 &&
               a.commit_id == b.commit_id && a.body == b.body;
    }
};

// What the kernel takes.
Answer answer_in(RingSlot& slot) {
    Answer answer;
    std::memcpy(&answer.header, slot.header().in_out.data(), sizeof(answer.header));
    answer.commit_id = slot.header().commit_id;
    REQUIRE(slot.header().payload_bytes <= slot.payload().size());
    answer.body = copy_of(slot.payload().first(slot.header().payload_bytes));
    CHECK(answer.header.len == sizeof(answer.header) + answer.body.size());
    return answer;
}

// As libfuse hands it over.
Status answer(RingSlot& slot, std::uint64_t number, std::vector<ByteView> const& body,
              std::int32_t error = 0) {
    std::size_t size = sizeof(fuse_out_header);
    for (ByteView const piece : body) {
        size += piece.size();
    }
    fuse_out_header header{
        .len = static_cast<std::uint32_t>(size), .error = error, .unique = number};
    std::vector<iovec> pieces{{.iov_base = &header, .iov_len = sizeof(header)}};
    for (ByteView const piece : body) {
        pieces.push_back(
            {.iov_base = const_cast<std::byte*>(piece.data()),  // NOLINT: iovec has no const
             .iov_len = piece.size()});
    }
    return slot.answer(pieces);
}

Errno code_of(Status const& status) {
    REQUIRE_FALSE(status.has_value());
    return status.error().code;
}

bool lies_in(ByteView part, ByteView whole) {
    return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

base::UniqueFd second_descriptor(RingSlots const& slots) {
    return base::UniqueFd{::fcntl(slots.descriptor(), F_DUPFD_CLOEXEC, 0)};
}

// What a successor has: the same memory at the same address.
RingSlots pass_on(RingSlots slots) {
    base::UniqueFd memory = second_descriptor(slots);
    std::uint64_t const address = slots.address();
    unsigned const queues = slots.queues();
    slots = RingSlots{};
    return value_of(RingSlots::adopt(std::move(memory), address, queues));
}

}  // namespace

TEST_CASE("a small request is one message, out of the way of its answer", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    Request const request = lookup(18);
    send(slot, request);
    auto const message = value_of(slot.take());
    CHECK(copy_of(message) == request.message());
    CHECK_FALSE(lies_in(message, slot.payload()));
    CHECK(slot.request() == 18);
    std::ranges::fill(slot.payload(), std::byte{0xee});
    std::ranges::fill(slot.header().op, std::byte{0xee});
    CHECK(copy_of(message) == request.message());
    CHECK_FALSE(slot.is_large());
}

TEST_CASE("a large request is one message where its data is", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    Request const request = write_of(20, kLarge);
    REQUIRE(request.op.size() == 40);
    send(slot, request);
    auto const message = value_of(slot.take());
    CHECK(copy_of(message) == request.message());
    auto const data = message.subspan(sizeof(fuse_in_header) + request.op.size());
    CHECK(data.data() == slot.payload().data());
    CHECK(lies_in(data, slot.payload()));
    CHECK(slot.is_large());
}

TEST_CASE("requests of all sizes are what read(2) would have given", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    std::uint64_t number = 2;
    for (std::size_t const op : {0U, 8U, 40U, 128U}) {
        for (std::size_t const size :
             {std::size_t{0}, std::size_t{1}, std::size_t{8192}, std::size_t{8193}, kLarge}) {
            CAPTURE(op, size);
            Request const request{.number = number,
                                  .opcode = FUSE_SETXATTR,
                                  .op = pattern(op, 9),
                                  .payload = pattern(size)};
            send(slot, request);
            CHECK(copy_of(value_of(slot.take())) == request.message());
            slot.answer(Errno{});
            number += 2;
        }
    }
}

TEST_CASE("a request of impossible size is an error, and can be answered", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    Request const request = write_of(22, 100);
    fuse_in_header header = request.header();
    SECTION("less than its parts") {
        header.len = sizeof(header) + 99;
        send(slot, request, header);
    }
    SECTION("less than a header") {
        header.len = sizeof(header) - 1;
        send(slot, request, header);
        slot.header().payload_bytes = 0;
    }
    SECTION("more than its parts can be") {
        header.len = sizeof(header) + 128 + 100 + 1;
        send(slot, request, header);
    }
    SECTION("more than the payload") {
        header.len = sizeof(header) + kLarge + 1;
        send(slot, request, header);
        slot.header().payload_bytes = kLarge + 1;
    }
    SECTION("a payload that no length can tell") {
        send(slot, request, header);
        slot.header().payload_bytes = ~std::uint32_t{0};
    }
    auto const taken = slot.take();
    REQUIRE_FALSE(taken.has_value());
    CHECK(taken.error().code == Errno{EPROTO});
    CHECK(slot.left() == Left::fresh);  // a successor comes to the same
    slot.answer(taken.error().code);
    CHECK(slot.left() == Left::answer);
    Answer const shown = answer_in(slot);
    CHECK(shown.header.error == -EPROTO);
    CHECK(shown.header.unique == 22);
    CHECK(shown.commit_id == 22);
    CHECK(shown.body.empty());
}

TEST_CASE("an answer is put where the kernel looks for it", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    send(slot, lookup(24));
    slot.header().flags = ~std::uint64_t{0};
    REQUIRE(slot.take().has_value());
    // Of several sizes: those that are put aside, and those that are not.
    auto const size = GENERATE(as<std::size_t>{}, 0, 1, 144, 256, 257, 5000, std::size_t{1} << 20U);
    CAPTURE(size);
    Bytes const body = pattern(size, 4);
    ByteView const view{body};
    SECTION("in one piece") {
        REQUIRE(answer(slot, 24, {view}).has_value());
    }
    SECTION("in pieces") {
        REQUIRE(answer(slot, 24, {view.first(size / 3), view.subspan(size / 3)}).has_value());
    }
    SECTION("of a request that is marked") {
        static_cast<void>(slot.take_again());
        REQUIRE(answer(slot, 24 | kResent, {view}).has_value());
    }
    Answer const shown = answer_in(slot);
    CHECK(shown.header.error == 0);
    CHECK(shown.header.unique == 24);
    CHECK(shown.commit_id == 24);
    CHECK(slot.header().flags == 0);
    CHECK(shown.body == body);
    CHECK_FALSE(slot.has(24));
}

TEST_CASE("an errno is an answer", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    Request const request = GENERATE(lookup(26), write_of(26, kLarge));
    send(slot, request);
    REQUIRE(slot.take().has_value());
    SECTION("as libfuse sends it") {
        REQUIRE(answer(slot, 26, {}, -ENOENT).has_value());
    }
    SECTION("of our own") {
        slot.answer(Errno::enoent);
    }
    Answer const shown = answer_in(slot);
    CHECK(shown.header.error == -ENOENT);
    CHECK(shown.header.unique == 26);
    CHECK(shown.commit_id == 26);
    CHECK(shown.body.empty());
}

TEST_CASE("the small answer of a large request is put aside and shown", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    send(slot, write_of(28, kLarge));
    REQUIRE(slot.take().has_value());
    fuse_write_out const written{.size = kLarge, .padding = 0};
    REQUIRE(answer(slot, 28, {std::as_bytes(std::span{&written, 1})}).has_value());
    CHECK(answer_in(slot).body == copy_of(std::as_bytes(std::span{&written, 1})));
}

TEST_CASE("an answer that is too large is refused, and the request still is in hand",
          "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    Bytes const body = pattern(kLarge + 1);
    ByteView too_much{body};
    Request request = lookup(30);
    SECTION("for the kernel") {}
    SECTION("for the kernel, beside the data") {
        request = write_of(30, kLarge);
    }
    SECTION("for the room beside the data") {
        request = write_of(30, kLarge);
        too_much = too_much.first(257);
    }
    send(slot, request);
    auto const message = value_of(slot.take());
    CHECK(code_of(answer(slot, 30, {too_much})) == Errno{EMSGSIZE});
    CHECK(code_of(answer(slot, 30, {too_much.first(1), too_much.subspan(1)})) == Errno{EMSGSIZE});
    CHECK(slot.has(30));
    CHECK(slot.left() == Left::request);
    CHECK(copy_of(message) == request.message());
    slot.answer(Errno::eio);
    CHECK_FALSE(slot.has(30));
    CHECK(answer_in(slot).header.error == -EIO);
}

TEST_CASE("an answer that is built in the slot is not copied", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    send(slot, lookup(32));
    REQUIRE(slot.take().has_value());
    auto const size = GENERATE(as<std::size_t>{}, 100, 5000, std::size_t{1} << 20U);
    auto const room = slot.room(size);
    REQUIRE(room.size() == size);
    CHECK(room.data() == slot.payload().data());
    CHECK(slot.room(kLarge + 1).empty());
    Bytes const body = pattern(size, 8);
    std::ranges::copy(body, room.begin());
    REQUIRE(answer(slot, 32, {room}).has_value());
    CHECK(answer_in(slot).body == body);
}

TEST_CASE("beside a request that is in place there is no room", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    send(slot, write_of(34, kLarge));
    REQUIRE(slot.take().has_value());
    CHECK(slot.room(1).empty());
    slot.answer(Errno{});
    send(slot, lookup(36));
    REQUIRE(slot.take().has_value());
    CHECK(slot.room(kLarge).size() == kLarge);
}

TEST_CASE("an answer from a file that has shrunk is none", "[fuse][ring_slot]") {
    TempDir const folder;
    auto const file = value_of(base::sys::open(folder / "a", O_RDWR | O_CREAT));
    value_of(base::sys::ftruncate(file.get(), 8192));
    auto const lost = value_of(base::MappedFile::map(file.get(), 8192));
    value_of(base::sys::ftruncate(file.get(), 0));

    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    Request const request = lookup(38);
    send(slot, request);
    auto const message = value_of(slot.take());
    RingSlot::Header const before = slot.header();
    auto const size = GENERATE(as<std::size_t>{}, 100, 8192);
    CHECK(code_of(answer(slot, 38, {lost.bytes().first(size)})) == Errno{EFAULT});
    CHECK(slot.has(38));
    CHECK(slot.left() == Left::request);
    CHECK(std::memcmp(&slot.header(), &before, sizeof(before)) == 0);
    CHECK(copy_of(message) == request.message());
    slot.answer(Errno::eio);
    CHECK(answer_in(slot).header.error == -EIO);
}

TEST_CASE("a request is in hand from taking to answering", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    CHECK_FALSE(slot.has(0));
    send(slot, lookup(40));
    CHECK_FALSE(slot.has(40));
    REQUIRE(slot.take().has_value());
    CHECK(slot.has(40));
    CHECK(slot.has(40 | kResent));
    CHECK_FALSE(slot.has(42));
    CHECK_FALSE(slots.slot(1).has(40));
    slot.answer(Errno{});
    CHECK_FALSE(slot.has(40));
    CHECK_FALSE(slot.has(40 | kResent));
}

TEST_CASE("a slot tells how far the one before had come", "[fuse][ring_slot]") {
    RingSlots slots = value_of(RingSlots::make(1));
    auto const passed_on = GENERATE(false, true);
    auto const in_slot = [&]() -> RingSlot& {
        if (passed_on) {
            slots = pass_on(std::move(slots));
        }
        return slots.slot(1);
    };
    CHECK(in_slot().left() == Left::nothing);

    Request const request = GENERATE(lookup(44), write_of(44, kLarge));
    send(slots.slot(1), request);
    CHECK(in_slot().left() == Left::fresh);
    CHECK(slots.slot(0).left() == Left::nothing);

    REQUIRE(slots.slot(1).take().has_value());
    CHECK(in_slot().left() == Left::request);
    CHECK(slots.slot(1).request() == 44);
    CHECK(copy_of(slots.slot(1).take_again()) == request.message(kResent));
    // Who had it built part of the answer already.
    std::ranges::fill(slots.slot(1).room(100'000), std::byte{0xee});
    CHECK(in_slot().left() == Left::request);
    CHECK(slots.slot(1).has(44));
    CHECK(copy_of(slots.slot(1).take_again()) == request.message(kResent));

    RingSlot::Header const before = slots.slot(1).header();
    Bytes const first_of_payload = copy_of(slots.slot(1).payload().first(4096));
    Bytes const body = pattern(144, 5);
    REQUIRE(answer(slots.slot(1), 44 | kResent, {ByteView{body}}).has_value());
    CHECK(in_slot().left() == Left::answer);
    CHECK(slots.slot(1).request() == 44);
    Answer const shown = answer_in(slots.slot(1));
    CHECK(shown.body == body);
    slots.slot(1).answer_again();
    CHECK(answer_in(slots.slot(1)) == shown);
    // Who had it got no further than to say that there is an answer.
    slots.slot(1).header() = before;
    std::ranges::copy(first_of_payload, slots.slot(1).payload().begin());
    CHECK(in_slot().left() == Left::answer);
    slots.slot(1).answer_again();
    CHECK(answer_in(slots.slot(1)) == shown);

    Request const next = GENERATE(lookup(46), write_of(46, kLarge));
    send(slots.slot(1), next);
    CHECK(in_slot().left() == Left::fresh);
    CHECK(copy_of(value_of(slots.slot(1).take())) == next.message());
    CHECK(in_slot().left() == Left::request);
}

TEST_CASE("a large answer is shown again", "[fuse][ring_slot]") {
    RingSlots slots = value_of(RingSlots::make(1));
    Request const request = lookup(48);
    send(slots.slot(0), request);
    REQUIRE(slots.slot(0).take().has_value());
    Bytes const body = pattern(kLarge, 6);
    auto const room = slots.slot(0).room(kLarge);
    std::ranges::copy(body, room.begin());
    RingSlot::Header const before = slots.slot(0).header();
    REQUIRE(answer(slots.slot(0), 48, {room}).has_value());
    Answer const shown = answer_in(slots.slot(0));
    slots.slot(0).header() = before;  // it had not come to the header yet
    slots = pass_on(std::move(slots));
    CHECK(slots.slot(0).left() == Left::answer);
    slots.slot(0).answer_again();
    CHECK(answer_in(slots.slot(0)) == shown);
    CHECK(shown.body == body);
}

TEST_CASE("slots are adopted where the kernel knows them, and nowhere else", "[fuse][ring_slot]") {
    RingSlots slots = value_of(RingSlots::make(1));
    std::uint64_t const address = slots.address();
    SECTION("their place is taken") {
        auto const adopted = RingSlots::adopt(second_descriptor(slots), address, 1);
        REQUIRE_FALSE(adopted.has_value());
        CHECK(adopted.error().code == Errno::ebusy);
        CHECK(slots.slot(0).left() == Left::nothing);
    }
    SECTION("their place is free") {
        send(slots.slot(3), lookup(50));
        slots = pass_on(std::move(slots));
        CHECK(slots.address() == address);
        CHECK(slots.queues() == 1);
        CHECK(slots.workers() == RingSlots::workers_each(1));
        CHECK(copy_of(value_of(slots.slot(3).take())) == lookup(50).message());
    }
    SECTION("of another number of queues") {
        auto const queues = GENERATE(0U, 2U);
        base::UniqueFd memory = second_descriptor(slots);
        slots = RingSlots{};
        auto const adopted = RingSlots::adopt(std::move(memory), address, queues);
        REQUIRE_FALSE(adopted.has_value());
        CHECK(adopted.error().code == Errno::einval);
    }
}

TEST_CASE("each queue has its workers, one of them the first", "[fuse][ring_slot]") {
    auto const queues = GENERATE(1U, 2U, 4U, 5U, 16U);
    RingSlots const slots = value_of(RingSlots::make(queues));
    REQUIRE(slots.workers() == queues * RingSlots::workers_each(queues));
    std::vector<unsigned> workers(queues);
    std::vector<unsigned> first(queues);
    for (unsigned worker = 0; worker < slots.workers(); ++worker) {
        REQUIRE(slots.queue_of(worker) < queues);
        workers[slots.queue_of(worker)] += 1;
        first[slots.queue_of(worker)] += slots.is_first(worker) ? 1U : 0U;
    }
    CHECK(workers == std::vector(queues, RingSlots::workers_each(queues)));
    CHECK(first == std::vector(queues, 1U));
}

TEST_CASE("what a large request took is given back, and no other slot's", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    auto const bytes_in_use = [&] {
        return 512 * value_of(base::sys::fstat(slots.descriptor())).st_blocks;
    };
    Request const request = write_of(52, kLarge);
    for (unsigned const worker : {0U, 1U, 2U}) {
        send(slots.slot(worker), request);
        REQUIRE(slots.slot(worker).take().has_value());
    }
    slots.slot(1).answer(Errno{});
    REQUIRE(slots.slot(1).is_large());
    auto const before = bytes_in_use();
    slots.shrink(1);
    CHECK(bytes_in_use() <= before - 900 * 1024);
    CHECK_FALSE(slots.slot(1).is_large());
    CHECK(slots.slot(1).left() == Left::answer);
    for (unsigned const worker : {0U, 2U}) {
        CHECK(slots.slot(worker).is_large());
        CHECK(copy_of(slots.slot(worker).take_again()) == request.message(kResent));
    }
    Request const next = write_of(54, kLarge);
    send(slots.slot(1), next);
    CHECK(copy_of(value_of(slots.slot(1).take())) == next.message());
    CHECK(slots.slot(1).is_large());
}

TEST_CASE("a large answer takes memory too", "[fuse][ring_slot]") {
    RingSlots const slots = value_of(RingSlots::make(1));
    RingSlot& slot = slots.slot(0);
    send(slot, lookup(56));
    REQUIRE(slot.take().has_value());
    REQUIRE(answer(slot, 56, {ByteView{pattern(kLarge)}}).has_value());
    CHECK(slot.is_large());
    slots.shrink(0);
    CHECK_FALSE(slot.is_large());
}
