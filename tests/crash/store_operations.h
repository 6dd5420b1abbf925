// SPDX-License-Identifier: MIT
// The operations of a store that crash tests interrupt, and what must hold afterwards.
//
// Everything that opens a store runs in a child process: the parent forks often, and must have no
// threads.
#pragma once
#include "tests/support/temp_dir.h"

#include <functional>
#include <string>
#include <vector>

namespace oblea::test {

// Archives to import and stores to publish from, made once.
struct Archives {
    explicit Archives(TempDir const& dir);
    std::string earlier;  // docker archive of two layers, "earlier:1"
    std::string
        image;  // OCI layout of three compressed layers, "image:1", sharing an object with it
    std::string other;   // docker archive, shares a layer with `image`, "other:1"
    std::string source;  // a store with "earlier:1" and "image:1"
    std::string twin;    // docker archive with the layers of `other` and another config, "twin:1"
    std::string origin;  // a store with "twin:1"
    std::string tree;    // a folder with something in srv/
    std::string reader;  // a store without images, to look at published ones from
};

struct Operation {
    using Step = std::function<int(std::string const& store)>;

    std::string name;
    // Each returns an exit status, 0 for success, and says why not to standard error. The store has
    // "earlier:1" before `prepare`.
    Step prepare;
    Step run;
    Step repeat;                 // after `run` was cut at any place
    std::size_t points_min = 1;  // fewer places to cut than this mean that the test tests nothing

    std::vector<std::string> keeps = {"docker.io/library/earlier:1"};  // whatever happens
    std::vector<std::string> brings = {};  // what is there when `run` has returned
    // Everything in the store is whole, and the images can be read. By default it is one of one's
    // own, not a published one.
    std::function<int(std::string const& store, std::vector<std::string> const& images)> verify =
        {};
    Step collect = {};  // removes what was left over
};

std::vector<Operation> store_operations(Archives const& archives);

// A new store with "earlier:1", and what the operation wants beside. Throws when it fails.
void prepare_store(Archives const& archives, Operation const& operation, std::string const& store);

void copy_tree(std::string const& source, std::string const& target);

// What a test may look at after a cut.
enum class Happened { perhaps, surely };
// The store opens, everything in it verifies, earlier images can be read; the operation can be
// repeated; gc then leaves what `reference` has. Returns what does not hold, empty when all does.
std::string check_after(Operation const& operation, std::string const& store,
                        std::vector<std::string> const& reference, Happened happened);

// Every file of a store that was collected, with its size, without what differs from run to run.
std::vector<std::string> collected_listing(std::string const& store);

}  // namespace oblea::test
