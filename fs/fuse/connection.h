// SPDX-License-Identifier: MIT
// What every request needs: the union, the terms of the mount, the counters. One per server;
// libfuse hands it to each operation as user data.
#pragma once
#include "fs/fuse/backing_files.h"
#include "fs/fuse/counters.h"
#include "fs/fuse/cut_tails.h"
#include "fs/fuse/data_mode.h"
#include "fs/fuse/early_cuts.h"
#include "fs/fuse/in_hand.h"
#include "fs/fuse/openers.h"
#include "fs/fuse/placeholder.h"
#include "fs/fuse/ring_slot.h"
#include "fs/fuse/server.h"
#include "fs/fuse/stale_pages.h"
#include "fs/fuse/transport.h"
#include "fs/union_fs.h"

#include <memory>

namespace oblea::fs {

struct Connection {
    explicit Connection(Counters page) : counters(std::move(page)) {}

    std::unique_ptr<UnionFs> fs;
    Placeholders placeholders;
    DataMode mode = DataMode::cached;
    std::unique_ptr<BackingFiles> backing;  // passthrough only
    MountTerms terms;                       // complete once `negotiated`
    bool negotiated = false;
    bool answers_init = false;  // the request in hand is the kernel's first
    std::uint64_t agreed = 0;   // libfuse's flags of what was asked for
    Counters counters;
    InHand in_hand;
    CutTails cut_tails;
    StalePages stale_pages;
    EarlyCuts early_cuts;  // passthrough only
    Openers openers;
    RingSlots rings;  // io_uring only
    TransportMode transport = TransportMode::device;
    int device = -1;  // borrowed from the session

    void choose(DataChoice const& choice) {
        mode = choice.mode;
        terms.mode = name_of(choice.mode);
        terms.reason = choice.reason;
    }

    void choose(TransportChoice const& choice) {
        transport = choice.way;
        terms.transport = name_of(choice.way);
        terms.transport_reason = choice.reason;
    }

    // The kernel's number of the request that this thread is answering.
    static thread_local std::uint64_t request;
    // Whether another process had that request before, and may have carried it out.
    [[nodiscard]] static bool is_resent() { return (request & kResent) != 0; }
};

}  // namespace oblea::fs
