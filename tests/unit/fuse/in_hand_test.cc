// SPDX-License-Identifier: MIT
#include "fs/fuse/in_hand.h"

#include "tests/support/catch.h"
#include "tests/support/tree_builder.h"

using namespace oblea::fs;
using oblea::test::value_of;

TEST_CASE("a successor knows what its predecessor noted of a request", "[fuse][in_hand]") {
    InHand in_hand = value_of(InHand::make());
    in_hand.enter(3);
    in_hand.begin(40);
    in_hand.note(Ino{7});
    in_hand.start_over(InHand::Crashed::no);
    CHECK(in_hand.noted(40 | kResent) == Ino{7});
    CHECK_FALSE(in_hand.noted(42 | kResent).has_value());

    in_hand.begin(44);
    in_hand.start_over(InHand::Crashed::no);
    CHECK_FALSE(in_hand.noted(44 | kResent).has_value());  // nothing was noted of it
    CHECK_FALSE(in_hand.noted(40 | kResent).has_value());
}

TEST_CASE("what was answered is in nobody's hand", "[fuse][in_hand]") {
    InHand in_hand = value_of(InHand::make());
    in_hand.enter(0);
    in_hand.begin(40);
    in_hand.note(Ino{7});
    in_hand.end();
    in_hand.start_over(InHand::Crashed::yes);
    CHECK_FALSE(in_hand.noted(40 | kResent).has_value());
    CHECK_FALSE(in_hand.is_deadly(40 | kResent));
}

TEST_CASE("a request with which two servers crashed is given up", "[fuse][in_hand]") {
    InHand in_hand = value_of(InHand::make());
    in_hand.enter(0);
    in_hand.begin(40);
    in_hand.start_over(InHand::Crashed::yes);
    CHECK_FALSE(in_hand.is_deadly(40 | kResent));
    // Taken by another worker this time.
    in_hand.enter(1);
    in_hand.begin(40 | kResent);
    SECTION("two crashes") {
        in_hand.start_over(InHand::Crashed::yes);
        CHECK(in_hand.is_deadly(40 | kResent));
        CHECK_FALSE(in_hand.is_deadly(40));
        CHECK_FALSE(in_hand.is_deadly(42 | kResent));
    }
    SECTION("a crash and a kill") {
        in_hand.start_over(InHand::Crashed::no);
        CHECK_FALSE(in_hand.is_deadly(40 | kResent));
    }
}
