// SPDX-License-Identifier: MIT
#include "bench/bench.h"

#include "store/base/sys.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>

namespace oblea::bench {
namespace {

namespace sys = base::sys;

// Seconds of a round after which a subject takes part in no further one.
constexpr double kPatienceQuick = 5;
constexpr double kPatienceFull = 120;

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a signal handler sets it.
std::sig_atomic_t volatile interrupted = 0;

Status prepare_caches(Step const& step, std::string const& root) {
    if (step.before) {
        OBLEA_TRY(step.before(root));
    }
    switch (step.cache) {
    case Step::Cache::cold:
        OBLEA_TRY(drop_caches());
        // The way to where it is shown is this program's, and the same for all.
        OBLEA_TRY(sys::fstatat(AT_FDCWD, root.c_str()));
        return {};
    case Step::Cache::warm:
        return step.work(root);
    case Step::Cache::as_is:
        break;
    }
    return {};
}

}  // namespace

Result<double> timed(std::function<Status()> const& work) {
    auto const begin = std::chrono::steady_clock::now();
    OBLEA_TRY(work());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Bench::interrupt() noexcept {
    interrupted = 1;
}

Status Bench::go_on() {
    return interrupted != 0 ? Status{fail(Errno::ecanceled, "", "interrupted")} : Status{};
}

Bench::Bench(Settings settings, Workspace& space) : settings_(std::move(settings)), space_(space) {
    subjects_ = all_subjects(settings_.oblea);
    std::erase_if(subjects_, [&](auto const& subject) {
        auto const& named = settings_.subjects;
        return named.empty() ? !subject->usual()
                             : std::ranges::find(named, subject->name()) == named.end();
    });
}

unsigned Bench::rounds() const {
    return settings_.rounds != 0 ? settings_.rounds : settings_.by_size(1U, 3U, 5U);
}

std::vector<Subject*> Bench::prepared(Tree const& tree, Use use) {
    std::vector<Subject*> ready;
    for (auto const& subject : subjects_) {
        if (use == Use::changing && subject->changes() == Subject::Changes::refused) {
            continue;
        }
        if (auto const prepared = subject->prepare(space_, tree); !prepared.has_value()) {
            results_.note(
                fmt::format("{} left out: {}", subject->name(), prepared.error().message()));
            continue;
        }
        ready.push_back(subject.get());
    }
    return ready;
}

template <typename Taker, typename Name, typename Turn>
Status Bench::in_turns(std::vector<Taker> takers, Name const& name, Turn const& turn) {
    for (unsigned round = 0; round < rounds(); ++round) {
        std::vector<Taker> still;
        for (Taker& taker : takers) {
            OBLEA_TRY(go_on());
            Status done;
            double const seconds = OBLEA_TRY(timed([&]() -> Status {
                done = turn(taker);
                return {};
            }));
            if (!done.has_value()) {
                OBLEA_TRY(go_on());
                results_.note(fmt::format("{} left out: {}", name(taker), done.error().message()));
            } else if (round + 1 < rounds() &&
                       seconds > settings_.by_size(kPatienceQuick, kPatienceQuick, kPatienceFull)) {
                results_.note(fmt::format("{}: slow, so not in every round", name(taker)));
            } else {
                still.push_back(std::move(taker));
            }
        }
        takers = std::move(still);
    }
    return {};
}

Status Bench::do_steps(Subject& subject, Point const& point, Tree const& tree, Use use,
                       std::vector<Step> const& steps) {
    Place const place = OBLEA_TRY(fresh_place(space_));
    Shown shown = OBLEA_TRY(subject.show(tree, place, use));
    for (Step const& step : steps) {
        OBLEA_TRY(go_on());
        if (auto const ready = prepare_caches(step, shown.root()); !ready.has_value()) {
            if (step.cache == Step::Cache::cold && ready.error().code == Errno::eacces) {
                results_.note("nothing is measured cold: only root empties the caches");
                continue;
            }
            return ready;
        }
        double const seconds = OBLEA_TRY(timed([&] { return step.work(shown.root()); }));
        Work work{.suite = point.suite,
                  .name = step.name,
                  .parameter = point.parameter,
                  .value = point.value};
        results_.add(work, subject.name(), seconds);
    }
    return shown.hide();
}

Status Bench::run_steps(Point const& point, TreeSpec const& spec, Use use,
                        std::vector<Step> const& steps) {
    Tree const tree = OBLEA_TRY(make_tree(space_, spec));
    return in_turns(
        prepared(tree, use), [](Subject const* subject) { return subject->name(); },
        [&](Subject* subject) { return do_steps(*subject, point, tree, use, steps); });
}

Status Bench::run_entrants(Work const& work, std::vector<Entrant> entrants) {
    return in_turns(
        std::move(entrants), [](Entrant const& entrant) { return entrant.name; },
        [&](Entrant const& entrant) -> Status {
            results_.add(work, entrant.name, OBLEA_TRY(entrant.once()));
            return {};
        });
}

Status Bench::start_once(Subject& subject, Point const& point, Tree const& tree) {
    Place const place = OBLEA_TRY(fresh_place(space_));
    Work work{.suite = point.suite,
              .name = "mount and first answer",
              .parameter = point.parameter,
              .value = point.value};
    std::optional<Shown> shown;
    auto const up = [&]() -> Status {
        shown.emplace(OBLEA_TRY(subject.show(tree, place, Use::reading)));
        OBLEA_TRY(sys::fstatat(AT_FDCWD, shown->root().c_str()));
        return {};
    };
    double const seconds = OBLEA_TRY(timed(up));
    results_.add(work, subject.name(), seconds);
    if (auto const bytes = subject.server_bytes(place); bytes != 0) {
        Work memory = work;
        memory.name = "memory of the server, idle, not shared";
        memory.unit = "B";
        results_.add(memory, subject.name(), static_cast<double>(bytes));
    }
    work.name = "unmount";
    results_.add(work, subject.name(), OBLEA_TRY(timed([&] { return shown->hide(); })));
    return {};
}

Status Bench::run_startup(Point const& point, TreeSpec const& spec) {
    Tree const tree = OBLEA_TRY(make_tree(space_, spec));
    return in_turns(
        prepared(tree, Use::reading), [](Subject const* subject) { return subject->name(); },
        [&](Subject* subject) { return start_once(*subject, point, tree); });
}

}  // namespace oblea::bench
