// SPDX-License-Identifier: MIT
// Runs works on subjects in turns, round by round, so that whatever else the machine does meets all
// of them alike.
#pragma once
#include "bench/results.h"
#include "bench/subject.h"
#include "bench/workspace.h"

#include <functional>
#include <string>
#include <vector>

namespace oblea::bench {

struct Settings {
    enum class Size { tiny, quick, full } size = Size::quick;
    unsigned rounds = 0;                       // 0: as the size has it
    std::string oblea;                         // the program
    std::vector<std::string> subjects;         // names; empty: all
    std::vector<std::uint64_t> layers, sizes;  // empty: as the size has them
    std::uint64_t files = 0;                   // likewise
    std::uint64_t touch_bytes = 4096;

    // One of three, by the size.
    template <typename T>
    [[nodiscard]] T by_size(T tiny, T quick, T full) const {
        return size == Size::tiny ? tiny : size == Size::quick ? quick : full;
    }
};

// One thing to be timed, in a tree that is shown.
struct Step {
    std::string name;
    enum class Cache {
        cold,   // caches are dropped before
        warm,   // done once before, untimed
        as_is,  // neither
    } cache = Cache::as_is;
    std::function<Status(std::string const& root)> work;
    // Done before, untimed, whatever the caches are.
    std::function<Status(std::string const& root)> before = nullptr;
};

// The point that steps belong to.
struct Point {
    std::string suite;
    std::string parameter;
    double value = 0;
};

class Bench {
public:
    Bench(Settings settings, Workspace& space);

    [[nodiscard]] Settings const& settings() const { return settings_; }
    [[nodiscard]] Workspace& space() { return space_; }
    [[nodiscard]] Results& results() { return results_; }
    [[nodiscard]] unsigned rounds() const;

    // Each round shows the tree by each subject and does the steps, in their order. A subject that
    // cannot do something is noted and left out from then on.
    Status run_steps(Point const& point, TreeSpec const& spec, Use use,
                     std::vector<Step> const& steps);

    // One entrant of a comparison of programs: one run, in seconds.
    struct Entrant {
        std::string name;
        std::function<Result<double>()> once;
    };
    Status run_entrants(Work const& work, std::vector<Entrant> entrants);

    // Time from show() to the first answer; and the server's memory then.
    Status run_startup(Point const& point, TreeSpec const& spec);

    // ECANCELED once an interrupt has been asked for.
    static Status go_on();
    static void interrupt() noexcept;  // async-signal-safe

private:
    std::vector<Subject*> prepared(Tree const& tree, Use use);
    Status do_steps(Subject& subject, Point const& point, Tree const& tree, Use use,
                    std::vector<Step> const& steps);
    Status start_once(Subject& subject, Point const& point, Tree const& tree);
    // Goes through the rounds; whoever fails is noted and takes part no more.
    template <typename Taker, typename Name, typename Turn>
    Status in_turns(std::vector<Taker> takers, Name const& name, Turn const& turn);

    Settings settings_;
    Workspace& space_;
    Results results_;
    std::vector<std::unique_ptr<Subject>> subjects_;
};

// Seconds that the function takes.
Result<double> timed(std::function<Status()> const& work);

}  // namespace oblea::bench
