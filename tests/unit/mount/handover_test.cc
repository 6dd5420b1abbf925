// SPDX-License-Identifier: MIT
#include "tools/mount/handover.h"

#include "tests/support/catch.h"
#include "tests/support/tree_builder.h"
#include "tools/mount/successor.h"

using namespace oblea;
using namespace oblea::tools;
using oblea::test::value_of;

namespace {

ImageHandover example_image() {
    ImageHandover image{.store = {.path = "/a store", .shared = {"/one", "/two"}},
                        .lease = "leases/7.0",
                        .lease_file = 5,
                        .image_name = "debian:latest",
                        .layers = {store::Digest{}, store::Digest{}},
                        .container_id = "0123",
                        .made = ImageHandover::Made::by_this_mount,
                        .owner_ids = OwnerIds::squashed};
    image.request.mode = MountMode::writable;
    image.request.remove = RemoveAtUnmount::always;
    image.request.upper_dir = "/upper";
    image.request.contents = store::Contents::verified;
    image.request.options.threads = 3;
    return image;
}

MountHandover example() {
    MountHandover handover{.description = R"({"kind":"mount"})",
                           .memory = {{.lower_counts = 6, .ledger = 7, .upper_lock = 8}},
                           .server = {.device = 9,
                                      .counters = 10,
                                      .in_hand = 11,
                                      .backing = 12,
                                      .rings = 13,
                                      .rings_at = 0x7fff'ffff'f000,
                                      .ring_queues = 16,
                                      .init = {std::byte{0}, std::byte{255}, std::byte{7}},
                                      .agreed = ~std::uint64_t{0},
                                      .asked_data = "passthrough",
                                      .data = "cached",
                                      .reason = "a \"reason\"",
                                      .transport_reason = "another",
                                      .mount_point = "/mnt/a\nb",
                                      .mount_device = "0:57",
                                      .mount_id = 4294967297},
                           .life = 14,
                           .mounted = example_image()};
    handover.server.placeholders.push_back({.parent = fs::Ino{42},
                                            .name = "proc",
                                            .type = fs::FileType::directory,
                                            .time = {.seconds = -1, .nanoseconds = 5}});
    return handover;
}

}  // namespace

TEST_CASE("what a holder hands over arrives", "[mount][handover]") {
    MountHandover const sent = example();
    std::string const text = encode_handover(sent);
    MountHandover const got = value_of(parse_handover(text));
    CHECK(encode_handover(got) == text);
    CHECK(got.description == sent.description);
    CHECK(got.memory->upper_lock == 8);
    CHECK(got.server.init == sent.server.init);
    CHECK(got.server.agreed == sent.server.agreed);
    CHECK(got.server.asked_data == "passthrough");
    CHECK(got.server.rings == 13);
    CHECK(got.server.rings_at == sent.server.rings_at);
    CHECK(got.server.ring_queues == 16);
    CHECK(got.server.transport_reason == "another");
    CHECK(got.life == 14);
    CHECK(got.server.mount_point == sent.server.mount_point);
    REQUIRE(got.server.placeholders.size() == 1);
    CHECK(got.server.placeholders[0].parent == fs::Ino{42});
    CHECK(got.server.placeholders[0].type == fs::FileType::directory);
    CHECK(got.server.placeholders[0].time == fs::TimePoint{.seconds = -1, .nanoseconds = 5});
    CHECK(descriptors_of(got) == std::vector{5, 9, 10, 11, 14, 12, 13, 6, 7, 8});

    ImageHandover const image = std::get<ImageHandover>(got.mounted);
    CHECK(image.store.path == "/a store");
    CHECK(image.store.shared == std::vector<std::string>{"/one", "/two"});
    CHECK(image.layers == example_image().layers);
    CHECK(image.made == ImageHandover::Made::by_this_mount);
    CHECK(image.owner_ids == OwnerIds::squashed);
    CHECK(image.request.mode == MountMode::writable);
    CHECK(image.request.remove == RemoveAtUnmount::always);
    CHECK(image.request.upper_dir == "/upper");
    CHECK(image.request.contents == store::Contents::verified);
    CHECK(image.request.options.threads == 3);
}

TEST_CASE("a read-only mount has no memory to hand over", "[mount][handover]") {
    MountHandover sent = example();
    sent.memory.reset();
    sent.server.backing = -1;
    std::get<ImageHandover>(sent.mounted).request.mode = MountMode::read_only;
    MountHandover const got = value_of(parse_handover(encode_handover(sent)));
    CHECK_FALSE(got.memory.has_value());
    CHECK(std::get<ImageHandover>(got.mounted).request.mode == MountMode::read_only);
    CHECK(descriptors_of(got) == std::vector{5, 9, 10, 11, 14, 13});
}

TEST_CASE("a mount without rings has none to hand over", "[mount][handover]") {
    MountHandover sent = example();
    sent.server.rings = -1;
    sent.server.rings_at = 0;
    sent.server.ring_queues = 0;
    MountHandover const got = value_of(parse_handover(encode_handover(sent)));
    CHECK(got.server.rings == -1);
    CHECK(got.server.rings_at == 0);
    CHECK(got.server.ring_queues == 0);
    CHECK(descriptors_of(got) == std::vector{5, 9, 10, 11, 14, 12, 6, 7, 8});
}

TEST_CASE("what a stack of folders hands over arrives", "[mount][handover]") {
    MountHandover sent = example();
    StackHandover stack{.options = {"lowerdir=a\\:b:c", "upperdir=\"u\",workdir=w"},
                        .layers = {20, 21},
                        .numbering = 22,
                        .upper = 23,
                        .work = 24};
    sent.mounted = stack;
    MountHandover const got = value_of(parse_handover(encode_handover(sent)));
    auto const& arrived = std::get<StackHandover>(got.mounted);
    CHECK(arrived.options == stack.options);
    CHECK(arrived.layers == stack.layers);
    CHECK(descriptors_of(got) == std::vector{20, 21, 22, 23, 24, 9, 10, 11, 14, 12, 13, 6, 7, 8});

    stack.upper = stack.work = -1;
    sent.mounted = stack;
    sent.memory.reset();
    CHECK(descriptors_of(value_of(parse_handover(encode_handover(sent)))) ==
          std::vector{20, 21, 22, 9, 10, 11, 14, 12, 13});
}

TEST_CASE("what another generation hands over is refused", "[mount][handover]") {
    std::string text = encode_handover(example());
    std::string const word = "\"generation\":4";
    auto const at = text.find(word);
    REQUIRE(at != std::string::npos);
    auto const code_of = [](std::string_view what) { return parse_handover(what).error().code; };
    text.replace(at, word.size(), "\"generation\":5");
    CHECK(code_of(text) == base::Errno::eopnotsupp);
    CHECK(code_of("no JSON") == base::Errno::eopnotsupp);
    CHECK(code_of("{\"generation\":4}") == base::Errno::eio);
}

TEST_CASE("only the words of a successor make one", "[mount][handover]") {
    CHECK(is_successor({"oblea", "adopt-mount", "3", "4"}));
    CHECK(is_successor({"oblea", "adopt-mount", "3", "4", "after-a-crash"}));
    CHECK_FALSE(is_successor({"oblea", "adopt-mount", "3"}));
    CHECK_FALSE(is_successor({"oblea", "adopt-mount", "three", "4"}));
    CHECK_FALSE(is_successor({"oblea", "adopt-mount", "3", "2"}));
    CHECK_FALSE(is_successor({"oblea", "mount", "3", "4"}));
}
